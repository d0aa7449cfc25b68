//! Webhooks: the secret that a customer verifies them with, and the headers that carry the proof (Standard Webhooks 1.0).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use entity::{AccountId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;

use crate::secret::Subkey;

/// The account's secret, as its owner puts it into their verifier. Derived, so there is nothing to store or to leak.
pub fn signing_secret(keys: &[Subkey], account: AccountId) -> Option<SecretString> {
    let key = raw_secret(keys.first()?, account);
    Some(SecretString::from(format!("whsec_{}", BASE64_STANDARD.encode(key))))
}

fn raw_secret(key: &Subkey, account: AccountId) -> [u8; 32] {
    key.sign(&[account.0.as_bytes()])
}

/// The headers of one try. Signed with every master key, newest first, so that a rotation breaks no receiver.
pub fn signed_headers(
    keys: &[Subkey],
    account: AccountId,
    id: &str,
    at: Timestamp,
    body: &str,
) -> [(&'static str, String); 3] {
    let timestamp = at.seconds().to_string();
    let signatures: Vec<String> =
        keys.iter().map(|key| signature(&raw_secret(key, account), id, &timestamp, body)).collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn signature(secret: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The vector that the specification's reference libraries test with.
    #[test]
    fn the_signature_is_the_one_that_the_reference_libraries_make() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let made =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
