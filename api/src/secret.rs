//! The master secret: signs quotes, links and the journal's chain. It can't be printed.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;

/// One or more master keys, newest first. The first one signs; every one of them still verifies, so a key can be rotated
/// without a moment in which old signatures fail.
#[derive(Debug)]
pub struct Secret {
    keys: Vec<(String, SecretBox<Vec<u8>>)>,
}

/// The shortest master key that is accepted, in bytes.
const MIN_KEY_BYTES: usize = 32;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    #[error("a key id is 1 to 16 letters or digits, followed by ':' and the key")]
    KeyId,
    #[error("a key has at least 32 bytes, written as hex")]
    Key,
}

/// A key for one purpose, derived from a master key and carrying its id.
#[derive(Clone)]
pub struct Subkey {
    pub id: String,
    bytes: [u8; 32],
}

impl std::fmt::Debug for Subkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subkey({})", self.id)
    }
}

impl Secret {
    /// Reads `id:hex` or a comma-separated list of them, newest first. A bare hex key has the id `k1`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let keys = text.split(',').map(|part| parse_key(part.trim())).collect::<Result<Vec<_>, _>>()?;
        Ok(Secret { keys })
    }

    /// A key for `purpose` from each master key, newest first; never empty.
    pub fn derive(&self, purpose: &str) -> Vec<Subkey> {
        self.keys
            .iter()
            .map(|(id, key)| Subkey { id: id.clone(), bytes: hmac(key.expose_secret(), purpose.as_bytes()) })
            .collect()
    }
}

fn parse_key(text: &str) -> Result<(String, SecretBox<Vec<u8>>), SecretError> {
    let (id, key) = text.split_once(':').unwrap_or(("k1", text));
    let id_ok = (1..=16).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !id_ok {
        return Err(SecretError::KeyId);
    }
    let key = hex::decode(key).map_err(|_| SecretError::Key)?;
    if key.len() < MIN_KEY_BYTES {
        return Err(SecretError::Key);
    }
    Ok((id.to_owned(), SecretBox::new(Box::new(key))))
}

impl Subkey {
    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// HMAC-SHA256 over the parts, each preceded by its length, so that no two lists of parts give the same bytes.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = mac(&self.bytes);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = mac(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_signs_and_ids_are_kept() {
        let text = format!("new:{},old:{}", "ab".repeat(32), "cd".repeat(32));
        let keys = Secret::parse(&text).unwrap().derive("chain");
        assert_eq!(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["new", "old"]);
        assert_ne!(keys[0].sign(&[b"x"]), keys[1].sign(&[b"x"]));
        assert_ne!(keys[0].sign(&[b"ab", b"c"]), keys[0].sign(&[b"a", b"bc"]));
    }

    #[test]
    fn a_short_or_malformed_secret_is_refused() {
        assert_eq!(Secret::parse("k1:abcd").unwrap_err(), SecretError::Key);
        assert_eq!(Secret::parse(&format!("k 1:{}", "ab".repeat(32))).unwrap_err(), SecretError::KeyId);
        assert!(!format!("{:?}", Secret::parse(&"ab".repeat(32)).unwrap()).contains("171"));
    }
}
