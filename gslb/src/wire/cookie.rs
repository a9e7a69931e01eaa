//! DNS cookies (RFC 7873), the server's made as RFC 9018 says, so that servers of any make that share a secret accept
//! each other's.

use siphasher::sip::SipHasher24;
use std::fmt;
use std::net::IpAddr;

/// The option's code.
pub(crate) const OPTION_CODE: u16 = 10;
/// Octets of a secret (RFC 9018 §4.4: 128 bits).
pub(crate) const SECRET_OCTETS: usize = 16;
/// Octets of a client's cookie, of ours, and of both, as an answer has them.
const CLIENT_OCTETS: usize = 8;
const SERVER_OCTETS: usize = 16;
pub(crate) const BOTH_OCTETS: usize = CLIENT_OCTETS + SERVER_OCTETS;
/// RFC 7873 §4: a server's cookie has 8 to 32 octets.
const OTHERS_OCTETS_MIN: usize = 8;
const OTHERS_OCTETS_MAX: usize = 32;
/// RFC 9018 §4.2.
const VERSION: u8 = 1;
/// RFC 9018 §4.3: seconds after which a cookie is not accepted, for which one may be ahead of our clock, and after
/// which the asker gets a new one.
const AGE_MAX: i32 = 3600;
const AHEAD_MAX: i32 = 300;
const FRESH_MAX: i32 = 1800;

/// What an asker has shown of where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing: it does not speak of cookies, or we do not.
    Silent,
    /// It wants a cookie.
    New,
    /// It has one that is not ours, of somebody else, or too old.
    Bad,
    /// It has received an answer of ours at this address within the last hour: nobody has forged the address.
    Good,
}

/// What cookies are made with.
#[derive(Clone)]
pub(crate) struct Secrets {
    current: SipHasher24,
    /// RFC 9018 §5: still accepted while all servers learn the new one.
    old: Option<SipHasher24>,
}

/// A secret is not for logs.
impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secrets(..)")
    }
}

/// RFC 7873 §5.2.2: whether an option's data may have so many octets; FORMERR if not.
pub(crate) fn is_length(octets: usize) -> bool {
    let with_server = CLIENT_OCTETS + OTHERS_OCTETS_MIN..=CLIENT_OCTETS + OTHERS_OCTETS_MAX;
    octets == CLIENT_OCTETS || with_server.contains(&octets)
}

impl Secrets {
    pub(crate) fn new(current: [u8; SECRET_OCTETS], old: Option<[u8; SECRET_OCTETS]>) -> Self {
        Self {
            current: SipHasher24::new_with_key(&current),
            old: old.map(|old| SipHasher24::new_with_key(&old)),
        }
    }

    /// What a query's option (of an allowed length) is worth that came from `client`, and the data of the answer's.
    /// `now` is in seconds since 1970, modulo 2^32.
    pub(crate) fn judge(
        &self,
        option: &[u8],
        client: IpAddr,
        now: u32,
    ) -> (Standing, [u8; BOTH_OCTETS]) {
        let (mut both, client) = ([0; BOTH_OCTETS], client.to_canonical());
        let (standing, keep) = match <&[u8; BOTH_OCTETS]>::try_from(option) {
            Ok(option) => {
                both = *option;
                self.check(option, client, now)
            }
            Err(_) => {
                both[..CLIENT_OCTETS].copy_from_slice(&option[..CLIENT_OCTETS]);
                let is_new = option.len() == CLIENT_OCTETS;
                (if is_new { Standing::New } else { Standing::Bad }, false)
            }
        };
        if !keep {
            both[CLIENT_OCTETS..].fill(0);
            both[CLIENT_OCTETS] = VERSION;
            both[12..16].copy_from_slice(&now.to_be_bytes());
            let hash = hash(&self.current, &both, client);
            both[16..].copy_from_slice(&hash);
        }
        (standing, both)
    }

    /// What a whole cookie is worth, and whether the asker may keep it.
    fn check(&self, both: &[u8; BOTH_OCTETS], client: IpAddr, now: u32) -> (Standing, bool) {
        // RFC 9018 §4: version, three reserved octets, timestamp, hash.
        let timestamp = u32::from_be_bytes([both[12], both[13], both[14], both[15]]);
        // RFC 9018 §4.3: in serial number arithmetic, so that 2106 is no special year.
        let age = now.wrapping_sub(timestamp) as i32;
        if both[8] != VERSION || !(-AHEAD_MAX..=AGE_MAX).contains(&age) {
            return (Standing::Bad, false);
        }
        if hash(&self.current, both, client) == both[16..] {
            // RFC 9018 §4.2: reserved octets are hashed as they came, and 0 in what we make.
            return (Standing::Good, age <= FRESH_MAX && both[9..12] == [0; 3]);
        }
        let is_old = self.old.is_some_and(|old| hash(&old, both, client) == both[16..]);
        (if is_old { Standing::Good } else { Standing::Bad }, false)
    }
}

