//! A finished clip over HTTP: all of it, parts of it, whether it changed, and links that need no key.

use entity::Mode;
use reelmeter::provider::FailureCode;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tests::{Customer, Step, TestApp, on_both_engines};

use crate::wan;

on_both_engines!(
    a_clip_comes_whole_with_everything_that_describes_it,
    a_range_gets_its_part_and_what_is_no_range_gets_the_whole,
    a_part_is_sent_only_of_the_clip_that_the_caller_has,
    a_clip_that_the_caller_has_is_not_sent_again,
    head_tells_the_same_without_the_clip,
    a_link_works_without_a_key_until_it_expires,
    a_link_opens_nothing_but_its_clip,
    a_link_lives_as_long_as_was_asked_within_bounds,
    a_clip_that_is_not_ready_or_failed_is_not_found,
    each_of_several_clips_has_its_own_content,
);

/// A clip that was delivered, and its bytes.
struct Delivered {
    customer: Customer,
    task: String,
    path: String,
    bytes: Vec<u8>,
    headers: HeaderMap,
}

async fn delivered(app: &TestApp) -> Delivered {
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({}))).await;
    assert_eq!(app.finished(&customer, &task).await["state"], json!("completed"));
    let path = format!("/api/ai/tasks/{task}/content");
    let answer =
        app.client.get(format!("{}{path}", app.url)).bearer_auth(&customer.key).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    Delivered { customer, task, path, bytes: answer.bytes().await.unwrap().to_vec(), headers }
}

impl Delivered {
    fn request(&self, app: &TestApp, method: Method) -> RequestBuilder {
        app.client.request(method, format!("{}{}", app.url, self.path)).bearer_auth(&self.customer.key)
    }

    fn header(&self, name: &str) -> &str {
        text(&self.headers, name).unwrap()
    }

    async fn link(&self, app: &TestApp, ttl: u32) -> String {
        let path = format!("/api/ai/tasks/{}/link?ttl={ttl}", self.task);
        app.get(&self.customer, &path).await.expect(200)["url"].as_str().unwrap().to_owned()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

async fn status_of(app: &TestApp, url: &str) -> (u16, String) {
    let answer = app.client.get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: serde_json::Value = answer.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

async fn a_clip_comes_whole_with_everything_that_describes_it(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let clip = delivered(&app).await;
    assert_eq!(&clip.bytes[4..8], b"ftyp");
    let task = app.get(&clip.customer, &format!("/api/ai/tasks/{}", clip.task)).await.expect(200);
    assert_eq!(task["clips"][0]["bytes"], json!(clip.bytes.len()));
    for (name, value) in [
        ("content-type", "video/mp4"),
        ("content-length", clip.bytes.len().to_string().as_str()),
        ("accept-ranges", "bytes"),
        ("content-disposition", format!("inline; filename=\"{}.mp4\"", clip.task).as_str()),
        ("cache-control", "private, max-age=86400"),
    ] {
        assert_eq!(clip.header(name), value, "{name}");
    }
    let etag = clip.header("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() == 66, "not strong: {etag}");
    let digest = clip.header("repr-digest");
    assert!(digest.starts_with("sha-256=:") && digest.ends_with("=:"), "{digest}");
    assert!(clip.header("last-modified").ends_with(" GMT"));
    app
}

async fn a_range_gets_its_part_and_what_is_no_range_gets_the_whole(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let clip = delivered(&app).await;
    let len = clip.bytes.len();
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("bytes=100-", 100..len),
        ("bytes=0-", 0..len),
        ("bytes=-7", len - 7..len),
        ("bytes=-999999999", 0..len),
        ("bytes=100-999999999", 100..len),
    ] {
        let answer = clip.request(&app, Method::GET).header("range", range).send().await.unwrap();
        assert_eq!(answer.status(), 206, "{range}");
        let named = format!("bytes {}-{}/{len}", part.start, part.end - 1);
        assert_eq!(text(answer.headers(), "content-range"), Some(named.as_str()));
        assert_eq!(
            text(answer.headers(), "content-length"),
            Some(part.len().to_string().as_str()),
            "{range}"
        );
        assert_eq!(
            text(answer.headers(), "repr-digest"),
            Some(clip.header("repr-digest")),
            "of the whole clip"
        );
        assert_eq!(answer.bytes().await.unwrap(), clip.bytes[part], "{range}");
    }
    for range in ["bytes=5-2", "bytes=a-b", "bytes", "seconds=0-1", "bytes=0-1,5-6", "bytes=0-0,-1"] {
        let answer = clip.request(&app, Method::GET).header("range", range).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), text(answer.headers(), "content-range")),
            (200, None),
            "{range}"
        );
        assert_eq!(answer.bytes().await.unwrap(), clip.bytes, "{range}");
    }
    for range in [format!("bytes={len}-"), format!("bytes={len}-{}", len + 5), "bytes=-0".to_owned()] {
        let answer = clip.request(&app, Method::GET).header("range", &range).send().await.unwrap();
        assert_eq!(answer.status(), 416, "{range}");
        assert_eq!(text(answer.headers(), "content-range"), Some(format!("bytes */{len}").as_str()));
    }
    app
}

