//! Callbacks are signed with Ed25519; the public keys are published. The signature covers the id of the request, the account,
//! the time and the body.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::provider::Callback;
use crate::provider::json::text_at;

/// The keys of a published set, as far as they are of the kind that signs.
pub fn keys(set: &Value) -> Vec<VerifyingKey> {
    let listed = set.get("keys").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(key).collect()
}

fn key(published: &Value) -> Option<VerifyingKey> {
    let text = text_at(published, "/x")?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    VerifyingKey::try_from(bytes.as_slice()).ok()
}

pub fn is_signed(callback: &Callback, keys: &[VerifyingKey]) -> bool {
    let part = |name: &str| callback.header(&format!("x-fal-webhook-{name}"));
    let (request, user, at) = (part("request-id"), part("user-id"), part("timestamp"));
    let signature = hex::decode(part("signature")).ok();
    let Some(signature) = signature.and_then(|bytes| Signature::from_slice(&bytes).ok()) else {
        return false;
    };
    let body = hex::encode(Sha256::digest(callback.body.as_bytes()));
    let message = [request, user, at, &body].join("\n");
    let is_of = |key: &VerifyingKey| key.verify_strict(message.as_bytes(), &signature).is_ok();
    callback.is_fresh(at) && keys.iter().any(is_of)
}

/// The request that a callback is about. The other id that it names is that of one of their own tries.
pub fn request_id(callback: &Callback) -> Option<String> {
    let body: Value = serde_json::from_str(&callback.body).unwrap_or_default();
    text_at(&body, "/request_id")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SENT_AT: i64 = 1_770_000_000;
    const X: &str = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";
    const SIGNATURE: &str = "2823b17fe4480c027582f09e3124b86859a7ed2266503f086dcc312650aea705f6a4e5faaf14e22d57c6ca5416c357eaba7a40c5ecf8626ec5edfdafbde21603";
    const BODY: &str = r#"{"request_id":"r1","status":"OK"}"#;

    fn callback(changed: &[(&str, &str)]) -> Callback {
        let at = SENT_AT.to_string();
        let headers = [("request-id", "r1"), ("user-id", "u1"), ("timestamp", &at), ("signature", SIGNATURE)];
        let named = |(name, value): &(&str, &str)| (format!("x-fal-webhook-{name}"), (*value).to_owned());
        Callback {
            path: "/callbacks/fal/token".to_owned(),
            headers: headers.iter().chain(changed).map(named).collect(),
            body: BODY.to_owned(),
            received_at: SENT_AT,
        }
    }

    fn published() -> Vec<VerifyingKey> {
        let other = hex::encode([7; 32]);
        keys(
            &json!({ "keys": [{ "kty": "RSA", "n": "x" }, { "x": "short" }, { "x": other }, { "x": format!("{X}=") }] }),
        )
    }

    #[test]
    fn only_keys_that_are_some_are_taken_from_a_set() {
        assert_eq!(published().len(), 1);
        assert!(keys(&json!({})).is_empty() && keys(&json!({ "keys": "none" })).is_empty());
    }

    #[test]
    fn a_signature_covers_request_account_time_and_body() {
        let keys = published();
        assert!(is_signed(&callback(&[]), &keys) && !is_signed(&callback(&[]), &[]));
        let cut = &SIGNATURE[2..];
        for change in [
            ("request-id", "r2"),
            ("user-id", "u2"),
            ("timestamp", "1770000001"),
            ("timestamp", ""),
            ("signature", cut),
            ("signature", "no hex"),
        ] {
            assert!(!is_signed(&callback(&[change]), &keys), "{change:?}");
        }
        assert!(!is_signed(&Callback { body: BODY.replace("OK", "ERROR"), ..callback(&[]) }, &keys));
        for (late, is_fresh) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let callback = Callback { received_at: SENT_AT + late, ..callback(&[]) };
            assert_eq!(is_signed(&callback, &keys), is_fresh, "{late}");
        }
    }

    #[test]
    fn the_id_is_that_of_the_request() {
        let body = r#"{"request_id":"r1","gateway_request_id":"g7"}"#.to_owned();
        assert_eq!(request_id(&Callback { body, ..callback(&[]) }).as_deref(), Some("r1"));
        assert_eq!(request_id(&Callback { body: "none".to_owned(), ..callback(&[]) }), None);
    }
}
