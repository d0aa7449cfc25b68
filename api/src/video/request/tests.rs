use serde_json::json;

use super::*;

fn full() -> GenerateRequest {
    GenerateRequest {
        model: "walker".into(),
        input_mode: Some(InputMode::ImageToVideo),
        prompt: Some("a cat".into()),
        negative_prompt: Some("dogs".into()),
        media: vec![
            Media { role: MediaRole::FirstFrame, url: "https://x.test/a.png".into() },
            Media { role: MediaRole::LastFrame, url: "https://x.test/b.png".into() },
        ],
        duration_s: Some(5),
        resolution: Some("720p".into()),
        aspect_ratio: Some("16:9".into()),
        seed: Some(7),
        count: Some(1),
        generate_audio: Some(false),
        options: [("cfg_scale".to_owned(), json!(0.5))].into(),
        extra: [("style".to_owned(), json!("ink"))].into(),
        callback_url: Some("https://x.test/hook".into()),
        external_task_id: Some("mine".into()),
        provider: Some("kie".into()),
        user: Some("u1".into()),
        metadata: [("a".to_owned(), json!(1))].into(),
    }
}

#[test]
fn every_field_counts_in_the_content_hash() {
    let changes: [fn(&mut GenerateRequest); 20] = [
        |_| {},
        |r| r.model = "runner".into(),
        |r| r.input_mode = None,
        |r| r.prompt = None,
        |r| r.negative_prompt = None,
        |r| r.media.clear(),
        |r| r.media.reverse(),
        |r| r.media[0].role = MediaRole::ReferenceImage,
        |r| r.duration_s = None,
        |r| r.resolution = None,
        |r| r.aspect_ratio = None,
        |r| r.seed = None,
        |r| r.count = None,
        |r| r.generate_audio = None,
        |r| r.options.clear(),
        |r| r.extra.clear(),
        |r| r.callback_url = None,
        |r| (r.external_task_id, r.user) = (r.user.take(), r.external_task_id.take()),
        |r| r.metadata.clear(),
        |r| r.provider = None,
    ];
    let mut hashes: Vec<[u8; 32]> = changes
        .iter()
        .map(|change| {
            let mut request = full();
            change(&mut request);
            request.content_hash("generate")
        })
        .collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), changes.len());
}

#[test]
fn the_order_of_keys_does_not_count_at_any_depth() {
    let request = |text: &str| GenerateRequest { extra: serde_json::from_str(text).unwrap(), ..full() };
    let one = request(r#"{"a": {"x": 1, "y": [{"p": 1, "q": 2}]}, "b": 2}"#);
    let two = request(r#"{"b": 2, "a": {"y": [{"q": 2, "p": 1}], "x": 1}}"#);
    assert_eq!(one.content_hash("generate"), two.content_hash("generate"));
}

#[test]
fn a_request_is_written_with_its_keys_in_order() {
    let json = full().to_json();
    let sorted: BTreeMap<String, Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(sorted.len(), 18);
    assert_eq!(json, serde_json::to_string(&sorted).unwrap());
}

#[test]
fn the_route_family_counts_and_can_not_run_into_the_content() {
    assert_ne!(full().content_hash("generate"), full().content_hash("quote"));
}

/// Stored hashes are compared with new ones: another value here needs another hash version.
#[test]
fn the_hash_of_a_known_request_stays_what_it_is() {
    let request = GenerateRequest { model: "walker".into(), ..Default::default() };
    assert_eq!(request.to_json(), r#"{"model":"walker"}"#);
    let hash: String = request.content_hash("generate").iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hash, "6dc8cb892c067d29d776379f8435f5201c536cbca18cd345a51adbfc5732de29");
}

#[test]
fn a_stored_request_reads_back_identical() {
    let json = serde_json::to_string(&full()).unwrap();
    assert_eq!(serde_json::from_str::<GenerateRequest>(&json).unwrap(), full());
    let empty: GenerateRequest = serde_json::from_str("{}").unwrap();
    assert_eq!(empty, GenerateRequest::default());
    assert!(serde_json::from_str::<GenerateRequest>(r#"{"modle": "x"}"#).is_err());
}

#[test]
fn field_errors_keep_every_message_and_their_wire_form() {
    let mut errors = FieldErrors::default();
    assert!(errors.is_empty() && errors.first_field().is_none());
    errors.push("prompt", "Required");
    let mut more = FieldErrors::default();
    more.push("prompt", "Too long");
    more.push("duration", "Must be one of 5, 10");
    more.push_form("Too many fields");
    errors.merge(more);
    assert_eq!(errors.of("prompt"), ["Required", "Too long"]);
    assert!(errors.of("count").is_empty());
    assert_eq!(errors.first_field(), Some("duration"));
    assert_eq!(
        serde_json::to_value(&errors).unwrap(),
        json!({
            "formErrors": ["Too many fields"],
            "fieldErrors": {"prompt": ["Required", "Too long"], "duration": ["Must be one of 5, 10"]}
        })
    );
    assert_eq!(
        errors.to_string(),
        "Too many fields; duration: Must be one of 5, 10; prompt: Required; prompt: Too long"
    );
}
