//! The key pair of a zone, from the two files that `dnssec-keygen` and `ldns-keygen` write.

use crate::wire::name;
use bytes::Bytes;
use domain::base::Rtype;
use domain::base::iana::{Class, SecurityAlgorithm};
use domain::base::name::{Name, ToName};
use domain::crypto::sign::{KeyPair, SecretKeyBytes, SignRaw};
use domain::rdata::{Dnskey, ZoneRecordData};
use domain::zonefile::inplace::{Entry, Zonefile};
use std::fmt;

/// A key pair that signs a whole zone, its own DNSKEY RRset included (RFC 6781 §3.1 calls it a single-type one).
pub(crate) struct ZoneKey {
    pair: KeyPair,
    /// The DNSKEY record's data.
    pub(crate) dnskey: Box<[u8]>,
    /// RFC 4034 Appendix B.
    pub(crate) tag: u16,
    pub(crate) algorithm: u8,
}

impl ZoneKey {
    /// Reads the texts of a `.key` and a `.private` file for the zone `apex` (in lower case).
    ///
    /// # Errors
    /// Which of the two is wrong (`true`: the private one), and how.
    pub(crate) fn read(apex: &[u8], public: &str, private: &str) -> Result<Self, (bool, String)> {
        let dnskey = read_public(apex, public).map_err(|message| (false, message))?;
        let wrong = |message: &str| (true, message.to_owned());
        let secret = SecretKeyBytes::parse_from_bind(private)
            .map_err(|_| wrong("is not a private key in the form of BIND (v1.2 or later)"))?;
        let pair = KeyPair::from_bytes(&secret, &dnskey)
            .map_err(|_| wrong("is not the private key of the public one"))?;
        let mut data = Vec::new();
        data.extend_from_slice(&dnskey.flags().to_be_bytes());
        data.extend_from_slice(&[dnskey.protocol(), dnskey.algorithm().to_int()]);
        data.extend_from_slice(dnskey.public_key());
        Ok(Self {
            pair,
            dnskey: data.into(),
            tag: dnskey.key_tag(),
            algorithm: dnskey.algorithm().to_int(),
        })
    }

    /// Signs octets.
    ///
    /// # Errors
    /// The library could not; the system has no random numbers, for instance.
    pub(super) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, String> {
        let signature = self.pair.sign_raw(octets);
        signature
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|error| format!("cannot sign: {error}"))
    }
}

impl fmt::Debug for ZoneKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ZoneKey").field("tag", &self.tag).finish_non_exhaustive()
    }
}

fn read_public(apex: &[u8], text: &str) -> Result<Dnskey<Vec<u8>>, String> {
    let mut file = Zonefile::from(text);
    file.extend_from_slice(b"\n");
    file.set_default_class(Class::IN);
    file.set_origin(Name::<Bytes>::root_bytes());
    let form = || "is not a public key: one record `ZONE IN DNSKEY ...`".to_owned();
    let entry = file.next_entry().map_err(|error| format!("{}: {error}", form()))?;
    let Some(Entry::Record(record)) = entry else { return Err(form()) };
    if !matches!(file.next_entry(), Ok(None)) || record.rtype() != Rtype::DNSKEY {
        return Err(form());
    }
    let owner: Name<Vec<u8>> = record.owner().to_name();
    if *name::to_lower(owner.as_octets()) != *apex {
        let (owner, apex) = (name::to_text(owner.as_octets()), name::to_text(apex));
        return Err(format!("is a key of {owner}, not of {apex}"));
    }
    let ZoneRecordData::Dnskey(key) = record.data() else { return Err(form()) };
    let algorithm = key.algorithm();
    // RFC 8624 §3.1: these two are recommended for signing.
    if !matches!(algorithm, SecurityAlgorithm::ECDSAP256SHA256 | SecurityAlgorithm::ED25519) {
        let allowed = "allowed: 13 (ECDSAP256SHA256), 15 (ED25519)";
        return Err(format!("has algorithm {}; {allowed}", algorithm.to_int()));
    }
    // RFC 4034 §2.1.1, §2.1.2.
    if !key.is_zone_key() || key.is_revoked() || key.protocol() != 3 {
        return Err("is not a zone key: its flags are to be 257 or 256, its protocol 3".to_owned());
    }
    Dnskey::new(key.flags(), key.protocol(), algorithm, key.public_key().to_vec())
        .map_err(|error| error.to_string())
}
