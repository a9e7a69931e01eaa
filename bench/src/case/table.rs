//! The table of cases.

use super::{Case, Outcome, Requests, Scene, Targets, Who};

/// 1 KB hits, which most cases are about. Fresh for an hour, so that it outlasts any round.
const SMALL: &str = "/bytes/1000/hot?max-age=3600";

/// Hits of one object on 64 connections.
const fn hits(target: &'static str) -> Requests {
    Requests {
        targets: Targets::One(target),
        outcome: Outcome::Hit,
        connections: 64,
        pipeline: 1,
        once: false,
    }
}

/// A case of hits of one object that everybody has.
const fn plain(name: &'static str, title: &'static str, octets: usize, requests: Requests) -> Case {
    Case { name, title, scene: Scene::Load(requests), who: Who::Everybody(octets), quick: true }
}

/// A case of hits on many connections.
const fn many(name: &'static str, title: &'static str, connections: u16) -> Case {
    let scene = Scene::Load(Requests { connections, ..hits(SMALL) });
    Case { name, title, scene, who: Who::Caches, quick: true }
}

/// A case of requests for some of many objects, all in the cache.
const fn some(
    name: &'static str,
    title: &'static str,
    objects: u32,
    exponent: f64,
    sizes: &'static str,
) -> Case {
    let targets = Targets::Some { objects, exponent, sizes };
    let scene = Scene::Load(Requests { targets, ..hits("") });
    Case { name, title, scene, who: Who::Holders, quick: true }
}

/// All cases, in the order of the report.
pub const CASES: &[Case] = &[
    plain("1k-hit", "1 KB hit, 64 connections", 1_000, hits(SMALL)),
    many("1k-hit-512", "1 KB hit, 512 connections", 512),
    // The floors too: how much of what it costs more than with 64 is the kernel's.
    plain(
        "1k-hit-4096",
        "1 KB hit, 4,096 connections",
        1_000,
        Requests { connections: 4_096, ..hits(SMALL) },
    ),
    plain(
        "1k-hit-pipelined",
        "1 KB hit, 64 connections, 16 requests at once",
        1_000,
        Requests { pipeline: 16, ..hits(SMALL) },
    ),
    plain(
        "1k-hit-connect",
        "1 KB hit, a connection per request, 64 at a time",
        1_000,
        Requests { once: true, ..hits(SMALL) },
    ),
    plain("16k-hit", "16 KB hit, 64 connections", 16_000, hits("/bytes/16000/hot?max-age=3600")),
    plain(
        "100k-hit",
        "100 KB hit, 64 connections",
        100_000,
        hits("/bytes/100000/hot?max-age=3600"),
    ),
    plain("1m-hit", "1 MB hit, 64 connections", 1_000_000, hits("/bytes/1000000/hot?max-age=3600")),
    some("100k-hit-256m", "100 KB hit, at random out of 2,560", 2_560, 0.0, "100000"),
    some("1m-hit-256m", "1 MB hit, at random out of 256", 256, 0.0, "1000000"),
    // Exponent and sizes of an ordinary site: pictures, scripts, pages, few large things. 190 MB in all.
    some(
        "zipf-hit",
        "Zipf mix over 10,000 objects of 1 KB to 1 MB, all in the cache",
        10_000,
        0.9,
        "1KB:40,4KB:30,16KB:20,64KB:9,1MB:1",
    ),
    Case {
        name: "1k-miss",
        title: "1 KB miss, fetched and stored, 64 connections",
        scene: Scene::Load(Requests {
            targets: Targets::Unique("/bytes/1000/{n}?max-age=3600"),
            outcome: Outcome::Miss,
            ..hits("")
        }),
        who: Who::Proxies,
        quick: true,
    },
    Case {
        name: "1k-miss-no-store",
        title: "1 KB miss that may not be stored, 64 connections",
        scene: Scene::Load(Requests {
            targets: Targets::One("/bytes/1000/no-store?cache-control=no-store"),
            outcome: Outcome::Miss,
            ..hits("")
        }),
        who: Who::Proxies,
        quick: true,
    },
    Case {
        name: "1k-hit-beside-100m",
        title: "1 KB hits, 1,000 a second, beside 50 clients that pull 100 MB objects",
        scene: Scene::Beside {
            // More than requests are started in a round, so that none waits for another's connection.
            requests: Requests { connections: 2_000, ..hits(SMALL) },
            rate: 1_000.0,
            readers: 50,
            film: "/bytes/100000000/film?max-age=3600",
        },
        who: Who::Caches,
        quick: true,
    },
    Case {
        name: "flash-crowd",
        title: "500 clients on a cold object of 100 KB that takes a second to arrive",
        scene: Scene::Crowd { clients: 500, octets: 100_000, rate: 100_000 },
        who: Who::Caches,
        quick: true,
    },
    Case {
        name: "10000-idle",
        title: "10,000 idle keep-alive connections: memory of each",
        scene: Scene::Idle { connections: 10_000 },
        who: Who::Caches,
        quick: true,
    },
    Case {
        name: "100000-objects",
        title: "100,000 objects of 1 KB in the cache: memory of each",
        scene: Scene::Objects { objects: 100_000 },
        who: Who::Growing,
        quick: true,
    },
    Case {
        name: "1000000-objects",
        title: "1,000,000 objects of 1 KB in the cache: memory of each",
        scene: Scene::Objects { objects: 1_000_000 },
        who: Who::Growing,
        // Filling takes half a minute and more for each peer.
        quick: false,
    },
];
