//! A new key pair, in the form in which `dnssec-keygen` writes one.

use crate::wire::name;
use domain::crypto::common::{DigestBuilder, DigestType};
use domain::crypto::sign::{GenerateParams, generate};
use domain::utils::base64;

/// A new key pair of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What its files are called, without `.key` and `.private`: `Kzone.+013+12345`.
    pub name: String,
    /// The `.key` file: the DNSKEY record.
    pub public: String,
    /// The `.private` file.
    pub private: String,
    /// The DS record for the zone above (RFC 4034 §5, RFC 4509).
    pub ds: String,
}

/// Makes a key pair that signs all of `zone`, with algorithm 13 (ECDSA P-256) or 15 (Ed25519) of RFC 8624.
///
/// # Errors
/// `zone` is not a name, the algorithm is another one, or the system has no random numbers.
pub fn keygen(zone: &str, algorithm: u8) -> Result<NewKey, String> {
    /// RFC 4034 §2.1.1: a zone key that DS records point to.
    const FLAGS: u16 = 257;
    let wire = name::to_lower(&name::from_text(zone).map_err(|m| format!("{zone:?} {m}"))?);
    let zone = name::to_text(&wire);
    let params = match algorithm {
        13 => GenerateParams::EcdsaP256Sha256,
        15 => GenerateParams::Ed25519,
        _ => return Err(format!("algorithm {algorithm} is not one of 13, 15")),
    };
    let (secret, dnskey) = generate(params, FLAGS).map_err(|error| error.to_string())?;
    let tag = dnskey.key_tag();
    let key = base64::encode_string(dnskey.public_key());
    let data = [&FLAGS.to_be_bytes()[..], &[3, algorithm], dnskey.public_key()].concat();
    let mut digest = DigestBuilder::new(DigestType::Sha256);
    digest.update(&wire);
    digest.update(&data);
    let digest = digest.finish();
    let digest: String = digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(NewKey {
        name: format!("K{zone}+{algorithm:03}+{tag:05}"),
        public: format!("{zone} IN DNSKEY {FLAGS} 3 {algorithm} {key}\n"),
        private: secret.display_as_bind().to_string(),
        ds: format!("{zone} IN DS {tag} {algorithm} 2 {digest}"),
    })
}
