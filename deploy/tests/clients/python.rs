//! Python's `http.client`; its side is `http_client.py`.

use crate::process::scratch;
use crate::program;
use crate::world::World;
use std::process::Command;

/// The script makes the requests and judges the answers; here is counted what they cost the origin.
#[test]
fn http_client() {
    let Some(python) = program::find(&["python3"]) else { return };
    let world = World::new();
    let script = scratch();
    let path = script.path().join("http_client.py");
    std::fs::write(&path, include_str!("http_client.py")).unwrap();
    let output = Command::new(python)
        // Alone: without whatever the environment adds.
        .args(["-I", "-B"])
        .arg(path)
        .arg(&world.address)
        .output()
        .unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(said.lines().last(), Some("all is well"), "{said}");
    for (target, fetches) in [
        ("/bytes/1000/persistent?", 1),
        ("/bytes/1000/condition?", 1),
        ("/bytes/1000/range?", 1),
        ("/bytes/1000/head?", 2),
    ] {
        assert_eq!(world.asked(target).len(), fetches, "{target}");
    }
}
