//! The catalog from the command line.

use entity::Mode;
use serde_json::{Value, json};
use tests::{TestApp, on_both_engines};

use super::Reel;

on_both_engines!(models_are_listed_and_told_one_by_one, a_model_that_is_not_there_says_where_to_look);

const KLING: &str = "kling-3.0/video";

async fn models_are_listed_and_told_one_by_one(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let table = reel.run(&["models", "list"]).await.expect(0).stdout;
    assert!(table.starts_with("MODEL") && table.contains(KLING), "{table}");
    let all = reel.json(&["models", "list"]).await["data"].as_array().unwrap().len();
    assert!(table.lines().count() > all, "{table}");
    let some = reel.json(&["models", "list", "--available", "--input-mode", "image-to-video"]).await;
    let some = some["data"].as_array().unwrap().clone();
    let fits = |model: &Value| {
        model["available"] == true
            && model["inputModes"].as_array().unwrap().contains(&json!("image_to_video"))
    };
    assert!(!some.is_empty() && some.len() < all && some.iter().all(fits));
    let family = some[0]["family"].as_str().unwrap().to_owned();
    let relatives = reel.json(&["models", "list", "--family", &family]).await;
    assert!(relatives["data"].as_array().unwrap().iter().all(|model| model["family"] == *family));

    let model = reel.json(&["models", "show", KLING]).await;
    assert_eq!(model["id"], json!(KLING));
    let told = reel.run(&["models", "show", KLING]).await.expect(0).stdout;
    assert!(told.contains("text-to-video") && told.contains("720p"), "{told}");
    assert_eq!(reel.json(&["models", "prices", KLING]).await, model["prices"]);
    let prices = reel.run(&["models", "prices", KLING]).await.expect(0).stdout;
    assert!(prices.starts_with("RESOLUTION") && prices.contains("720p"), "{prices}");
    let schema = reel.json(&["models", "schema", KLING]).await;
    assert!(schema["properties"]["prompt"].is_object(), "{schema:#}");
    let fields = reel.run(&["models", "schema", KLING]).await.expect(0).stdout;
    assert!(fields.starts_with("FIELD") && fields.contains("prompt"), "{fields}");
    app
}

async fn a_model_that_is_not_there_says_where_to_look(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    for command in ["show", "schema", "prices"] {
        let ran = reel.run(&["models", command, "kling-9/video", "--json"]).await.expect(5);
        assert!(ran.failure()["hint"].as_str().unwrap().contains("reel models list"), "{}", ran.stderr);
    }
    for wrong in [["--input-mode", "smell-to-video"], ["--family", "nobody's"]] {
        let ran = reel.run(&[&["models", "list"], &wrong[..]].concat()).await.expect(2);
        assert!(ran.stderr.contains("Must be one of"), "{}", ran.stderr);
    }
    app
}
