//! Each product that is installed accepts its configuration, and serves a hit.

use super::*;
use crate::probe;
use installed::{directory, free_address};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

#[test]
fn peers_are_found_by_their_names() {
    for peer in PEERS {
        assert_eq!(Peer::named(peer.name()), Ok(*peer));
    }
    let error = Peer::named("squirrel").unwrap_err();
    assert!(error.starts_with("\"squirrel\" is not a peer; allowed: lastmile, nginx, "), "{error}");
    assert_eq!(PEERS[0], Peer::Lastmile, "ratios are to the first");
}

#[test]
fn versions_are_what_a_program_prints() {
    assert_eq!(first_line(process::command("echo").arg("one")), "one");
    assert_eq!(first_line(&mut Command::new("/no/such/program")), "unknown");
}

/// An origin of one object, which may be stored; counts its requests in the object.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Squid stores nothing without a Date.
    let mut date = process::command("date");
    date.args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"]).env("LC_ALL", "C");
    let date = first_line(&mut date);
    std::thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            // A request of a peer comes in one piece; one that says nothing was only looking.
            if stream.read(&mut head).is_ok_and(|read| read > 0) {
                let content = format!("answer {count:03}");
                let response = format!(
                    "HTTP/1.1 200 OK\r\nDate: {date}\r\nCache-Control: max-age=3600\r\nContent-Length: {}\r\n\
                     Content-Type: text/plain\r\nConnection: close\r\n\r\n{content}",
                    content.len()
                );
                let _ = stream.write_all(response.as_bytes());
            }
        }
    });
    address
}

/// The peers that come as packages.
fn installed_ones() -> impl Iterator<Item = (Peer, &'static Installed)> {
    PEERS.iter().filter_map(|peer| Some((*peer, peer.installed()?)))
}

/// How often a cache is asked until it must have a hit. Traffic Server answers before its store is ready.
const LOOKS: usize = 5_000;

fn ground() -> Ground {
    let core = lastmile_tuning::cpu::Cores::allowed().unwrap().numbers()[0];
    Ground {
        lastmile: "/no/such/lastmile".into(),
        before: None,
        origin: origin(),
        zone: None,
        core,
    }
}

#[test]
fn every_word_of_a_template_is_filled_in() {
    for (peer, installed) in installed_ones() {
        let directory = directory().unwrap();
        let place = ground().place(directory.path(), free_address().unwrap());
        (installed.run)(&place).unwrap();
        let mut folders = vec![directory.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.lines().filter(|line| !line.trim().starts_with('#'));
                assert!(code.clone().all(|line| !line.contains('@')), "{}: {text}", peer.name());
            }
        }
    }
}

#[test]
fn programs_accept_their_configurations() {
    for (peer, installed) in installed_ones() {
        if !peer.is_there() {
            eprintln!("skipped: {}: no {} here", peer.name(), installed.program);
            continue;
        }
        let directory = directory().unwrap();
        let place = ground().place(directory.path(), free_address().unwrap());
        (installed.run)(&place).unwrap();
        assert_eq!(installed.complaint(&place), None, "{}", peer.name());
    }
}

#[test]
fn peers_serve_a_hit() {
    for (peer, _) in installed_ones() {
        if !peer.is_there() {
            eprintln!("skipped: {}: {:?} is not here", peer.name(), peer.needs());
            continue;
        }
        let name = peer.name();
        let server = peer.start(&ground(), 0).unwrap();
        if let Kind::Files { .. } = peer.kind() {
            std::fs::write(server.files().unwrap().join("hot"), "answer").unwrap();
        }
        let get = || probe::get(server.address, "/hot").unwrap();
        let first = get();
        assert_eq!(first.status, 200, "{name}");
        assert!(first.content.starts_with(b"answer"), "{name}: {:?}", first.content);
        // The origin would answer with another number each time. Some store a little later than they answer.
        let is_hit = || get().content == get().content;
        assert!((0..LOOKS).any(|_| is_hit()), "{name}: it fetches again and again");
        let address = server.address;
        drop(server);
        assert!(probe::get(address, "/hot").is_err(), "{name} still runs");
    }
}
