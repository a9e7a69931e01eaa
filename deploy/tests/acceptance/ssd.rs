//! The SSD tier behind a real edge: what does not fit into RAM, through restarts and crashes; and disks that can't be
//! had.

use crate::client::{Client, Ended, get, request};
use crate::process::{Started, fetch, lastmile, scratch};
use crate::world::{World, start_edge, synthetic, until};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Sizes of objects: packed ones, one of the largest that are, ones of one extent and of several.
const SIZES: [usize; 6] = [1, 700, 15_000, 65_000, 70_000, 900_000];

/// How often an edge is killed. The name is a variable of the environment with another number.
const KILLS: (&str, u32) = ("KILLS", 12);

/// An edge with an SSD tier at `path`, and an admin server.
struct Tier<'a> {
    path: &'a Path,
    io: &'a str,
    upstream: String,
    flags: &'a [&'a str],
}

struct Running {
    edge: Started,
    address: String,
    admin: String,
}

impl Tier<'_> {
    fn start(&self) -> Running {
        let path = self.path.to_str().unwrap();
        let flags = ["--ram", "4MiB", "--ssd", path, "--io", self.io, "--admin", "127.0.0.1:0"];
        let (edge, line) = start_edge(&self.upstream, &[&flags, self.flags].concat());
        let (address, admin) = line.split_once(", admin on ").unwrap();
        Running { edge, address: address.into(), admin: admin.into() }
    }
}

impl Running {
    fn has(&self, name: &str) -> bool {
        let (_, text) = fetch(&self.admin, "/metrics");
        String::from_utf8(text).unwrap().contains(name)
    }