/// RFC 9018 §4.4: of the client's cookie, version, reserved, timestamp, and the client's address.
fn hash(hasher: &SipHasher24, both: &[u8; BOTH_OCTETS], client: IpAddr) -> [u8; 8] {
    let mut hashed = [0; 32];
    hashed[..16].copy_from_slice(&both[..16]);
    let octets = match client {
        IpAddr::V4(address) => {
            hashed[16..20].copy_from_slice(&address.octets());
            20
        }
        IpAddr::V6(address) => {
            hashed[16..].copy_from_slice(&address.octets());
            32
        }
    };
    hasher.hash(&hashed[..octets]).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        assert_eq!(hex.len(), 2 * N);
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const LEARNED: &str = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    const FROM: &str = "198.51.100.100";
    const THEN: u32 = 1_559_731_985;

    #[test]
    fn the_test_vectors_of_rfc_9018_appendix_a() {
        let first = Secrets::new(octets(SECRET), None);
        let (judged, renewed) = first.judge(&octets::<8>(&LEARNED[..16]), ip(FROM), THEN);
        assert_eq!((judged, renewed), (Standing::New, octets(LEARNED)), "A.1");
        let (judged, renewed) = first.judge(&octets::<24>(LEARNED), ip(FROM), 1_559_734_385);
        let expected = octets("2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
        assert_eq!((judged, renewed), (Standing::Good, expected), "A.2: 40 minutes old");

        let reserved = octets::<24>("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
        let other = ip("203.0.113.203");
        let (judged, _) = first.judge(&reserved, other, 1_559_727_985 + 60);
        assert_eq!(judged, Standing::Good, "A.3: reserved octets are hashed as they came");
        let (judged, renewed) = first.judge(&reserved, other, 1_559_734_700);
        let expected = octets("fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
        assert_eq!(renewed, expected, "A.3: and 0 in the new one");
        // The vector calls it valid, but at 1:51 h it is past the hour of §4.3.
        assert_eq!(judged, Standing::Bad, "A.3");

        let old = octets("dd3bdf9344b678b185a6f5cb60fca715");
        let rolled = Secrets::new(octets("445536bcd2513298075a5d379663c962"), Some(old));
        let (judged, renewed) = rolled.judge(
            &octets::<24>("22681ab97d52c298010000005cf7c57926556bd0934c72f8"),
            ip("2001:db8:220:1:59de:d0f4:8769:82b8"),
            1_559_741_961,
        );
        let expected = octets("22681ab97d52c298010000005cf7c609a6bb79d16625507a");
        assert_eq!((judged, renewed), (Standing::Good, expected), "A.4: by the old secret");
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_is_believed_and_who_gets_a_new_one() {
        let secrets = Secrets::new(octets(SECRET), None);
        let good = octets::<24>(LEARNED);
        let with = |at: usize| {
            let mut cookie = good;
            cookie[at] ^= 1;
            cookie.to_vec()
        };
        let hour = THEN + 3600;
        for (option, from, now, standing, kept, why) in [
            (good.to_vec(), FROM, THEN, Standing::Good, true, "as it was made"),
            (good.to_vec(), "::ffff:198.51.100.100", THEN, Standing::Good, true, "IPv4 as IPv6"),
            (good.to_vec(), FROM, THEN + 1800, Standing::Good, true, "half an hour"),
            (good.to_vec(), FROM, THEN + 1801, Standing::Good, false, "RFC 9018 §4.3: renewed"),
            (good.to_vec(), FROM, hour, Standing::Good, false, "an hour"),
            (good.to_vec(), FROM, hour + 1, Standing::Bad, false, "RFC 9018 §4.3: too old"),
            (good.to_vec(), FROM, THEN - 300, Standing::Good, true, "clocks differ"),
            (good.to_vec(), FROM, THEN - 301, Standing::Bad, false, "but not so much"),
            (good.to_vec(), "198.51.100.101", THEN, Standing::Bad, false, "another's"),
            (with(0), FROM, THEN, Standing::Bad, false, "another client's cookie"),
            (with(8), FROM, THEN, Standing::Bad, false, "another version"),
            (with(9), FROM, THEN, Standing::Bad, false, "reserved octets changed"),
            (with(15), FROM, THEN, Standing::Bad, false, "another time"),
            (with(23), FROM, THEN, Standing::Bad, false, "another hash"),
            (good[..8].to_vec(), FROM, THEN, Standing::New, false, "a client's cookie alone"),
            (good[..16].to_vec(), FROM, THEN, Standing::Bad, false, "a shorter one of no use"),
            ([&good[..], &[0; 16]].concat(), FROM, THEN, Standing::Bad, false, "a longer one"),
        ] {
            let (judged, both) = secrets.judge(&option, ip(from), now);
            assert_eq!(judged, standing, "{why}");
            assert_eq!(both[..8], option[..8], "RFC 7873 §5.2.4: the client's is echoed: {why}");
            assert_eq!(both[..] == option[..], kept, "{why}");
            let (again, same) = secrets.judge(&both, ip(from), now);
            assert_eq!((again, same), (Standing::Good, both), "what we give is good: {why}");
        }
    }

    #[test]
    fn lengths() {
        let allowed: Vec<_> = (0..60).filter(|&octets| is_length(octets)).collect();
        let expected: Vec<_> = std::iter::once(8).chain(16..=40).collect();
        assert_eq!(allowed, expected, "RFC 7873 §5.2.2");
    }
}