async fn a_part_is_sent_only_of_the_clip_that_the_caller_has(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let clip = delivered(&app).await;
    let weak = format!("W/{}", clip.header("etag"));
    for (validator, status) in [
        (clip.header("etag"), 206),
        (clip.header("last-modified"), 206),
        ("\"another\"", 200),
        (weak.as_str(), 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
    ] {
        let request = clip.request(&app, Method::GET).header("range", "bytes=0-9");
        let answer = request.header("if-range", validator).send().await.unwrap();
        assert_eq!(answer.status(), status, "{validator}");
        let length = if status == 206 { 10 } else { clip.bytes.len() };
        assert_eq!(answer.bytes().await.unwrap(), clip.bytes[..length]);
    }
    app
}

async fn a_clip_that_the_caller_has_is_not_sent_again(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let clip = delivered(&app).await;
    let among_others = format!("\"another\", {}", clip.header("etag"));
    for (tags, status) in
        [(clip.header("etag"), 304), (among_others.as_str(), 304), ("*", 304), ("\"another\"", 200)]
    {
        for method in [Method::GET, Method::HEAD] {
            let answer =
                clip.request(&app, method.clone()).header("if-none-match", tags).send().await.unwrap();
            assert_eq!(answer.status(), status, "{method} {tags}");
            for name in ["etag", "last-modified", "cache-control"] {
                assert_eq!(text(answer.headers(), name), Some(clip.header(name)), "{method} {tags}");
            }
            let sent = answer.bytes().await.unwrap();
            assert_eq!(sent.is_empty(), status == 304 || method == Method::HEAD, "{method} {tags}");
        }
    }
    app
}

async fn head_tells_the_same_without_the_clip(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let clip = delivered(&app).await;
    for range in [None, Some("bytes=0-9"), Some("bytes=999999999-")] {
        let request = clip.request(&app, Method::HEAD);
        let request = range.into_iter().fold(request, |request, range| request.header("range", range));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "ranges are for GET only");
        for name in [
            "content-length",
            "content-type",
            "etag",
            "last-modified",
            "accept-ranges",
            "content-disposition",
            "cache-control",
            "repr-digest",
        ] {
            assert_eq!(text(answer.headers(), name), Some(clip.header(name)), "{name}");
        }
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    app
}

async fn a_link_works_without_a_key_until_it_expires(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let clip = delivered(&app).await;
    let shown = app.get(&clip.customer, &format!("/api/ai/tasks/{}", clip.task)).await.expect(200);
    assert_eq!(shown["videoUrl"], shown["clips"][0]["url"]);
    for link in [clip.link(&app, 3_600).await, shown["videoUrl"].as_str().unwrap().to_owned()] {
        assert!(link.starts_with(&app.url), "{link}");
        assert!(!link.contains(&clip.customer.key));
        let answer = app.client.get(&link).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.bytes().await.unwrap(), clip.bytes);
        let part = app.client.get(&link).header("range", "bytes=4-7").send().await.unwrap();
        assert_eq!((part.status().as_u16(), &part.bytes().await.unwrap()[..]), (206, &b"ftyp"[..]));
    }
    let link = clip.link(&app, 60).await;
    assert_eq!(status_of(&app, &link).await.0, 200);
    app.advance(60);
    assert_eq!(status_of(&app, &link).await, (403, "link_expired".to_owned()));
    let fresh = clip.link(&app, 60).await;
    assert_eq!(status_of(&app, &fresh).await.0, 200);
    app
}

