//! Programs that people use, against a real edge: each has its own reading of HTTP, and all of them must agree with it.
//!
//! A test whose program is not installed says so on stderr and passes; `./check` installs all of them.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `program` | which programs are there |
//! | `transfer` | curl, and what it got |
//! | `nginx` | an nginx that lives as long as a test |
//! | `curl` | curl: connections, ranges, conditions, uploads, interim responses |
//! | `python` | Python's `http.client`; its side is `http_client.py` |
//! | `upstream` | nginx as the upstream: files, compression, validation, errors |
//! | `downstream` | nginx as the client: as a proxy and as a cache |
//! | `browser` | Chromium, twice with one profile |

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod browser;
#[path = "../acceptance/client.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod client;
mod curl;
mod downstream;
mod nginx;
#[path = "../process/mod.rs"]
mod process;
mod program;
mod python;
#[path = "../acceptance/scripted.rs"]
mod scripted;
mod transfer;
mod upstream;
#[path = "../acceptance/world.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod world;
