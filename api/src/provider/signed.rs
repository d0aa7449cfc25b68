//! Whether a callback comes from whom it says: what several upstreams sign in the same way.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::Callback;

/// Seconds that a callback's own time may differ from when it came: the window is ours.
const WINDOW_S: u64 = 300;

impl Callback {
    /// A header, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether a time in Unix seconds, as a text, is near to when it came.
    pub fn is_fresh(&self, at: &str) -> bool {
        at.parse::<i64>().is_ok_and(|seconds| self.received_at.abs_diff(seconds) <= WINDOW_S)
    }
}

/// Standard Webhooks. The library's own clock is not the one that we follow.
pub fn standard(secret: &SecretString, callback: &Callback) -> bool {
    let (id, at) = (callback.header("webhook-id"), callback.header("webhook-timestamp"));
    let Ok(seconds) = at.parse::<i64>() else { return false };
    let Ok(webhook) = standardwebhooks::Webhook::new(secret.expose_secret()) else { return false };
    let Ok(own) = webhook.sign(id, seconds, callback.body.as_bytes()) else { return false };
    let is_own = |one: &str| bool::from(subtle::ConstantTimeEq::ct_eq(one.as_bytes(), own.as_bytes()));
    callback.is_fresh(at) && callback.header("webhook-signature").split(' ').any(is_own)
}

/// HMAC-SHA256 of a text, compared in constant time.
pub fn hmac_sha256(key: &[u8], text: &[u8], given: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    mac.update(text);
    mac.verify_slice(given).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_makes_no_sense_is_not_near() {
        let callback =
            Callback { path: String::new(), headers: [].into(), body: String::new(), received_at: 1_000 };
        assert!(callback.is_fresh("700") && callback.is_fresh("1300"));
        for far in [
            "699",
            "1301",
            "-9223372036854775808",
            "9223372036854775807",
            // What is left when this is taken from 1000 is the one number that has no positive twin.
            "-9223372036854774808",
            "99999999999999999999",
            "",
        ] {
            assert!(!callback.is_fresh(far), "{far}");
        }
    }

    /// The vector of the Standard Webhooks specification.
    #[test]
    fn a_callback_is_believed_if_it_is_signed_and_fresh() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let callback = |signature: &str, received_at| Callback {
            path: "/callbacks/x/y".to_owned(),
            headers: [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", signature),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            body: r#"{"test": 2432232314}"#.to_owned(),
            received_at,
        };
        assert!(standard(&secret, &callback(signature, 1_614_265_340)));
        assert!(standard(&secret, &callback(&format!("v1,AAAA {signature}"), 1_614_265_340)));
        assert!(!standard(&secret, &callback(signature, 1_614_265_340 + 300)));
        assert!(!standard(&secret, &callback("v1,AAAA", 1_614_265_340)));
        assert!(!standard(&secret, &callback("", 1_614_265_340)));
    }
}
