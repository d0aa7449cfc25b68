//! Callbacks: signed if the account has a webhook key. The signature covers the id of the task and the time, not the rest: what
//! a callback reports is never believed, only asked about.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;

use super::{Product, answer};
use crate::provider::json::first_text;
use crate::provider::{Callback, Heard};

/// How old or early a callback may be, in seconds.
const WINDOW_S: u64 = 300;

/// What a callback is worth; a hint without a webhook key.
pub fn judge(callback: &Callback, webhook_key: Option<&SecretString>) -> Heard {
    let body: Value = serde_json::from_str(&callback.body).unwrap_or_default();
    let task = first_text(&body, &["/data/taskId", "/data/task_id"]);
    if let Some(key) = webhook_key
        && !task.as_ref().is_some_and(|task| is_signed(callback, task, key))
    {
        return Heard::Forged;
    }
    Heard::News(task.map(|task| product(&body["data"]).id(&task)))
}

fn is_signed(callback: &Callback, task: &str, key: &SecretString) -> bool {
    let header = |name: &str| callback.headers.get(name).map(|value| value.trim());
    let Some(timestamp) = header("x-webhook-timestamp") else { return false };
    let is_fresh = |time: i64| time.abs_diff(callback.received_at) <= WINDOW_S;
    let Some(signature) = header("x-webhook-signature").and_then(|text| STANDARD.decode(text).ok()) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()) else { return false };
    mac.update(format!("{task}.{timestamp}").as_bytes());
    timestamp.parse().is_ok_and(is_fresh) && mac.verify_slice(&signature).is_ok()
}

/// Whose callback it is, by its shape: each product has one of its own.
fn product(data: &Value) -> Product {
    let has = |name: &str| data.get(name).is_some();
    let asked = data.get("promptJson").and_then(answer::embedded).unwrap_or_default();
    if has("state") || has("param") {
        Product::Market
    } else if has("resultUrls") || asked.get("taskType").is_some() {
        Product::Midjourney
    } else if has("info") || has("promptJson") || has("fallbackFlag") {
        Product::Veo
    } else {
        Product::Market
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SENT_AT: i64 = 1_770_000_000;
    const SIGNATURE: &str = "cOBv1llkL0oueXfxM09SNQNcHkqoV8Gqh8O1pBteYPg=";

    fn callback(signature: &str, body: &Value, received_at: i64) -> Callback {
        let headers =
            [("x-webhook-timestamp", SENT_AT.to_string()), ("x-webhook-signature", signature.to_owned())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
        Callback { path: "/callbacks/kie/token".to_owned(), headers, body: body.to_string(), received_at }
    }

    #[test]
    fn a_signature_covers_the_task_and_the_time() {
        let key = SecretString::from("whk_test_key");
        let body = json!({ "code": 200, "data": { "taskId": "56074f12319c68b2", "state": "success" } });
        let other = json!({ "code": 200, "data": { "taskId": "56074f12319c68b3", "state": "success" } });
        let news = Heard::News(Some(Product::Market.id("56074f12319c68b2")));
        let judged =
            |signature, body, received_at| judge(&callback(signature, body, received_at), Some(&key));
        assert_eq!(judged(SIGNATURE, &body, SENT_AT + 300), news);
        assert_eq!(judged(SIGNATURE, &body, SENT_AT - 300), news);
        for forged in [
            judged(SIGNATURE, &body, SENT_AT + 301),
            judged(SIGNATURE, &body, SENT_AT - 301),
            judged(SIGNATURE, &other, SENT_AT),
            judged("cOBv", &body, SENT_AT),
            judged("not base64!", &body, SENT_AT),
            judged(SIGNATURE, &json!({}), SENT_AT),
        ] {
            assert_eq!(forged, Heard::Forged);
        }
    }

    #[test]
    fn without_a_webhook_key_a_callback_is_a_hint() {
        let body = json!({ "data": { "task_id": "t1", "info": {} } });
        assert_eq!(judge(&callback("", &body, 0), None), Heard::News(Some(Product::Veo.id("t1"))));
        assert_eq!(judge(&callback("", &json!("?"), 0), None), Heard::News(None));
    }

    #[test]
    fn each_product_is_known_by_its_shape() {
        for (data, wanted) in [
            (json!({ "param": "{}" }), Product::Market),
            (json!({ "promptJson": "{\"model\":\"veo3\"}" }), Product::Veo),
            (json!({ "promptJson": "{\"taskType\":\"mj_video\"}" }), Product::Midjourney),
            (json!({ "resultUrls": [] }), Product::Midjourney),
            (json!({}), Product::Market),
        ] {
            assert_eq!(product(&data), wanted, "{data}");
        }
    }
}
