//! wrk on a hit.

use crate::client::get;
use crate::world::{World, run};

/// 64 connections for two seconds get nothing but good answers, and the origin is asked once.
#[test]
fn wrk_sees_no_error_and_the_origin_one_fetch() {
    for io in ["auto", "epoll"] {
        let world = World::with(&["--io", io]);
        let target = "/bytes/1000/hit?max-age=600";
        get(&world.address, target);
        let url = format!("http://{}{target}", world.address);
        let arguments = ["-t1", "-c64", "-d2s", "-H", "Host: www.customer.test", &url];
        let output = run("wrk", "wrk", &arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{io}: {text}");
        assert!(!text.contains("Socket errors") && !text.contains("Non-2xx"), "{io}: {text}");
        let line = text.lines().find(|line| line.contains("requests in")).unwrap();
        let requests: u64 = line.trim().split(' ').next().unwrap().parse().unwrap();
        assert!(requests > 1000, "{io}: {text}");
        assert_eq!(world.asked("/bytes/1000/hit").len(), 1, "{io}");
    }
}
