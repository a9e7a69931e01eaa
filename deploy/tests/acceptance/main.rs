//! What the CDN must do, shown from outside: the real executable, real sockets, curl, dig and wrk, and an origin that
//! shares no code with what is tested.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `world` | an edge process between the tests and an origin whose journal they read |
//! | `client` | an HTTP client that sees every octet, and how a connection ends |
//! | `scripted` | an upstream that sends exactly the octets it is told to |
//! | `answering` | an upstream that answers as the test decides, and when |
//! | `moment` | dates |
//! | `files` | files by name through the whole CDN |
//! | `steering` | the GSLB of the whole CDN |
//! | `redirect` | the same over HTTP |
//! | `observed` | metrics and the query log of a GSLB |
//! | `modes` | the GSLB under load |
//! | `load` | wrk on a hit |
//! | `collapse` | many clients, one fetch |
//! | `meanwhile` | requests while another one waits |
//! | `persistence` | which connections stay open, and the order of answers |
//! | `reuse` | what the store answers, and what it asks before |
//! | `parts` | parts stored, put together and completed |
//! | `shared` | what must never be shared, or taken for whole when it was cut short |
//! | `content` | contents of requests and responses, streamed |
//! | `malformed` | requests that are refused |
//! | `messages` | requests and answers that peers read in different ways |
//! | `tunnel` | connections that go on in another protocol |
//! | `failures` | upstreams that fail before, at and in the middle of a response |
//! | `restart` | upstreams that come back, edges that end |

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod answering;
mod client;
mod collapse;
mod content;
mod failures;
mod files;
mod health;
mod load;
mod malformed;
mod meanwhile;
mod messages;
mod modes;
#[path = "../conformance/moment.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod moment;
mod observed;
mod parts;
mod persistence;
#[path = "../process/mod.rs"]
mod process;
mod redirect;
mod restart;
mod reuse;
mod scripted;
mod shared;
mod ssd;
mod steering;
mod tunnel;
mod world;