    fn metric(&self, name: &str) -> u64 {
        let (_, text) = fetch(&self.admin, "/metrics");
        let text = String::from_utf8(text).unwrap();
        let value = text.lines().find_map(|line| {
            let rest = line.strip_prefix("lastmile_edge_")?.strip_prefix(name)?;
            rest.rsplit(' ').next()
        });
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    fn wait_for(&self, name: &str, least: u64) {
        until(name, || (self.metric(name) >= least).then_some(()));
    }

    /// Until it is known what is on the disk.
    fn recovered(&self) {
        until("the end of recovery", || (self.metric("ssd_recovering") == 0).then_some(()));
    }
}

fn target(number: usize) -> (String, usize) {
    let size = SIZES[number % SIZES.len()];
    (format!("/bytes/{size}/{number}?max-age=3600"), size)
}

/// Asks for each of so many objects; how many the edge had.
fn hits(address: &str, objects: usize) -> usize {
    let mut client = Client::connect(address);
    let mut hits = 0;
    for number in 0..objects {
        let (target, size) = target(number);
        let response = client.get(&target);
        assert_eq!((response.status, &response.ended), (200, &Ended::Whole), "{target}");
        assert!(response.content == synthetic(&target, size), "{target}: other octets");
        hits += usize::from(response.cache_status().contains("hit"));
    }
    hits
}

#[test]
fn what_does_not_fit_into_ram_stays_through_a_crash_and_a_restart() {
    for io in ["auto", "epoll"] {
        let (mut world, directory) = (World::new(), scratch());
        let path = directory.path().join("tier");
        let upstream = format!("http://{}", world.origin_address);
        let flags = ["--ssd-size", "100MiB"];
        let tier = Tier { path: &path, io, upstream, flags: &flags };
        let edge = tier.start();
        const OBJECTS: usize = 60;
        assert_eq!(hits(&edge.address, OBJECTS), 0, "{io}");
        // Used for the second time, some at once and some after they were evicted from RAM.
        for number in 0..OBJECTS {
            let (target, _) = target(number);
            get(&edge.address, &target);
            get(&edge.address, &target);
        }
        // A disk that is slow for now takes what is offered later: with the next use.
        until("all objects on the disk", || {
            let are_all_there = edge.metric("ssd_objects") >= OBJECTS as u64;
            if !are_all_there {
                hits(&edge.address, OBJECTS);
            }
            are_all_there.then_some(())
        });
        // A read that takes too long goes to the origin.
        until("ten megabytes out of four of RAM", || {
            (hits(&edge.address, OBJECTS) == OBJECTS).then_some(())
        });
        assert!(edge.metric("ssd_hits_total") > 0);
        world.stop_origin();
        edge.edge.signal(Signal::SIGKILL);
        drop(edge.edge.end());
        let edge = tier.start();
        edge.recovered();
        assert_eq!(edge.metric("ssd_objects"), OBJECTS as u64, "{io}: known again");
        assert_eq!(hits(&edge.address, OBJECTS), OBJECTS, "{io}: after a crash, without an origin");
        edge.edge.signal(Signal::SIGTERM);
        assert!(edge.edge.end().0.success());
        let edge = tier.start();
        edge.recovered();
        assert_eq!(hits(&edge.address, OBJECTS), OBJECTS, "{io}: after a restart");
        assert_eq!(edge.metric("ssd_damaged_total"), 0);
    }
}

/// What is in RAM when the edge is told to end is there when it starts again.
#[test]
fn ram_outlives_an_orderly_end() {
    let (mut world, directory) = (World::new(), scratch());
    let path = directory.path().join("tier");
    let upstream = format!("http://{}", world.origin_address);
    let tier = Tier { path: &path, io: "auto", upstream, flags: &["--ssd-size", "40MiB"] };
    let edge = tier.start();
    assert_eq!(hits(&edge.address, 5), 0);
    assert_eq!(edge.metric("ssd_objects"), 0, "nothing was asked for twice");
    edge.edge.signal(Signal::SIGTERM);
    assert!(edge.edge.end().0.success());
    world.stop_origin();
    let edge = tier.start();
    edge.recovered();
    assert_eq!(hits(&edge.address, 5), 5);
}

#[test]
fn what_is_removed_or_replaced_does_not_come_back() {
    let (world, directory) = (World::new(), scratch());
    let path = directory.path().join("tier");
    let upstream = format!("http://{}", world.origin_address);
    let flags = ["--ssd-size", "40MiB", "--ssd-admission", "all"];
    let tier = Tier { path: &path, io: "auto", upstream, flags: &flags };
    let edge = tier.start();
    edge.recovered();
    let (kept, removed) = ("/bytes/2000/kept?max-age=3600", "/bytes/2000/removed?max-age=3600");
    get(&edge.address, kept);
    get(&edge.address, removed);
    edge.wait_for("ssd_objects", 2);
    let written = edge.metric("ssd_written_octets_total");
    let mut client = Client::connect(&edge.address);
    assert_eq!(client.ask("POST", removed, "Content-Length: 0\r\n").status, 200);
    edge.wait_for("ssd_written_octets_total", written + 1);
    assert_eq!(edge.metric("ssd_objects"), 1);
    edge.edge.signal(Signal::SIGKILL);
    drop(edge.edge.end());
    let edge = tier.start();
    edge.recovered();
    assert_eq!(edge.metric("ssd_objects"), 1, "the removal is on the disk, too");
    let hit = |target: &str| get(&edge.address, target).cache_status().contains("hit");
    assert_eq!((hit(kept), hit(removed)), (true, false));
}

/// Far more than there is room for: segments go round and round, what is used stays.
#[test]
fn segments_are_used_again_and_what_is_hot_is_kept() {
    let (world, directory) = (World::new(), scratch());
    let path = directory.path().join("tier");
    let upstream = format!("http://{}", world.origin_address);
    let flags = ["--ssd-size", "33MiB", "--ssd-admission", "all"];
    let tier = Tier { path: &path, io: "auto", upstream, flags: &flags };
    let edge = tier.start();
    edge.recovered();
    let mut client = Client::connect(&edge.address);
    let mut ask = |name: String, size: usize| {
        let target = format!("/bytes/{size}/{name}?max-age=3600");
        let response = client.get(&target);
        assert_eq!(response.status, 200, "{target}");
        assert!(response.content == synthetic(&target, size), "{target}: other octets");
        response.cache_status().contains("hit")
    };
    // Three times the device; and more than RAM has room for again and again.
    const HOT: usize = 80;
    let (mut asked, mut kept) = (0, 0);
    for round in 0..8 {
        for number in 0..200 {
            ask(format!("cold-{round}-{number}"), 65_000);
        }
        for hot in 0..HOT {
            let is_hit = ask(format!("hot-{hot}"), [900, 65_000, 120_000][hot % 3]);
            if round > 1 {
                asked += 1;
                kept += u32::from(is_hit);
            }
        }
    }
    assert!(edge.metric("ssd_evicted_total") > 500, "the device is full");
    assert!(edge.metric("ssd_reinserted_total") > 10, "and what was used is written again");
    assert!(kept > asked / 2, "{kept} of {asked} were there");
    assert_eq!((edge.metric("ssd_damaged_total"), edge.metric("ssd_errors_total")), (0, 0));
}

/// The content of a response, if all of it comes before the edge is killed.
fn whole(address: &str, target: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(request("GET", target, "Connection: close\r\n").as_bytes()).ok()?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).ok()?;
    let end = response.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(response[..end].to_vec()).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{target}: {head}");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    let content = response.split_off(end + 4);
    (content.len() == length.parse::<usize>().unwrap()).then_some(content)
}

