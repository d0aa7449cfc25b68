use serde_json::json;

use super::*;

#[test]
fn a_comma_ends_an_address_only_where_the_next_one_begins() {
    let pixel = "data:image/png;base64,iVBORw0KGgo=";
    for (text, expected) in [
        ("https://a/1.png", &["https://a/1.png"][..]),
        ("https://a/1.png,https://a/2.png", &["https://a/1.png", "https://a/2.png"]),
        (" https://a/1.png , HTTP://a/2.png ", &["https://a/1.png", "HTTP://a/2.png"]),
        ("https://a/w_100,h_50/1.png", &["https://a/w_100,h_50/1.png"]),
        ("https://a/w_100,h_50/1.png,upl_1", &["https://a/w_100,h_50/1.png", "upl_1"]),
        ("upl_1,upl_2,https://a/3.png", &["upl_1", "upl_2", "https://a/3.png"]),
        (pixel, &[pixel]),
        (&format!("{pixel},{pixel}"), &[pixel, pixel]),
        (&format!("https://a/1.png,{pixel}"), &["https://a/1.png", pixel]),
        ("https://a/1.png,", &["https://a/1.png"]),
        ("", &[]),
        (" , ", &[]),
    ] {
        let expected: Vec<&str> = expected.iter().map(|address| address.trim()).collect();
        assert_eq!(split(text), expected, "{text}");
    }
}

#[test]
fn addresses_come_as_text_or_as_a_list() {
    let count = |value: Value| {
        let mut body = Fields::parse(json!({ "imageInput": value }).to_string().as_bytes()).unwrap();
        let count = listed(&mut body, "imageInput", "image");
        (count, body.finish().is_ok())
    };
    assert_eq!(count(json!("https://a,https://b")), (2, true));
    assert_eq!(count(json!(["https://a,1", { "url": "https://b" }])), (2, true));
    assert_eq!(count(json!("")), (0, true));
    assert_eq!(count(json!(5)), (0, false));
    assert_eq!(count(json!([5])), (0, false));
}
