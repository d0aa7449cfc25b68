//! Files that customers give us: kept once by their content, told by their bytes, shown to nobody else, and gone in time.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use entity::{Mode, upload};
use reqwest::{Method, Response};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines, tiny_mp4};

use crate::{sora, with};

on_both_engines!(
    a_file_is_one_upload_whichever_way_it_comes,
    an_upload_is_fetched_by_key_and_by_link,
    an_upload_is_nobody_else_s,
    a_request_names_so_many_files_and_none_of_them_is_looked_at_beyond,
    what_is_no_file_that_we_take_is_refused_with_what_is,
    a_file_may_be_as_large_as_its_kind,
    a_request_takes_a_file_in_every_form_and_keeps_its_id,
    a_file_has_to_fit_its_role,
    the_same_file_again_is_the_same_request,
    a_quote_binds_the_file_that_it_was_asked_for,
    an_upload_that_a_task_needs_outlives_its_deletion,
);

/// One pixel.
pub const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn pixel() -> Vec<u8> {
    BASE64_STANDARD.decode(PIXEL.split_once(',').unwrap().1).unwrap()
}

/// The beginning of a picture of this size, which is all that is looked at.
pub fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut picture = pixel();
    picture[16..20].copy_from_slice(&width.to_be_bytes());
    picture[20..24].copy_from_slice(&height.to_be_bytes());
    picture
}

/// A form with one part.
fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--X\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"cat.gif\"\r\nContent-Type: image/gif\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n--X--\r\n"].concat()
}

const FORM: &str = "multipart/form-data; boundary=X";

async fn send(app: &TestApp, customer: &Customer, kind: &str, bytes: Vec<u8>) -> Response {
    let request = app.client.post(format!("{}/api/uploads", app.url)).bearer_auth(&customer.key);
    request.header("content-type", kind).body(bytes).send().await.unwrap()
}

/// Uploads as the body itself.
async fn given(app: &TestApp, customer: &Customer, bytes: Vec<u8>) -> Value {
    let answer = send(app, customer, "application/octet-stream", bytes).await;
    let (status, body): (_, Value) = (answer.status(), answer.json().await.unwrap());
    assert_eq!(status, 200, "{body:#}");
    body
}

async fn uploads(app: &TestApp) -> u64 {
    upload::Entity::find().count(app.app.db.read()).await.unwrap()
}

fn image_to_video(extra: Value) -> Value {
    let body =
        json!({ "model": "wan/2-7-image-to-video", "inputMode": "image_to_video", "resolution": "720p" });
    let mut body = with(sora(body), extra);
    body.as_object_mut().unwrap().remove("aspectRatio");
    body
}

async fn a_file_is_one_upload_whichever_way_it_comes(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let first = given(&app, &customer, pixel()).await;
    let expected = json!({
        "type": "image", "contentType": "image/png", "bytes": pixel().len(), "width": 1, "height": 1, "durationSeconds": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(first[name], *value, "{name}");
    }
    app.advance(60);
    let json = app.post(&customer, "/api/uploads", &json!({ "data": PIXEL })).await.expect(200);
    let form = send(&app, &customer, FORM, form("file", &pixel())).await.json::<Value>().await.unwrap();
    let lied = send(&app, &customer, "video/mp4", pixel()).await.json::<Value>().await.unwrap();
    for again in [&json, &form, &lied] {
        assert_eq!((&again["id"], &again["contentType"]), (&first["id"], &json!("image/png")), "{again:#}");
        assert!(again["expiresAt"].as_str() > first["expiresAt"].as_str(), "{again:#}");
    }
    assert_eq!(uploads(&app).await, 1);
    let path = format!("/api/uploads/{}", first["id"].as_str().unwrap());
    assert_eq!(app.get(&customer, &path).await.expect(200)["bytes"], first["bytes"]);
    let video = given(&app, &customer, tiny_mp4(5)).await;
    assert_eq!(
        (&video["type"], &video["width"], &video["durationSeconds"]),
        (&json!("video"), &json!(1_280), &json!(5.0))
    );
    app
}

async fn an_upload_is_fetched_by_key_and_by_link(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let upload = given(&app, &customer, pixel()).await;
    let (link, id) = (upload["url"].as_str().unwrap(), upload["id"].as_str().unwrap());
    let by_link = app.client.get(link).send().await.unwrap();
    assert_eq!(by_link.headers()["content-type"], "image/png");
    assert_eq!(by_link.bytes().await.unwrap(), pixel());
    let path = format!("/api/uploads/{id}/content");
    let part = app.client.get(format!("{}{path}", app.url)).bearer_auth(&customer.key);
    let part = part.header("range", "bytes=1-3").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().as_ref()), (206, &b"PNG"[..]));
    let changed = app.client.get(link.replace("exp=", "exp=9")).send().await.unwrap();
    assert_eq!(changed.status(), 403);
    app.advance(3_601);
    assert_eq!(
        app.client.get(link).send().await.unwrap().json::<Value>().await.unwrap()["code"],
        "link_expired"
    );
    app.advance(4 * 86_400);
    let gone = app.get(&customer, &path).await;
    assert_eq!((gone.status.as_u16(), &gone.body["code"]), (404, &json!("upload_not_found")));
    app
}

