//! What each action takes, as a JSON Schema (2020-12). A little stricter than what is read: what is accepted in more than one
//! spelling has one here.

use serde_json::{Value, json};

use super::action::Action;
use super::scene::{Given, Scene};
use crate::video::catalog::Catalog;

const SCHEMA: &str = "https://json-schema.org/draft/2020-12/schema";

pub fn schema(action: Action, catalog: &Catalog) -> Value {
    let mut schema = match action {
        Action::Quote => order(catalog),
        Action::Generate => purchase(catalog),
        Action::GenerateAndWait => {
            let mut order = purchase(catalog);
            order["properties"]["timeoutMs"] = json!({
                "type": "integer", "minimum": 0, "maximum": 3_600_000, "default": 600_000,
                "description": "Milliseconds after which the task is answered as it is. It goes on.",
            });
            order
        }
        Action::Upload => json!({
            "required": ["data"],
            "properties": { "data": { "type": "string", "description": "A data: URL, or the file in base64" } },
        }),
        Action::Query => json!({
            "required": ["taskId"],
            "properties": { "taskId": { "type": "string", "description": "In any dialect's spelling" } },
        }),
    };
    schema["$schema"] = json!(SCHEMA);
    schema["title"] = json!(action.id());
    schema["description"] = json!(action.description());
    schema["type"] = json!("object");
    schema
}

/// An order, perhaps at a price that was promised.
fn purchase(catalog: &Catalog) -> Value {
    let mut order = order(catalog);
    order["properties"]["quoteId"] = json!({
        "type": "string", "description": "From ai.video.quote: buys exactly what was quoted, at that price, once",
    });
    order
}

fn order(catalog: &Catalog) -> Value {
    json!({
        "properties": {
            "prompt": { "type": "string", "pattern": "\\S" },
            "scene": { "enum": Scene::ALL.map(Scene::as_str), "default": Scene::default().as_str() },
            "provider": { "type": "string", "description": "The only provider that may make it; one of the model's" },
            "model": { "type": "string", "description": models(catalog) },
            "imageInput": addresses(),
            "videoInput": addresses(),
            "options": options(),
            "workspaceId": { "type": "string", "minLength": 1, "maxLength": 255 },
        },
        "allOf": [needs("text-to-video", "prompt"), needs("image-to-video", "imageInput"), needs("image-to-video", "prompt"),
            needs("video-to-video", "videoInput"), needs("ad-video", "prompt")],
    })
}

fn models(catalog: &Catalog) -> String {
    let own = |scene: Scene| {
        let model = scene.default_model(Given { images: 0, videos: 0 }, catalog)?;
        Some(format!("{model} for {}", scene.as_str()))
    };
    let scenes = [Scene::TextToVideo, Scene::ImageToVideo, Scene::VideoToVideo];
    let own: Vec<String> = scenes.into_iter().filter_map(own).collect();
    format!("Id or alias of one of GET /api/ai/models. Left out: {}", own.join(", "))
}

/// A scene that is left out is text-to-video.
fn needs(scene: &str, field: &str) -> Value {
    let is_scene = json!({ "properties": { "scene": { "const": scene } } });
    let condition = match Scene::named(scene) {
        Some(scene) if scene == Scene::default() => is_scene,
        _ => json!({ "properties": { "scene": { "const": scene } }, "required": ["scene"] }),
    };
    json!({ "if": condition, "then": { "required": [field] } })
}

fn addresses() -> Value {
    json!({
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        "description": "URLs, ids of uploads or data URLs; in a text with commas between them",
    })
}

/// What everything but the model decides; the model's own schema says what it allows.
fn options() -> Value {
    json!({
        "type": "object",
        "description": "GET /api/ai/models/{id}/schema says what a model allows; keys of a provider's own may be here, too",
        "properties": {
            "duration": { "type": "integer", "minimum": 1, "description": "Seconds" },
            "resolution": { "type": "string" },
            "aspectRatio": { "type": "string" },
            "generateAudio": { "type": "boolean" },
            "negativePrompt": { "type": "string" },
            "seed": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
            "count": { "type": "integer", "minimum": 1, "description": "Clips; each is paid for" },
        },
    })
}
