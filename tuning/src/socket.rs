//! Listeners and connections with the options that matter to an edge.
//!
//! * `options`: what every role says of its sockets, in one place. `congestion`: a part of it.
//! * `listen`: listeners, of which each core has its own. `datagram`: UDP sockets likewise.
//! * [`raw`]: options that no wrapper has.

mod congestion;
mod datagram;
mod listen;
mod options;
pub mod raw;

pub use congestion::{Congestion, missing_congestion, spare_pacing};
pub use datagram::{bind_udp, never_fragment};
pub use listen::{ListenOptions, listen};
pub use options::SocketOptions;