async fn a_request_names_so_many_files_and_none_of_them_is_looked_at_beyond(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let upload = given(&app, &customer, pixel()).await["id"].as_str().unwrap().to_owned();
    let order = |images: Vec<&str>| with(sora(json!({})), json!({ "referenceImageUrls": images }));
    let mut images = vec![upload.as_str(); 32];
    // Refused for the model's sake only: it takes none.
    let enough = app.post(&customer, "/api/ai/video/generate", &order(images.clone())).await.expect(400);
    assert!(!enough.to_string().contains("in all"), "{enough:#}");
    images.push(PIXEL);
    let many = app.post(&customer, "/api/ai/video/generate", &order(images)).await.expect(400);
    let told = many["details"]["fieldErrors"]["referenceImageUrls"].to_string();
    assert!(told.contains("32 files, uploads and tasks in all"), "{many:#}");
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn an_upload_is_nobody_else_s(app: TestApp) -> TestApp {
    let (owner, other) = (app.customer(Mode::Test, 100).await, app.customer(Mode::Test, 100).await);
    let id = given(&app, &owner, pixel()).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/uploads/{id}");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/content")),
    ] {
        let answer = app.send(Some(&other), method, &path, None, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (404, &json!("upload_not_found")),
            "{path}"
        );
    }
    let body = image_to_video(json!({ "inputImageUrls": [id] }));
    let refused = app.post(&other, "/api/ai/video/generate", &body).await.expect(400);
    let told = &refused["details"]["fieldErrors"]["inputImageUrls"][0];
    assert_eq!(*told, json!(format!("There is no upload {id}, or it has expired")));
    let theirs = given(&app, &other, pixel()).await;
    assert_ne!(theirs["id"], json!(id), "whose it is can't be told from the file");
    app.send(Some(&owner), Method::DELETE, &path, None, &[]).await.expect(204);
    app.get(&owner, &path).await.expect(404);
    app.get(&other, &format!("/api/uploads/{}", theirs["id"].as_str().unwrap())).await.expect(200);
    app
}

async fn what_is_no_file_that_we_take_is_refused_with_what_is(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    for (bytes, why) in [
        (vec![], "the file is empty"),
        (b"<html>not here</html>".to_vec(), "it is none of PNG, JPEG, WebP; MP4, MOV, WebM; WAV, MP3"),
        (b"GIF89a".to_vec(), "it is none of PNG, JPEG, WebP; MP4, MOV, WebM; WAV, MP3"),
        (pixel()[..10].to_vec(), "the PNG file is damaged or cut short"),
        (tiny_mp4(5)[..1_000].to_vec(), "the MP4 file is damaged or cut short"),
    ] {
        let refused = send(&app, &customer, "image/png", bytes).await;
        let (status, body): (_, Value) = (refused.status(), refused.json().await.unwrap());
        let told = &body["details"]["fieldErrors"]["file"][0];
        assert_eq!((status.as_u16(), told), (400, &json!(format!("Can't be used: {why}"))), "{body:#}");
    }
    for (body, field) in
        [(json!({}), "data"), (json!({ "data": "§" }), "data"), (json!({ "data": 5 }), "data")]
    {
        let refused = app.post(&customer, "/api/uploads", &body).await.expect(400);
        assert!(refused["details"]["fieldErrors"].get(field).is_some(), "{refused:#}");
    }
    let empty = send(&app, &customer, FORM, form("other", &pixel())).await;
    assert_eq!(empty.json::<Value>().await.unwrap()["details"]["fieldErrors"]["file"], json!(["Required"]));
    assert_eq!(uploads(&app).await, 0);
    let scratch = app.app.config.scratch();
    assert_eq!(std::fs::read_dir(scratch).map_or(0, Iterator::count), 0, "what was refused is gone");
    app
}