async fn a_link_opens_nothing_but_its_clip(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let (clip, other) = (delivered(&app).await, delivered(&app).await);
    let link = clip.link(&app, 3_600).await;
    let query = url_query(&link);
    let with = |name: &str, value: &str| {
        let changed = query.iter().map(|(key, old)| (key.as_str(), if key == name { value } else { old }));
        let pairs: Vec<String> = changed.map(|(key, value)| format!("{key}={value}")).collect();
        format!("{}{}?{}", app.url, clip.path, pairs.join("&"))
    };
    assert_eq!(with("", ""), link, "the test reads a link as it is");
    for (name, value) in [
        ("sig", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("sig", ""),
        ("exp", "99999999999"),
        ("clip", "1"),
        ("variant", "thumbnail"),
        ("variant", "poster"),
        ("kid", "k2"),
        ("exp", "soon"),
    ] {
        assert_eq!(
            status_of(&app, &with(name, value)).await,
            (403, "link_invalid".to_owned()),
            "{name}={value}"
        );
    }
    let of_other = link.replace(&clip.task, &other.task);
    assert_eq!(status_of(&app, &of_other).await, (403, "link_invalid".to_owned()));
    let without_signature = link.split_once("&sig=").unwrap().0;
    assert_eq!(status_of(&app, without_signature).await, (401, "unauthorized".to_owned()));
    app
}

fn url_query(link: &str) -> Vec<(String, String)> {
    let query = link.split_once('?').unwrap().1;
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

async fn a_link_lives_as_long_as_was_asked_within_bounds(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let clip = delivered(&app).await;
    for (ttl, status) in [("59", 400), ("60", 200), ("86400", 200), ("86401", 400), ("-1", 400), ("day", 400)]
    {
        let path = format!("/api/ai/tasks/{}/link?ttl={ttl}", clip.task);
        let answer = app.get(&clip.customer, &path).await;
        assert_eq!(answer.status, status, "{ttl}");
    }
    let link = clip.link(&app, 60).await;
    let answer = app.client.get(&link).send().await.unwrap();
    let kept = text(answer.headers(), "cache-control").unwrap().trim_start_matches("private, max-age=");
    assert!(kept.parse::<u32>().unwrap() <= 60, "a cache may keep it longer than the link lives: {kept}");
    app
}

async fn a_clip_that_is_not_ready_or_failed_is_not_found(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({}))).await;
    for path in ["content", "link"] {
        let answer = app.get(&customer, &format!("/api/ai/tasks/{task}/{path}")).await;
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(answer.expect(404)["code"], json!("not_ready"));
    }
    app.fake.on_poll([Step::Fail(FailureCode::Internal)]);
    let app = app.with_worker().await;
    app.finished(&customer, &task).await;
    for path in ["content", "link"] {
        let answer = app.get(&customer, &format!("/api/ai/tasks/{task}/{path}")).await;
        assert_eq!(answer.header("retry-after"), None);
        assert_eq!(answer.expect(404)["code"], json!("no_clip"));
    }
    app
}

async fn each_of_several_clips_has_its_own_content(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    app.fake.on_poll([Step::Deliver(5), Step::Deliver(6)]);
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({ "count": 2 }))).await;
    let task = app.finished(&customer, &task).await;
    let mut etags = Vec::new();
    for (index, clip) in task["clips"].as_array().unwrap().iter().enumerate() {
        let by_link = app.client.get(clip["url"].as_str().unwrap()).send().await.unwrap();
        let path =
            format!("{}/api/ai/tasks/{}/content?index={index}", app.url, task["taskId"].as_str().unwrap());
        let by_key = app.client.get(path).bearer_auth(&customer.key).send().await.unwrap();
        assert_eq!(by_link.headers()["etag"], by_key.headers()["etag"]);
        etags.push(by_link.headers()["etag"].clone());
    }
    assert_eq!(etags.len(), 2);
    assert_ne!(etags[0], etags[1]);
    let path = format!("/api/ai/tasks/{}/content?index=2", task["taskId"].as_str().unwrap());
    assert_eq!(app.get(&customer, &path).await.expect(404)["code"], json!("no_clip"));
    app
}