/// An edge that is killed at any moment under load never serves an octet that is wrong, and has what it had.
#[test]
fn an_edge_that_is_killed_again_and_again() {
    let kills = std::env::var(KILLS.0).map_or(KILLS.1, |number| number.parse().unwrap());
    let (world, directory) = (World::new(), scratch());
    let path = directory.path().join("tier");
    let upstream = format!("http://{}", world.origin_address);
    let flags = ["--ssd-size", "256MiB", "--ssd-admission", "all"];
    let tier = Tier { path: &path, io: "auto", upstream, flags: &flags };
    let (mut had, mut all, mut lost) = (0_u64, 0, 0);
    for kill in 0..kills {
        let edge = tier.start();
        edge.recovered();
        let known = edge.metric("ssd_objects");
        // Nothing goes for want of room. One that is fetched anew is not there until it is written.
        lost += had.saturating_sub(known);
        let (done, seen) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for client in 0..3 {
                let (done, seen, address) = (&done, &seen, &edge.address);
                scope.spawn(move || {
                    let mut random = u64::from(kill) << 8 | client;
                    while !done.load(Ordering::Relaxed) {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let (target, size) = target((random >> 40) as usize % 300);
                        if let Some(content) = whole(address, &target) {
                            assert!(content == synthetic(&target, size), "{target}: other octets");
                            seen.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            let until = Instant::now() + Duration::from_millis(u64::from(kill * 137 % 700) + 50);
            while Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            had = edge.metric("ssd_objects");
            all += had;
            edge.edge.signal(Signal::SIGKILL);
            done.store(true, Ordering::Relaxed);
        });
        assert!(seen.load(Ordering::Relaxed) > 0 || kill > 0, "nothing was asked for");
        drop(edge.edge.end());
    }
    println!("{lost} of {all} objects that had been on the disk were gone");
    // Those that were fetched anew: one at a time for each client.
    assert!(lost <= u64::from(kills), "{lost} of {all} objects that had been on the disk");
}

#[test]
fn a_disk_that_can_not_be_had_leaves_ram() {
    let (world, directory) = (World::new(), scratch());
    let upstream = format!("http://{}", world.origin_address);
    let foreign = directory.path().join("letters");
    std::fs::write(&foreign, "somebody's letters").unwrap();
    let used = directory.path().join("used");
    let tier = Tier {
        path: &used,
        io: "auto",
        upstream: upstream.clone(),
        flags: &["--ssd-size", "33MiB"],
    };
    let _owner = tier.start();
    let missing = directory.path().join("no/such/directory");
    for (path, size, says) in [
        (&foreign, "33MiB", "has something else in it; remove it, or choose another path"),
        (&used, "33MiB", "is in use by another process"),
        (&missing, "33MiB", "can't be opened: No such file or directory"),
        (&directory.path().join("small"), "1MiB", "octets are too few; at least 34603008"),
        (&directory.path().join("large"), "60TiB", "give a smaller --ssd-size"),
    ] {
        let arguments = [
            "edge",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            &upstream,
            "--ssd",
            path.to_str().unwrap(),
            "--ssd-size",
            size,
            "--for",
            "100ms",
        ];
        let output = lastmile(&arguments).stdout(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("no SSD tier: ") && stderr.contains(says), "{says}: {stderr}");
        assert!(output.status.success(), "it runs without: {stderr}");
    }
    assert_eq!(std::fs::read(&foreign).unwrap(), b"somebody's letters");
}

/// Octets that are not what was written, anywhere: the start goes on, what they touch is fetched anew, and nothing that
/// is served is wrong.
#[test]
fn a_disk_that_lies() {
    const OBJECTS: usize = 60;
    let (world, directory) = (World::new(), scratch());
    let path = directory.path().join("tier");
    let upstream = format!("http://{}", world.origin_address);
    let flags = ["--ssd-size", "40MiB", "--ssd-admission", "all"];
    let tier = Tier { path: &path, io: "auto", upstream, flags: &flags };
    let end = |edge: Running| {
        edge.edge.signal(Signal::SIGTERM);
        assert!(edge.edge.end().0.success());
    };
    let edge = tier.start();
    edge.recovered();
    hits(&edge.address, OBJECTS);
    end(edge);
    let whole = std::fs::read(&path).unwrap();
    let written = whole.iter().rposition(|octet| *octet != 0).unwrap();
    let mut random = 1_u64;
    let mut below = |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % bound
    };
    let (mut kept, mut lost) = (0, 0);
    for round in 0..12 {
        let mut octets = whole.clone();
        for _ in 0..1 << round {
            // The first superblock, too: it has a copy.
            let at =
                if below(8) == 0 { below(4096) } else { (1 << 20) + below(written - (1 << 20)) };
            octets[at] ^= 1 << below(8);
        }
        if round % 3 == 2 {
            // As if a write had been torn.
            let from = (1 << 20) + below(written - (1 << 20)) / 4096 * 4096;
            octets[from..(from + 300_000).min(written)].fill(0);
        }
        std::fs::write(&path, &octets).unwrap();
        let edge = tier.start();
        if !edge.has("ssd_recovering") {
            // Magic or version: somebody else's, as far as can be seen.
            hits(&edge.address, OBJECTS);
            end(edge);
            continue;
        }
        edge.recovered();
        let had = hits(&edge.address, OBJECTS);
        (kept, lost) = (kept + had, lost + OBJECTS - had);
        assert_eq!(hits(&edge.address, 5), 5, "it goes on");
        end(edge);
    }
    assert!(kept > lost, "{kept} kept, {lost} lost: only what was touched");
}

/// The file becomes shorter under the edge's feet: reads fail or bring zeros, and nothing that is served is wrong.
#[test]
fn a_file_that_is_truncated_while_it_is_used() {
    let (world, directory) = (World::new(), scratch());
    let path = directory.path().join("tier");
    let upstream = format!("http://{}", world.origin_address);
    let flags = ["--ssd-size", "40MiB", "--ssd-admission", "all"];
    let tier = Tier { path: &path, io: "auto", upstream, flags: &flags };
    let edge = tier.start();
    const OBJECTS: usize = 60;
    hits(&edge.address, OBJECTS);
    edge.wait_for("ssd_objects", OBJECTS as u64 / 2);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(8192).unwrap();
    hits(&edge.address, OBJECTS);
    assert!(edge.metric("ssd_errors_total") + edge.metric("ssd_damaged_total") > 0);
    hits(&edge.address, OBJECTS);
}
