//! The GSLB: an authoritative DNS server that steers clients to edges.