async fn a_file_may_be_as_large_as_its_kind(app: TestApp) -> TestApp {
    let app = app
        .restart_with(|config| {
            config.max_image_bytes = 1_024;
            config.max_audio_bytes = 1_024;
            config.max_video_bytes = 8_192;
        })
        .await;
    let customer = app.customer(Mode::Test, 100).await;
    let padded = |bytes: usize| [pixel(), vec![0; bytes - pixel().len()]].concat();
    given(&app, &customer, padded(1_024)).await;
    given(&app, &customer, tiny_mp4(5)).await;
    let refused = send(&app, &customer, "image/png", padded(1_025)).await.json::<Value>().await.unwrap();
    assert_eq!(
        refused["details"]["fieldErrors"]["file"],
        json!(["Can't be used: image files may have at most 1024 bytes"])
    );
    let refused = send(&app, &customer, "video/mp4", vec![0; 8_193]).await;
    assert_eq!(
        (refused.status().as_u16(), refused.json::<Value>().await.unwrap()["code"].clone()),
        (413, json!("too_large"))
    );
    app
}

async fn a_request_takes_a_file_in_every_form_and_keeps_its_id(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 1_000).await;
    let upload = given(&app, &customer, picture(640, 360)).await["id"].as_str().unwrap().to_owned();
    let bare = BASE64_STANDARD.encode(picture(640, 360));
    for form in [&format!("data:image/png;base64,{bare}"), &bare, &upload] {
        let task = app.generate(&customer, &image_to_video(json!({ "inputImageUrls": [form] }))).await;
        assert_eq!(effective_media(&app, &task).await, std::slice::from_ref(&upload), "{form}");
        assert_eq!(app.finished(&customer, &task).await["state"], "completed");
    }
    let source = app.generate(&customer, &sora(json!({}))).await;
    app.finished(&customer, &source).await;
    let other = source.replace("tsk_", "video_").to_lowercase();
    let body = |id: &str| {
        json!({
            "model": "wan/2-7-videoedit", "inputMode": "video_to_video", "prompt": "at night", "resolution": "720p",
            "duration": 5, "inputVideoUrls": [id],
        })
    };
    let derived = app.generate(&customer, &body(&other)).await;
    assert_eq!(effective_media(&app, &derived).await, [source]);
    let failed = app.generate(&customer, &sora(json!({ "prompt": "[sandbox:fail]" }))).await;
    app.finished(&customer, &failed).await;
    let refused = app.post(&customer, "/api/ai/video/generate", &body(&failed)).await.expect(400);
    let told = refused["details"]["fieldErrors"]["inputVideoUrls"][0].as_str().unwrap();
    assert_eq!(told, format!("The task {failed} is failed, not completed"));
    app
}

/// The media of a task as they are stored.
async fn effective_media(app: &TestApp, task: &str) -> Vec<String> {
    let id: entity::TaskId = task.parse().unwrap();
    let request = entity::task_request::Entity::find_by_id(id).one(app.app.db.read()).await.unwrap().unwrap();
    let effective: Value = serde_json::from_str(&request.effective).unwrap();
    let media = effective["media"].as_array().unwrap();
    media.iter().map(|medium| medium["url"].as_str().unwrap().to_owned()).collect()
}

