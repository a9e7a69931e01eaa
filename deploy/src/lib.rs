//! The lastmile command: every role, and the whole CDN on one machine.
