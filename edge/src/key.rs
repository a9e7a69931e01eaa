//! The primary cache key of a request (RFC 9111 §2), and its hash.

use crate::io::Io;
use crate::request::Request;
use crate::worker::Worker;
use lastmile_http::cache::key::write_key;

/// A key in somebody's scratch buffer.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) hash: u64,
    pub(crate) octets: &'a [u8],
}

impl<'a> Key<'a> {
    /// Writes the key of `request` to `scratch`.
    pub(crate) fn write<I: Io>(
        worker: &Worker<I>,
        request: &Request<'_>,
        scratch: &'a mut Vec<u8>,
    ) -> Self {
        scratch.clear();
        let target = &request.target;
        write_key(&request.site.key, target.authority, target.path_and_query, scratch);
        Self { hash: worker.shared.ram.hash(scratch), octets: scratch }
    }
}
