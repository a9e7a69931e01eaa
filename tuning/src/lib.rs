//! What lies between an application and the machine: cores, sockets, listeners, logs, and the kernel's network.
//!
//! * [`files`]: how many descriptors this process may have.
//! * [`clock`]: whether somebody keeps the kernel's clock right.
//! * [`cpu`]: which cores may be used, and pinning a thread to one. [`cores`]: the way of a packet to one of them.
//! * [`log`]: lines for a file, written by a thread of its own.
//! * [`socket`]: listeners and connections with the options that matter to an edge.
//! * [`policy`]: what connections get by their other end's prefix; [`bpf`]: the program that gives it to them.
//! * [`quantity`]: sizes and durations as people write them.
//! * [`sysctl`]: parameters of the kernel.
//! * [`netns`]: network namespaces. [`netlink`]: messages to the kernel about one; [`link`], its devices;
//!   [`ethtool`], their rings, channels, coalescing and offloads; [`route`], its routes and what they say about TCP.
//! * [`knobs`]: every setting that matters to an edge, as a table; [`profile`]: what is wanted of it; [`system`]: what
//!   is found; [`mod@plan`]: the steps from one to the other; [`apply`]: done, with [`journal`], by which they are
//!   taken back; [`audit`] and [`reference`](mod@reference): all of it in words.

pub mod apply;
pub mod audit;
pub mod bpf;
pub mod clock;
pub mod cores;
pub mod cpu;
pub mod ethtool;
pub mod files;
pub mod journal;
pub mod knobs;
pub mod link;
pub mod log;
pub mod netlink;
pub mod netns;
pub mod plan;
pub mod policy;
pub mod profile;
pub mod quantity;
pub mod reference;
pub mod route;
pub mod socket;
pub mod sysctl;
pub mod system;
