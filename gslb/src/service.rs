//! How queries are answered, whatever they ask for: who we say we are, whom we believe, and what changes under load.

use crate::limit::Limit;
use crate::mode::Backup;
use crate::wire::cookie::Secrets;

/// Octets of an answer over UDP for each octet of a question whose sender may be forged. A question of 32 octets may so
/// get the 512 octets of an answer without EDNS, one of 77 the 1232 that are the most. A steered answer with one
/// address is twice its question, with CNAME some three times; only sixteen AAAA records for a name of less than 14
/// octets, asked for without EDNS, are more than 16 times as long.
pub(crate) const AMPLIFICATION_MAX_DEFAULT: usize = 16;

/// The tables `[dns]`, `[limit]` and `[backup]` of the zone file.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// Which server this is (RFC 5001).
    pub(crate) nsid: Option<Box<[u8]>>,
    /// What cookies are made with; without it none are.
    pub(crate) secrets: Option<Secrets>,
    /// The secret is of this process alone.
    pub(crate) is_secret_random: bool,
    /// Octets of an answer for each octet of its question, over UDP and without a good cookie; at least 2.
    pub(crate) amplification_max: usize,
    /// For how long an idle TCP connection stays open, in units of 100 ms (RFC 7828).
    pub(crate) keepalive: u16,
    pub(crate) limit: Option<Limit>,
    pub(crate) backup: Backup,
}

impl Service {
    /// Goes on with the secret that askers know, unless the file says which one to take.
    pub(crate) fn keep_secret(&mut self, before: &Self) {
        if self.is_secret_random && before.is_secret_random {
            self.secrets.clone_from(&before.secrets);
        }
    }
}
