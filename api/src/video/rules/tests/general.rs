use super::*;

#[test]
fn callbacks_are_https_except_on_this_machine() {
    let callback = |url: &str| GenerateRequest { callback_url: Some(url.into()), ..text() };
    for url in ["https://example.com/hook", "http://localhost:9000/h", "http://127.8.9.1/", "http://[::1]:1/"]
    {
        accepted(&callback(url));
    }
    for url in ["http://example.com", "http://localhost.example.com", "http://10.0.0.1", "http://[::2]"] {
        one_error(&callback(url), "callbackUrl", "Must be https");
    }
    one_error(&callback("example.com/hook"), "callbackUrl", "absolute");
}

#[test]
fn the_customers_own_labels_are_short_and_printable() {
    refused(|r| r.external_task_id = Some(String::new()), "externalTaskId", "1 to 255 characters");
    refused(|r| r.external_task_id = Some("é".repeat(256)), "externalTaskId", "1 to 255 characters");
    refused(|r| r.external_task_id = Some("a\tb".into()), "externalTaskId", "control characters");
    refused(|r| r.user = Some("a\0".into()), "user", "control characters");
    accepted(&GenerateRequest { external_task_id: Some("é".repeat(255)), ..text() });
}

#[test]
fn metadata_is_small() {
    let keys = |n: usize| (0..n).map(|i| (format!("k{i}"), json!(1))).collect();
    refused(|r| r.metadata = keys(51), "metadata", "at most 50 keys");
    accepted(&GenerateRequest { metadata: keys(50), ..text() });
    // {"k":"…"} is 8 bytes around the text.
    let sized = |n: usize| [("k".to_owned(), json!("a".repeat(n - 8)))].into();
    refused(|r| r.metadata = sized(16_385), "metadata", "at most 16 KiB");
    accepted(&GenerateRequest { metadata: sized(16_384), ..text() });
}

#[test]
fn no_text_anywhere_may_hold_a_nul_character() {
    let nested = || [("k".to_owned(), json!([{"a\0": 1}]))].into();
    refused(|r| r.prompt = Some("a\0b".into()), "prompt", "U+0000");
    refused(|r| r.negative_prompt = Some("\0".into()), "negativePrompt", "U+0000");
    refused(|r| r.metadata = nested(), "metadata", "U+0000");
    for change in [
        |r: &mut GenerateRequest| r.model = "walker\0".into(),
        |r: &mut GenerateRequest| r.resolution = Some("720p\0".into()),
        |r: &mut GenerateRequest| r.aspect_ratio = Some("16:9\0".into()),
        |r: &mut GenerateRequest| r.callback_url = Some("https://example.com/\0".into()),
        |r: &mut GenerateRequest| r.options = [("shot_type".to_owned(), json!("\0"))].into(),
        |r: &mut GenerateRequest| r.extra = [("style".to_owned(), json!(["\0"]))].into(),
        |r: &mut GenerateRequest| r.extra = [("style\0".to_owned(), json!(1))].into(),
    ] {
        let mut request = text();
        change(&mut request);
        let errors = check_at(&request, Mode::Live, EARLY).unwrap_err().to_string();
        assert!(errors.contains("U+0000"), "{errors}");
    }
}
