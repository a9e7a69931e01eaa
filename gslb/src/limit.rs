//! Response rate limiting: how many answers a network gets of one kind in a second. What forged senders make us send to
//! their victim is bounded so; who is really there comes again, with a cookie or over TCP. Pure.

use crate::map::Prefix;
use crate::steer::hash::mix;
use crate::wire::subnet::mask;
use std::net::IpAddr;

/// Accounts of a worker, in sets of [`WAYS`]: 512 KiB. Memory that no flood has touched is never really taken.
const ACCOUNTS: usize = 1 << 16;
/// Accounts that share a place; 32 octets, one fetch from memory.
const WAYS: usize = 4;
const SETS: usize = ACCOUNTS / WAYS;
/// Networks, as resolvers and their victims have them: BIND, Knot and NSD count IPv4 by the same; IPv6 sites often
/// have a /56 each.
const PREFIX_V4: u8 = 24;
const PREFIX_V6: u8 = 56;
/// Answers in a second at most that can be told; the packed account has 16 bits.
pub(crate) const RATE_MAX: i64 = 60_000;
/// `slip` has 8 bits, of which the count of limited answers takes as many.
pub(crate) const SLIP_MAX: i64 = 100;
/// Networks that are never limited; each limited answer looks at all of them.
pub(crate) const EXEMPT_MAX: usize = 64;

/// The table `[limit]`.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    /// Answers of one kind to one network in a second, from one worker; at most [`RATE_MAX`].
    pub(crate) rate: u16,
    /// Of so many limited answers one is sent truncated; 0 for none.
    pub(crate) slip: u8,
    pub(crate) exempt: Vec<Prefix>,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Send,
    /// A short one is sent in its place, which asks to come again in a way that cannot be forged.
    Slip,
    Drop,
}

/// What one worker has sent of late. An account is found by a hash of network and kind; one for which there is no place
/// takes that of the account with the least answers in its set. So nobody is limited for another's answers, and an
/// account is forgotten only if four with more answers share its place, which nobody can aim at without our key.
#[derive(Debug)]
pub(crate) struct Limiter {
    sets: Vec<[u64; WAYS]>,
    key: u64,
}

/// An account as kept in 64 bits.
#[derive(Clone, Copy, Default)]
struct Account {
    /// Tells it from others in its set (24 bits).
    tag: u32,
    /// Limited answers so far, modulo 256.
    limited: u8,
    /// When it was last charged: seconds, modulo 2^16. After 18 hours of nothing it may look like now, which costs its
    /// owner a second.
    second: u16,
    /// Answers that still count.
    used: u16,
}

impl Limiter {
    /// `key` is a random number that nobody else knows.
    pub(crate) fn new(key: u64) -> Self {
        Self { sets: vec![[0; WAYS]; SETS], key }
    }

    /// Charges an answer of the kind `kind` to the network of `peer`, and says what becomes of it. `now` is in seconds.
    pub(crate) fn judge(&mut self, limit: &Limit, peer: IpAddr, kind: u64, now: u32) -> Verdict {
        let hash = mix(network(peer) ^ mix(kind ^ self.key));
        let (tag, second) = ((hash >> 40) as u32, now as u16);
        let set = &mut self.sets[hash as usize % SETS];
        let (mut place, mut account) = (0, Account { used: u16::MAX, ..Account::default() });
        for (index, packed) in set.iter().enumerate() {
            let mut other = Account::unpack(*packed);
            // Each second that has passed has paid for `rate` answers.
            let paid = second.wrapping_sub(other.second).saturating_mul(limit.rate);
            other.used = other.used.saturating_sub(paid);
            if other.tag == tag {
                (place, account) = (index, other);
                break;
            }
            if other.used < account.used {
                (place, account) = (index, other);
            }
        }
        if account.tag != tag {
            account = Account { tag, ..Account::default() };
        }
        account.second = second;
        let verdict = if account.used < limit.rate {
            account.used += 1;
            Verdict::Send
        } else if limit.exempt.iter().any(|prefix| is_within(peer, *prefix)) {
            Verdict::Send
        } else {
            account.limited = account.limited.wrapping_add(1);
            let slips = account.limited.checked_rem(limit.slip) == Some(0);
            if slips { Verdict::Slip } else { Verdict::Drop }
        };
        set[place] = account.pack();
        verdict
    }
}

impl Account {
    fn unpack(packed: u64) -> Self {
        Self {
            tag: (packed >> 40) as u32,
            limited: (packed >> 32) as u8,
            second: (packed >> 16) as u16,
            used: packed as u16,
        }
    }

    fn pack(self) -> u64 {
        let Self { tag, limited, second, used } = self;
        (u64::from(tag) << 40)
            | (u64::from(limited) << 32)
            | (u64::from(second) << 16)
            | u64::from(used)
    }
}