async fn a_file_has_to_fit_its_role(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let video = given(&app, &customer, tiny_mp4(5)).await["id"].clone();
    let pixel = given(&app, &customer, pixel()).await["id"].clone();
    let edit = |file: &Value| {
        json!({
            "model": "wan/2-7-videoedit", "inputMode": "video_to_video", "prompt": "at night", "resolution": "720p",
            "duration": 5, "inputVideoUrls": [file],
        })
    };
    for (body, field, told) in [
        (
            image_to_video(json!({ "inputImageUrls": [video] })),
            "inputImageUrls",
            "Must be of the kind image (PNG, JPEG or WebP), not video",
        ),
        (edit(&pixel), "inputVideoUrls", "Must be of the kind video (MP4, MOV or WebM), not image"),
        (
            image_to_video(json!({ "inputImageUrls": [pixel] })),
            "inputImageUrls",
            "wan/2-7-image-to-video does not take this image: it has 1x1 pixels, the shorter side must have at least 240",
        ),
        (
            image_to_video(json!({ "inputImageUrls": ["https://127.0.0.1/a.png"] })),
            "inputImageUrls",
            "Can't be fetched: the address is not on the public internet",
        ),
        (
            image_to_video(json!({ "inputImageUrls": ["http://example.com/a.png"] })),
            "inputImageUrls",
            "Must be https",
        ),
    ] {
        let refused = app.post(&customer, "/api/ai/video/generate", &body).await.expect(400);
        assert_eq!(refused["details"]["fieldErrors"], json!({ field: [told] }), "{refused:#}");
    }
    app
}

async fn the_same_file_again_is_the_same_request(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let upload = given(&app, &customer, tiny_mp4(5)).await["id"].clone();
    let body = |file: Value| {
        json!({
            "model": "wan/2-7-videoedit", "inputMode": "video_to_video", "prompt": "at night", "resolution": "720p",
            "duration": 5, "inputVideoUrls": [file],
        })
    };
    let inside = json!(format!("data:video/mp4;base64,{}", BASE64_STANDARD.encode(tiny_mp4(5))));
    let path = "/api/ai/video/generate";
    let first = app.post_keyed(&customer, path, &body(upload.clone()), "once").await.expect(200);
    let again = app.post_keyed(&customer, path, &body(inside), "once").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(200)["taskId"], first["taskId"]);
    let other = json!(format!("data:video/mp4;base64,{}", BASE64_STANDARD.encode(tiny_mp4(4))));
    app.post_keyed(&customer, path, &body(other), "once").await.expect(422);
    // A retry gets its task even if its file is not there any more.
    app.advance(10 * 86_400);
    let late = app.post_keyed(&customer, path, &body(upload.clone()), "once").await.expect(200);
    assert_eq!(late["taskId"], first["taskId"]);
    app.post_keyed(&customer, path, &body(upload), "twice").await.expect(400);
    app
}

async fn a_quote_binds_the_file_that_it_was_asked_for(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 1_000).await;
    let body = |seconds: u32| {
        let file = format!("data:;base64,{}", BASE64_STANDARD.encode(tiny_mp4(seconds)));
        json!({
            "model": "wan/2-7-videoedit", "inputMode": "video_to_video", "prompt": "at night", "resolution": "720p",
            "duration": 5, "inputVideoUrls": [file],
        })
    };
    let quote = app.post(&customer, "/api/ai/video/quote", &body(5)).await.expect(200)["quoteId"].clone();
    assert_eq!(uploads(&app).await, 1);
    let other =
        app.post(&customer, "/api/ai/video/generate", &with(body(4), json!({ "quoteId": quote }))).await;
    assert_eq!(other.expect(422)["code"], "quote_mismatch");
    app.post(&customer, "/api/ai/video/generate", &with(body(5), json!({ "quoteId": quote })))
        .await
        .expect(200);
    app
}

async fn an_upload_that_a_task_needs_outlives_its_deletion(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 1_000).await;
    let upload = given(&app, &customer, tiny_mp4(5)).await;
    let id: entity::UploadId = upload["id"].as_str().unwrap().parse().unwrap();
    let body = json!({
        "model": "wan/2-7-videoedit", "inputMode": "video_to_video", "prompt": "at night", "resolution": "720p",
        "duration": 5, "inputVideoUrls": [id],
    });
    app.generate(&customer, &body).await;
    app.send(Some(&customer), Method::DELETE, &format!("/api/uploads/{id}"), None, &[]).await.expect(204);
    app.get(&customer, &format!("/api/uploads/{id}")).await.expect(404);
    let row = app.app.video.uploads.any(id).await.unwrap().expect("the task needs it");
    assert!(app.app.store.head(&row.storage_key).await.unwrap().is_some());
    // Long after the task must be over.
    app.advance(86_400);
    let app = app.with_worker().await;
    let swept = async {
        while app.app.store.head(&row.storage_key).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, swept).await.expect("it is swept");
    assert_eq!(uploads(&app).await, 0);
    app
}
