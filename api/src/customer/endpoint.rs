//! Webhooks: the secret that a customer verifies them with, and the headers that carry the proof (Standard Webhooks 1.0).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use entity::{AccountId, Timestamp};
use secrecy::SecretString;
use standardwebhooks::Webhook;

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
    let sign = |key: &Subkey| signature(&raw_secret(key, account), id, at.seconds(), body);
    let signatures: Vec<String> = keys.iter().filter_map(sign).collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.seconds().to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

/// One `v1,…` signature over id, time and body; none when the library can't sign, which is never for a 32-byte secret.
fn signature(secret: &[u8], id: &str, timestamp: i64, body: &str) -> Option<String> {
    Webhook::from_bytes(secret.to_vec()).and_then(|webhook| webhook.sign(id, timestamp, body.as_bytes())).ok()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    // The vector that the specification's reference libraries test with.
    #[test]
    fn the_signature_is_the_one_that_the_reference_libraries_make() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let made =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(made.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn every_account_has_a_secret_of_its_own_that_verifies_what_it_is_sent() {
        let keys =
            crate::secret::Secret::parse(&format!("k1:{}", "5a".repeat(32))).unwrap().derive("webhook");
        let [one, two] = [1, 2].map(|n| AccountId(uuid::Uuid::from_u128(n)));
        let (ours, theirs) = (signing_secret(&keys, one).unwrap(), signing_secret(&keys, two).unwrap());
        let [(_, id), (_, timestamp), (_, signature)] =
            signed_headers(&keys, one, "evt_1", Timestamp::from_seconds(1_800_000_000), "{}");
        let signed_with = |secret: &SecretString| {
            let webhook = Webhook::new(secret.expose_secret()).unwrap();
            webhook.sign(&id, timestamp.parse().unwrap(), b"{}").unwrap()
        };
        assert_eq!(signature, signed_with(&ours));
        assert_ne!(signature, signed_with(&theirs));
    }
}