/// The network of an address, as a number that no network of the other family has.
fn network(peer: IpAddr) -> u64 {
    match peer.to_canonical() {
        // Beyond the 56 bits of the other.
        IpAddr::V4(v4) => (1 << 63) | u64::from(v4.to_bits() >> (32 - PREFIX_V4)),
        IpAddr::V6(v6) => (v6.to_bits() >> (128 - PREFIX_V6)) as u64,
    }
}

fn is_within(address: IpAddr, prefix: Prefix) -> bool {
    match (address.to_canonical(), prefix.parts()) {
        (IpAddr::V4(address), (IpAddr::V4(network), length)) => {
            let mask = (mask(length, 32) >> 96) as u32;
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), (IpAddr::V6(network), length)) => {
            let mask = mask(length, 128);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V4(_), _) | (IpAddr::V6(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(rate: u16, slip: u8) -> Limit {
        Limit { rate, slip, exempt: vec!["198.51.100.0/24".parse().unwrap()] }
    }

    /// Of so many answers: sent, slipped.
    fn ask(limiter: &mut Limiter, limit: &Limit, peer: &str, kind: u64, now: u32) -> [usize; 2] {
        let peer = peer.parse().unwrap();
        let verdicts: Vec<_> = (0..100).map(|_| limiter.judge(limit, peer, kind, now)).collect();
        [Verdict::Send, Verdict::Slip].map(|it| verdicts.iter().filter(|&&v| v == it).count())
    }

    #[test]
    fn what_is_sent() {
        let mut limiter = Limiter::new(7);
        let ten = limit(10, 2);
        for (peer, kind, now, expected, why) in [
            ("192.0.2.1", 1, 5, [10, 45], "ten, and every second of the rest as a slip"),
            ("192.0.2.9", 1, 5, [0, 50], "the same network"),
            ("::ffff:192.0.2.9", 1, 5, [0, 50], "the same in IPv6"),
            ("192.0.2.1", 2, 5, [10, 45], "another kind of answer"),
            ("192.0.3.1", 1, 5, [10, 45], "another network"),
            ("192.0.2.1", 1, 6, [10, 45], "a second later"),
            ("192.0.2.1", 1, 9, [10, 45], "what was not used is not saved"),
            ("192.0.2.1", 1, 8, [10, 45], "a clock that was set back limits nobody for long"),
            ("2001:db8:0:1::1", 1, 5, [10, 45], "IPv6"),
            ("2001:db8:0:ff::1", 1, 5, [0, 50], "the same /56"),
            ("2001:db8:0:100::1", 1, 5, [10, 45], "the next /56"),
            ("198.51.100.7", 1, 5, [100, 0], "exempt"),
        ] {
            assert_eq!(ask(&mut limiter, &ten, peer, kind, now), expected, "{peer} {kind} {why}");
        }
        for (slip, expected, why) in
            [(0, [10, 0], "none"), (1, [10, 90], "each"), (3, [10, 30], "every third")]
        {
            let mut limiter = Limiter::new(7);
            let found = ask(&mut limiter, &limit(10, slip), "192.0.2.1", 1, 5);
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn a_flood_from_everywhere_limits_nobody_else_and_frees_no_one() {
        let (mut limiter, ten) = (Limiter::new(3), limit(10, 0));
        let victim = "192.0.2.1";
        assert_eq!(ask(&mut limiter, &ten, victim, 1, 5), [10, 0]);
        // One answer to each of 2^20 networks, sixteen for each account that there is.
        for network in 0..1u32 << 20 {
            let peer = IpAddr::V4(((network << 8) + 0x0a00_0000).into());
            assert_eq!(limiter.judge(&ten, peer, 1, 5), Verdict::Send, "{peer}");
        }
        assert_eq!(ask(&mut limiter, &ten, victim, 1, 5), [0, 0], "it is not forgotten");
    }

    proptest! {
        /// Whoever asks for whatever and whenever: in a second an account gets `rate` answers at most.
        #[test]
        fn never_more_than_the_rate(
            rate in 1u16..50,
            asked in proptest::collection::vec((0u8..3, 0u64..3, 0u32..2), 1..2000),
        ) {
            let (mut limiter, limit) = (Limiter::new(1), limit(rate, 2));
            let (mut now, mut sent) = (70_000, std::collections::HashMap::new());
            for (host, kind, later) in asked {
                now += u32::from(later > 0 && host == 0);
                let peer = IpAddr::from([10, host, 0, 1]);
                if limiter.judge(&limit, peer, kind, now) == Verdict::Send {
                    *sent.entry((host, kind, now)).or_insert(0) += 1;
                }
            }
            prop_assert!(sent.values().all(|&count| count <= rate));
        }
    }
}
