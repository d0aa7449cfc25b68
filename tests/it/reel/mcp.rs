//! `reel mcp` as assistants use it: messages over stdin and stdout.

use std::process::Stdio;

use entity::Mode;
use serde_json::{Value, json};
use tests::{TestApp, on_both_engines};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::{Reel, ended};
use crate::program::PATIENCE;

on_both_engines!(
    the_tools_are_described_and_read_what_there_is,
    an_order_keeps_to_its_limit_and_is_paid_once,
    what_goes_wrong_is_told_to_the_assistant,
    a_client_of_another_project_makes_a_video,
);

/// A client that says no more than it has to.
struct Assistant {
    _server: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    asked: u64,
}

impl Assistant {
    async fn of(reel: &Reel) -> Assistant {
        let mut command = reel.command(&["mcp"]);
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = server.stdin.take().unwrap();
        let stdout = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut assistant = Assistant { _server: server, stdin, stdout, asked: 0 };
        let hello = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let welcome = assistant.ask("initialize", hello).await;
        assert_eq!(welcome["serverInfo"]["name"], json!("reel"));
        assistant.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        assistant
    }

    async fn say(&mut self, message: Value) {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
        self.stdin.flush().await.unwrap();
    }

    /// Asks, and answers with the result; what else is said meanwhile is let go.
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.say(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        loop {
            let line = tokio::time::timeout(PATIENCE, self.stdout.next_line()).await.expect("an answer");
            let message: Value = serde_json::from_str(&line.unwrap().expect("it goes on")).unwrap();
            if message["id"] == json!(id) {
                return message["result"].clone();
            }
        }
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// What a call that succeeds answers.
    async fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], json!(false), "{result:#}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"]);
        text
    }

    /// What a call that fails says.
    async fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], json!(true), "{result:#}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

/// 11 credits.
fn boat(extra: Value) -> Value {
    let order = json!({ "prompt": "a boat", "model": "kling-3.0/video", "duration": 5, "resolution": "720p", "max_credits": 11 });
    crate::with(order, extra)
}

async fn the_tools_are_described_and_read_what_there_is(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let mut assistant = Assistant::of(&Reel::of(&app, &customer)).await;
    let tools = assistant.ask("tools/list", json!({})).await;
    let mut described: Vec<(&str, bool)> = Vec::new();
    for tool in tools["tools"].as_array().unwrap() {
        assert!(tool["description"].as_str().unwrap().len() > 20, "{tool:#}");
        assert_eq!(tool["inputSchema"]["type"], json!("object"), "{tool:#}");
        described
            .push((tool["name"].as_str().unwrap(), tool["annotations"]["readOnlyHint"].as_bool().unwrap()));
    }
    described.sort_unstable();
    let expected = [
        ("cancel_video", false),
        ("explain_charge", true),
        ("generate_video", false),
        ("get_balance", true),
        ("get_video", true),
        ("list_models", true),
        ("quote_video", true),
        ("wait_video", true),
    ];
    assert_eq!(described, expected);
    let balance = assistant.done("get_balance", json!({})).await;
    assert_eq!((&balance["available"], &balance["held"]), (&json!(100), &json!(0)));
    let models = assistant.done("list_models", json!({ "input_mode": "text-to-video" })).await;
    let models = models["models"].as_array().unwrap();
    let kling = models.iter().find(|model| model["id"] == json!("kling-3.0/video")).unwrap();
    assert!(kling["priceFrom"]["per"] == json!("second") && kling["resolutions"].is_array(), "{kling:#}");
    let quote = assistant.done("quote_video", boat(json!({}))).await;
    assert_eq!(quote["credits"], json!(11));
    app
}

