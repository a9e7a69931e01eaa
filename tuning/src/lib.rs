//! What lies between an application and the machine: cores, sockets, listeners, logs, and the kernel's network.
//!
//! * [`files`]: how many descriptors this process may have.
//! * [`cpu`]: which cores may be used, and pinning a thread to one.
//! * [`log`]: lines for a file, written by a thread of its own.
//! * [`socket`]: listeners and connections with the options that matter to an edge.
//! * [`policy`]: what connections get by their other end's prefix; [`bpf`]: the program that gives it to them.
//! * [`quantity`]: sizes and durations as people write them.
//! * [`sysctl`]: parameters of the kernel.
//! * [`netns`]: network namespaces. [`netlink`]: messages to the kernel about one; [`link`], its devices; [`route`],
//!   its routes and what they say about TCP.

pub mod bpf;
pub mod cpu;
pub mod files;
pub mod link;
pub mod log;
pub mod netlink;
pub mod netns;
pub mod policy;
pub mod quantity;
pub mod route;
pub mod socket;
pub mod sysctl;
