//! What lies between an application and the machine: cores, sockets, listeners, logs.
//!
//! * [`files`]: how many descriptors this process may have.
//! * [`cpu`]: which cores may be used, and pinning a thread to one.
//! * [`log`]: lines for a file, written by a thread of its own.
//! * [`socket`]: listeners and connections with the options that matter to an edge.

pub mod cpu;
pub mod files;
pub mod log;
pub mod socket;
