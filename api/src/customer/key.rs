//! API keys: what they look like, how one is made, and who stands behind one that is shown to us.
//!
//! A key is `sk-rm_live_` or `sk-rm_test_`, 30 random characters and a checksum of 6, all of base 62. The checksum lets
//! scanners and typos be caught without a look-up. Only the SHA-256 is stored: a key has full entropy, so a slow hash would
//! protect nothing and would be paid for on every request.

use entity::{AccountId, Credits, CustomerId, KeyId, Mode, Timestamp, api_key, customer};
use rand::RngExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 30;
const CHECKSUM_CHARS: usize = 6;

/// Who is calling, and what they may spend. Handed to the use cases.
#[derive(Clone, Debug)]
pub struct KeyCaller {
    pub key: KeyId,
    pub customer: CustomerId,
    pub account: AccountId,
    pub mode: Mode,
    pub group: String,
    pub scopes: Vec<String>,
    /// `None`: every model.
    pub models: Option<Vec<String>>,
}

/// What a key may do.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    pub name: String,
    pub scopes: Vec<String>,
    pub models: Option<Vec<String>>,
    pub cap_day: Option<Credits>,
    pub cap_week: Option<Credits>,
    pub cap_month: Option<Credits>,
    pub cap_lifetime: Option<Credits>,
    pub expires_at: Option<Timestamp>,
    pub demo: bool,
}

/// Every scope of a key that generates.
pub const INFERENCE_SCOPES: [&str; 3] = ["videos:write", "videos:read", "billing:read"];

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

fn hash(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
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
    row(id, account, new, secret.expose_secret(), now).into_active_model().insert(tx).await?;
    Ok(secret)
}

fn row(
    id: KeyId,
    account: (CustomerId, AccountId, Mode),
    new: NewKey,
    secret: &str,
    now: Timestamp,
) -> api_key::Model {
    let (customer_id, account_id, mode) = account;
    let hint = format!("sk-rm_{}_…{}", mode.as_str(), &secret[secret.len() - 4..]);
    let json = |list: &Vec<String>| serde_json::Value::from(list.clone()).to_string();
    api_key::Model {
        id,
        customer_id,
        account_id,
        mode,
        name: new.name,
        hash: hash(secret),
        hint,
        scopes: json(&new.scopes),
        models: new.models.as_ref().map(json),
        price_group: None,
        cap_day: new.cap_day,
        cap_week: new.cap_week,
        cap_month: new.cap_month,
        cap_lifetime: new.cap_lifetime,
        demo: new.demo,
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
    }
}

/// Who stands behind a key; nobody, when it is malformed, unknown, revoked or expired.
pub async fn authenticate(
    db: &impl ConnectionTrait,
    secret: &str,
    now: Timestamp,
) -> Result<Option<KeyCaller>, DbErr> {
    if !is_well_formed(secret) {
        return Ok(None);
    }
    let Some(key) = api_key::Entity::find().filter(api_key::Column::Hash.eq(hash(secret))).one(db).await?
    else {
        return Ok(None);
    };
    if key.revoked_at.is_some() || key.expires_at.is_some_and(|end| end <= now) {
        return Ok(None);
    }
    let customer = customer::Entity::find_by_id(key.customer_id).one(db).await?;
    Ok(customer.map(|customer| caller(key, customer)))
}

fn caller(key: api_key::Model, customer: customer::Model) -> KeyCaller {
    let list = |text: &str| serde_json::from_str(text).unwrap_or_default();
    KeyCaller {
        key: key.id,
        customer: customer.id,
        account: key.account_id,
        mode: key.mode,
        group: key.price_group.unwrap_or(customer.price_group),
        scopes: list(&key.scopes),
        models: key.models.as_deref().map(list),
    }
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