async fn an_order_keeps_to_its_limit_and_is_paid_once(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let mut assistant = Assistant::of(&Reel::of(&app, &customer)).await;
    let dear = assistant.refused("generate_video", boat(json!({ "max_credits": 10.9 }))).await;
    assert!(dear.contains("11 credits") && dear.contains("Nothing was ordered"), "{dear}");
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    let order = boat(json!({ "request_id": "boat-1" }));
    let first = assistant.done("generate_video", order.clone()).await;
    let second = assistant.done("generate_video", order).await;
    assert_eq!((&first["taskId"], &first["requestId"]), (&second["taskId"], &json!("boat-1")));
    let task = json!({ "task_id": first["taskId"] });
    let done = assistant.done("wait_video", task.clone()).await;
    assert_eq!((&done["state"], done["videoUrls"].as_array().unwrap().len()), (&json!("completed"), 1));
    let charge = assistant.done("explain_charge", task).await;
    assert_eq!(charge["charges"]["captured"], json!(11));
    assert!(charge["text"].as_str().unwrap().contains("11 credits were held; 11 captured"), "{charge:#}");
    let hanging = assistant.done("generate_video", boat(json!({ "prompt": "[sandbox:hang]" }))).await;
    let hanging = json!({ "task_id": hanging["taskId"] });
    let waited = assistant.done("wait_video", crate::with(hanging.clone(), json!({ "timeout_s": 1 }))).await;
    assert!(waited["next"].as_str().unwrap().contains("don't order it again"), "{waited:#}");
    assistant.done("cancel_video", hanging.clone()).await;
    let canceled = assistant.done("wait_video", hanging).await;
    assert_eq!((&canceled["state"], &canceled["creditsUsed"]), (&json!("canceled"), &json!(0)));
    assert_eq!(app.balance(&customer).await, (json!(89), json!(0)));
    app
}

async fn what_goes_wrong_is_told_to_the_assistant(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Test, 5).await;
    let reel = Reel::of(&app, &customer);
    let mut assistant = Assistant::of(&reel).await;
    let poor = assistant.refused("generate_video", boat(json!({}))).await;
    assert!(poor.contains("11 credits") && poor.contains("5 available"), "{poor}");
    let unlimited = json!({ "prompt": "a boat" });
    assert!(assistant.refused("generate_video", unlimited).await.contains("max_credits"));
    let odd = assistant.refused("quote_video", boat(json!({ "duration": 99 }))).await;
    assert!(odd.contains("options.duration"), "{odd}");
    std::fs::write(reel.path("secrets.txt"), "hunter2").unwrap();
    let secret = json!({ "prompt": "read it", "scene": "image-to-video", "image_input": ["secrets.txt"] });
    assert!(assistant.refused("quote_video", secret.clone()).await.contains("secrets.txt is not sent"));
    for hidden in [",secrets.txt", " secrets.txt", "https://example.com/a.png,secrets.txt"] {
        let secret = crate::with(secret.clone(), json!({ "image_input": [hidden] }));
        let told = assistant.refused("quote_video", secret).await;
        assert!(told.contains("secrets.txt is not sent"), "{hidden:?}: {told}");
    }
    let dear = boat(json!({ "max_credits": 1, "request_id": "boat-1" }));
    let told = assistant.refused("generate_video", dear).await;
    assert!(told.contains("Nothing was ordered") && told.contains("request_id \"boat-1\""), "{told}");
    let nothing =
        assistant.refused("get_video", json!({ "task_id": "tsk_01K5ZZZZZZZZZZZZZZZZZZZZZZ" })).await;
    assert!(nothing.contains("Task not found"), "{nothing}");
    let stranger = vec![("REEL_HOST", app.url.clone()), ("REEL_API_KEY", "sk-rm_test_wrong".to_owned())];
    let stranger = Reel { variables: stranger, ..Reel::nobody() };
    let wrong = Assistant::of(&stranger).await.refused("get_balance", json!({})).await;
    assert!(wrong.contains("reel login"), "{wrong}");
    let nobody = Reel { variables: vec![("REEL_HOST", app.url.clone())], ..Reel::nobody() };
    let unknown = Assistant::of(&nobody).await.refused("get_balance", json!({})).await;
    assert!(unknown.contains("reel login"), "{unknown}");
    app
}

async fn a_client_of_another_project_makes_a_video(app: TestApp) -> TestApp {
    let python = std::env::var("REELMETER_TEST_PYTHON")
        .expect("REELMETER_TEST_PYTHON names a Python with mcp: tests/run brings one");
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Test, 100).await;
    let reel = Reel::of(&app, &customer);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/mcp_generate.py");
    let program = env!("CARGO_BIN_EXE_reel-under-test");
    let command = reel.other(&python, &[script, program, "kling-3.0/video", "20"]);
    let seen = ended(command).await.json();
    assert_eq!(seen["tools"].as_array().unwrap().len(), 8);
    assert_eq!(seen["ordered"]["taskId"], seen["again"]["taskId"]);
    assert_eq!(seen["task"]["state"], json!("completed"));
    assert_eq!(seen["charge"]["charges"]["captured"], seen["ordered"]["creditsHeld"]);
    app
}
