//! Pictures of a clip: made when they are asked for, kept with it, and gone with it.

use std::io::Cursor;

use entity::clip;
use entity::{Mode, TaskId};
use reelmeter::media::sniff::sniff;
use reelmeter::media::{Variant, picture_key};
use reqwest::{Method, Response};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::{Customer, TestApp, on_both_engines};

use crate::{sora, wan};

on_both_engines!(
    a_clip_has_a_thumbnail_and_a_sheet_that_are_made_once,
    a_link_opens_the_picture_that_it_was_made_for,
    what_can_t_be_decoded_has_no_picture,
    pictures_go_with_their_task,
);

async fn fetch(app: &TestApp, customer: &Customer, task: &str, query: &str) -> Response {
    let url = format!("{}/api/ai/tasks/{task}/content?{query}", app.url);
    app.client.get(url).bearer_auth(&customer.key).send().await.unwrap()
}

/// A rendered clip, and where it is stored.
async fn rendered(app: &TestApp) -> (Customer, String, String) {
    let customer = app.customer(Mode::Test, 1_000).await;
    let task = app.generate(&customer, &sora(json!({ "prompt": "a paper boat" }))).await;
    assert_eq!(app.finished(&customer, &task).await["state"], "completed");
    let id: TaskId = task.parse().unwrap();
    let clip = clip::Entity::find_by_id((id, 0)).one(app.app.db.read()).await.unwrap().unwrap();
    (customer, task, clip.storage_key.unwrap())
}

async fn a_clip_has_a_thumbnail_and_a_sheet_that_are_made_once(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let (customer, task, clip) = rendered(&app).await;
    for (variant, size) in [(Variant::Thumbnail, (480, 270)), (Variant::Spritesheet, (960, 540))] {
        let key = picture_key(&clip, variant);
        assert!(app.app.store.head(&key).await.unwrap().is_none(), "nobody has asked yet");
        let query = format!("variant={variant}");
        let first = fetch(&app, &customer, &task, &query).await;
        assert_eq!(
            (first.status().as_u16(), &first.headers()["content-type"]),
            (200, &"image/webp".parse().unwrap())
        );
        let etag = first.headers()["etag"].clone();
        let name = format!("inline; filename=\"{task}.{variant}.webp\"");
        assert_eq!(first.headers()["content-disposition"], name.as_str());
        let bytes = first.bytes().await.unwrap();
        let sniffed = sniff(Cursor::new(bytes.clone())).unwrap();
        assert_eq!((sniffed.content_type, sniffed.size), ("image/webp", Some(size)));
        let made = app.app.store.head(&key).await.unwrap().expect("it is kept");
        let again = fetch(&app, &customer, &task, &query).await;
        assert_eq!(again.headers()["etag"], etag);
        assert_eq!(again.bytes().await.unwrap(), bytes);
        assert_eq!(app.app.store.head(&key).await.unwrap(), Some(made), "it was not made again");
    }
    let refused = fetch(&app, &customer, &task, "variant=poster").await;
    assert_eq!(refused.status(), 400);
    app
}

async fn a_link_opens_the_picture_that_it_was_made_for(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let (customer, task, _) = rendered(&app).await;
    let path = format!("/api/ai/tasks/{task}/link?variant=thumbnail");
    let url = app.get(&customer, &path).await.expect(200)["url"].as_str().unwrap().to_owned();
    let picture = app.client.get(&url).send().await.unwrap();
    assert_eq!(
        (picture.status().as_u16(), &picture.headers()["content-type"]),
        (200, &"image/webp".parse().unwrap())
    );
    for other in ["video", "spritesheet"] {
        let changed = url.replace("variant=thumbnail", &format!("variant={other}"));
        assert_eq!(app.client.get(changed).send().await.unwrap().status(), 403, "{other}");
    }
    app
}

async fn what_can_t_be_decoded_has_no_picture(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    // The fake's clips have an index and no pictures.
    let task = app.generate(&customer, &wan(json!({}))).await;
    app.finished(&customer, &task).await;
    for variant in ["thumbnail", "spritesheet"] {
        let refused = fetch(&app, &customer, &task, &format!("variant={variant}")).await;
        let (status, body): (_, Value) = (refused.status(), refused.json().await.unwrap());
        assert_eq!((status.as_u16(), &body["code"]), (404, &json!("variant_unavailable")));
    }
    assert_eq!(fetch(&app, &customer, &task, "variant=video").await.status(), 200);
    app
}

async fn pictures_go_with_their_task(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let (customer, task, clip) = rendered(&app).await;
    let keys = [Variant::Thumbnail, Variant::Spritesheet].map(|variant| picture_key(&clip, variant));
    for variant in ["thumbnail", "spritesheet"] {
        assert_eq!(fetch(&app, &customer, &task, &format!("variant={variant}")).await.status(), 200);
    }
    app.send(Some(&customer), Method::DELETE, &format!("/api/ai/tasks/{task}"), None, &[]).await.expect(204);
    for key in keys.iter().chain([&clip]) {
        assert!(app.app.store.head(key).await.unwrap().is_none(), "{key}");
    }
    app
}
