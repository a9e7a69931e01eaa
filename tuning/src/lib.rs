//! What lies between an application and the NIC: cores, sockets, listeners.
//!
//! * [`files`]: how many descriptors this process may have.
//! * [`cpu`]: which cores may be used, and pinning a thread to one.
//! * [`socket`]: listeners and connections with the options that matter to an edge.

pub mod cpu;
pub mod files;
pub mod socket;
