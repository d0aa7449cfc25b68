//! API keys: what they look like, and how one is made.
//!
//! A key is `sk-rm_live_` or `sk-rm_test_`, 30 random characters and a checksum of 6, all of base 62. The checksum lets
//! scanners and typos be caught without a look-up. Only the SHA-256 is stored: a key has full entropy, so a slow hash would
//! protect nothing and would be paid for on every request.

use std::net::IpAddr;
use std::num::NonZeroU32;

use entity::{AccountId, Credits, CustomerId, KeyId, Mode, Timestamp, api_key};
use ipnet::{IpNet, Ipv4Net};
use rand::RngExt;
use sea_orm::{ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 30;
const CHECKSUM_CHARS: usize = 6;

/// What a key may do. `None` in a limit is none.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    pub name: String,
    pub scopes: Vec<String>,
    /// Ids of the models that it may use.
    pub models: Option<Vec<String>>,
    /// Price group; `None` is the customer's.
    pub group: Option<String>,
    pub ip_ranges: Option<Vec<IpNet>>,
    pub rate_per_minute: Option<NonZeroU32>,
    pub max_tasks: Option<u32>,
    pub cap_day: Option<Credits>,
    pub cap_week: Option<Credits>,
    pub cap_month: Option<Credits>,
    pub cap_lifetime: Option<Credits>,
    pub expires_at: Option<Timestamp>,
    /// The user or the management key that makes it; `None` is an operator.
    pub created_by: Option<String>,
    pub demo: bool,
}

/// A fresh secret key. Shown once, to whoever made it.
pub fn generate(mode: Mode) -> SecretString {
    let mut rng = rand::rng();
    let mut key = format!("sk-rm_{}_", mode.as_str());
    key.extend((0..RANDOM_CHARS).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])));
    let checksum = checksum(&key);
    SecretString::from(key + &checksum)
}

/// Whether a text can be one of our keys at all, which is told without a look-up.
pub fn is_well_formed(key: &str) -> bool {
    let random = ["sk-rm_live_", "sk-rm_test_"].iter().find_map(|prefix| key.strip_prefix(prefix));
    let shape = random.is_some_and(|rest| {
        rest.len() == RANDOM_CHARS + CHECKSUM_CHARS && rest.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    shape && key[key.len() - CHECKSUM_CHARS..] == checksum(&key[..key.len() - CHECKSUM_CHARS])
}

/// CRC-32 (ISO-HDLC) of everything before it, in base 62, padded on the left.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [ALPHABET[0]; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// What is stored of a secret.
pub fn hash(secret: &SecretString) -> Vec<u8> {
    Sha256::digest(secret.expose_secret().as_bytes()).to_vec()
}

/// What may be shown of a secret.
pub fn hint(mode: Mode, secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    format!("sk-rm_{}_…{}", mode.as_str(), &secret[secret.len() - 4..])
}

/// A network such as `10.0.0.0/8`, or a single address. Addresses of IPv4 that are written in IPv6 become what they are.
pub fn network(text: &str) -> Option<IpNet> {
    const MAPPED_BITS: u8 = 96;
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let mapped = match network {
        IpNet::V6(network) => network.addr().to_ipv4_mapped(),
        IpNet::V4(_) => None,
    };
    let plain =
        mapped.and_then(|address| Ipv4Net::new(address, network.prefix_len().checked_sub(MAPPED_BITS)?).ok());
    Some(plain.map_or(network, IpNet::from).trunc())
}

/// Makes a key for one of a customer's accounts and answers with its id and secret.
pub async fn create(
    tx: &DatabaseTransaction,
    id: KeyId,
    account: (CustomerId, AccountId, Mode),
    new: NewKey,
    now: Timestamp,
) -> Result<SecretString, DbErr> {
    let secret = generate(account.2);
    row(id, account, new, &secret, now).into_active_model().insert(tx).await?;
    Ok(secret)
}

fn row(
    id: KeyId,
    (customer_id, account_id, mode): (CustomerId, AccountId, Mode),
    new: NewKey,
    secret: &SecretString,
    now: Timestamp,
) -> api_key::Model {
    api_key::Model {
        id,
        customer_id,
        account_id,
        mode,
        name: new.name,
        hash: hash(secret),
        hint: hint(mode, secret),
        scopes: list(&new.scopes),
        models: new.models.as_deref().map(list),
        price_group: new.group,
        cap_day: new.cap_day,
        cap_week: new.cap_week,
        cap_month: new.cap_month,
        cap_lifetime: new.cap_lifetime,
        demo: new.demo,
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        ip_ranges: new.ip_ranges.as_deref().map(list),
        rate_per_minute: new.rate_per_minute.map(|rate| i64::from(rate.get())),
        max_tasks: new.max_tasks.map(i64::from),
        created_by: new.created_by,
        last_used_at: None,
        previous_hash: None,
        previous_until: None,
    }
}

/// A list as it is stored: a JSON array.
pub fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<serde_json::Value>().to_string()
}

/// A list that was stored. One that can't be read allows nothing.
pub fn read_list<T: serde::de::DeserializeOwned>(stored: &str) -> Vec<T> {
    serde_json::from_str(stored).unwrap_or_default()
}

/// Takes a key's rights away, at once and for ever. False when there is no such key.
pub async fn revoke(tx: &DatabaseTransaction, id: KeyId, now: Timestamp) -> Result<bool, DbErr> {
    let Some(key) = api_key::Entity::find_by_id(id).one(tx).await? else { return Ok(false) };
    let revoked_at = key.revoked_at.or(Some(now));
    let mut key = key.into_active_model();
    key.revoked_at = sea_orm::Set(revoked_at);
    key.update(tx).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_crc_in_base_62() {
        assert_eq!(checksum("sk-rm_live_7Qw3rTz9LmKp2XcVb8NdYf4HgJsA6E"), "38gZFm");
        assert_eq!(checksum(&format!("sk-rm_test_{}", "0".repeat(30))), "0iPhXL");
    }

    #[test]
    fn a_network_is_read_in_every_usual_spelling() {
        for (text, read) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
        ] {
            assert_eq!(network(text).map(|network| network.to_string()).as_deref(), Some(read), "{text}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0", "example.com", "10.0.0.1-10.0.0.9"] {
            assert_eq!(network(text), None, "{text}");
        }
    }

    #[test]
    fn a_fresh_key_is_well_formed_and_a_typo_is_not() {
        for mode in [Mode::Live, Mode::Test] {
            let key = generate(mode);
            assert!(is_well_formed(key.expose_secret()));
            let typo = key.expose_secret().replacen("sk-rm", "sk-rn", 1);
            assert!(!is_well_formed(&typo));
            let mut bytes = key.expose_secret().as_bytes().to_vec();
            bytes[15] = if bytes[15] == b'a' { b'b' } else { b'a' };
            assert!(!is_well_formed(std::str::from_utf8(&bytes).unwrap()));
        }
        for text in ["", "sk-", "sk-rm_live_", "é".repeat(60).as_str()] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
