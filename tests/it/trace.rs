//! The program as its operators see it: traces, whole, in the caller's trace, and without what is nobody's business; and the
//! metrics of a process that answers no requests.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity::Mode;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::Span;
use poem::endpoint::make;
use poem::listener::{Acceptor, Listener, TcpListener};
use prost::Message;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tests::{Engine, TestApp};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::program::{demo, reelmeter};
use crate::sora;

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PROMPT: &str = "a very private fox";

/// Takes what it is sent, on a socket of its own.
#[derive(Clone, Debug, Default)]
struct Collector {
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    /// Starts it, and says where.
    async fn start() -> (Collector, String) {
        let collector = Collector::default();
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = acceptor.local_addr()[0].as_socket_addr().copied().unwrap();
        let taking = collector.clone();
        let endpoint = make(move |request: poem::Request| taking.clone().take(request));
        tokio::spawn(async move { poem::Server::new_with_acceptor(acceptor).run(endpoint).await });
        (collector, format!("http://{address}"))
    }

    async fn take(self, mut request: poem::Request) -> poem::Result<Vec<u8>> {
        assert_eq!(
            (request.uri().path(), request.content_type()),
            ("/v1/traces", Some("application/x-protobuf"))
        );
        let body = request.take_body().into_vec().await?;
        self.bodies.lock().unwrap().push(body);
        Ok(Vec::new())
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|spans| spans.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn holds(&self, text: &str) -> bool {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().any(|body| body.windows(text.len()).any(|window| window == text.as_bytes()))
    }
}

/// The program, with metrics and a log that can be read.
struct Program {
    folder: tempfile::TempDir,
    child: Child,
    log: UnboundedReceiver<String>,
    /// Where its metrics are.
    metrics: String,
}

impl Program {
    /// Starts it with some settings of its own; it runs when it says where its metrics are.
    async fn start(arguments: &[&str], settings: &[(&str, &str)]) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let mut child = reelmeter(folder.path(), arguments)
            .env("REELMETER_METRICS_LISTEN", "127.0.0.1:0")
            .env("REELMETER_LOG", "info,reelmeter::http=debug")
            .env("REELMETER_LOG_FORMAT", "json")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = follow(child.stderr.take().unwrap());
        let mut program = Program { folder, child, log, metrics: String::new() };
        let line = program.said("metrics are served").await;
        program.metrics = format!("http://{}/metrics", line["fields"]["address"].as_str().unwrap());
        program
    }

    async fn scrape(&self) -> String {
        tests::client().get(&self.metrics).send().await.unwrap().text().await.unwrap()
    }

    /// The next line of the log that says this.
    async fn said(&mut self, message: &str) -> Value {
        let reading = async {
            loop {
                let line = self.log.recv().await.expect("the log goes on");
                let line: Value = serde_json::from_str(&line).unwrap();
                if line["fields"]["message"] == message {
                    return line;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("nobody said {message:?}"))
    }

    async fn call(&self, path: &str, body: Option<Value>) -> Value {
        let demo = demo(self.folder.path());
        let url = format!("{}{path}", demo["REEL_HOST"]);
        let client = tests::client();
        let request = match body {
            Some(body) => {
                client.post(url).json(&body).header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
            }
            None => client.get(url),
        };
        let answer = request.bearer_auth(&demo["REEL_API_KEY"]).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// Generates a clip and waits for its end.
    async fn generate(&self) -> String {
        let body = json!({
            "model": "kling-3.0/video", "inputMode": "text_to_video", "prompt": PROMPT, "duration": 5, "resolution": "720p",
        });
        let task = self.call("/api/ai/video/generate?secret=query", Some(body)).await;
        let task = task["taskId"].as_str().unwrap().to_owned();
        let ended = async {
            while self.call(&format!("/api/ai/tasks/{task}"), None).await["status"] == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("the task ends");
        task
    }

    /// Stops it as a supervisor does; the rest of its log is the answer.
    async fn stop(mut self) -> String {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let mut rest = String::new();
        while let Some(line) = self.log.recv().await {
            rest.push_str(&line);
            rest.push('\n');
        }
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it stops").unwrap();
        assert!(status.success(), "{status}\n{rest}");
        rest
    }
}

/// Reads on whether or not anybody wants to know: a log that nobody reads would stop the program.
fn follow(log: ChildStderr) -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    tokio::spawn(async move {
        let mut log = BufReader::new(log).lines();
        while let Some(line) = log.next_line().await.unwrap() {
            let _gone = sender.send(line);
        }
    });
    lines
}

fn attribute(span: &Span, name: &str) -> String {
    let value =
        span.attributes.iter().find(|attribute| attribute.key == name).and_then(|found| found.value.clone());
    match value.and_then(|value| value.value) {
        Some(Attribute::StringValue(text)) => text,
        Some(Attribute::IntValue(number)) => number.to_string(),
        other => panic!("{name} of {} is {other:?}", span.name),
    }
}

#[tokio::test]
async fn a_generation_is_traced_from_the_request_to_the_settlement_and_tells_no_secret() {
    let (collector, address) = Collector::start().await;
    let mut server = Program::start(&[], &[("REELMETER_OTLP_ENDPOINT", &address)]).await;
    let task = server.generate().await;
    let line = server.said("answered").await;
    assert_eq!(line["span"]["trace"], TRACE, "{line}");
    let key = demo(server.folder.path())["REEL_API_KEY"].clone();
    server.stop().await;

    let spans = collector.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let named = |name: &str| {
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {names:?}"))
    };
    let request = named("POST /api/ai/video/generate");
    assert_eq!(
        (hex(&request.trace_id), hex(&request.parent_span_id)),
        (TRACE.into(), "00f067aa0ba902b7".into())
    );
    assert_eq!(attribute(request, "http.response.status_code"), "200");
    let submit = named("submit");
    assert_eq!((&submit.trace_id, &submit.parent_span_id), (&request.trace_id, &request.span_id));
    assert_eq!(
        (attribute(submit, "reelmeter.task"), attribute(submit, "reelmeter.mode")),
        (task.clone(), "test".into())
    );
    assert_eq!(attribute(named("batch"), "reelmeter.commands"), "1");
    let attempt = named("attempt");
    assert_eq!(
        (attribute(attempt, "reelmeter.task"), attribute(attempt, "reelmeter.provider")),
        (task, "sandbox".into())
    );
    for child in ["send", "poll", "store"] {
        assert_eq!(named(child).parent_span_id, attempt.span_id, "{child}");
    }
    assert_eq!((&named("settle").trace_id, &named("task").trace_id), (&attempt.trace_id, &attempt.trace_id));
    for secret in [PROMPT, &key, "secret=query", "/api/ai/tasks/tsk_"] {
        assert!(!collector.holds(secret), "{secret} was sent");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_one_warning() {
    // Nobody listens there: it was ours a moment ago, and is not given to others at once.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = Program::start(&[], &[("REELMETER_OTLP_ENDPOINT", &format!("http://{closed}"))]).await;
    program.generate().await;
    let text = program.scrape().await;
    assert!(text.contains("reelmeter_tasks_settled_total{state=\"completed\"} 1"), "{text}");
    let rest = program.stop().await;
    // By which of the two depends on whether the connection was refused before the process had to end.
    let warnings = ["traces can't be sent", "the last traces were not sent"];
    assert_eq!(warnings.map(|warning| rest.matches(warning).count()).iter().sum::<usize>(), 1, "{rest}");
}

#[tokio::test]
async fn a_process_that_only_works_serves_its_metrics() {
    tests::run(Engine::Postgres, async |app: TestApp| {
        let customer = app.customer(Mode::Test, 100).await;
        let config = &app.app.config;
        let exposed = |secret: &Option<SecretString>| secret.as_ref().unwrap().expose_secret().to_owned();
        let (database, secret) = (exposed(&config.database_url), exposed(&config.secret));
        let settings = [("REELMETER_DATABASE_URL", database.as_str()), ("REELMETER_SECRET", secret.as_str())];
        let program = Program::start(&["worker"], &settings).await;
        let task = app.generate(&customer, &sora(json!({}))).await;
        assert_eq!(app.finished(&customer, &task).await["state"], "completed");
        let text = program.scrape().await;
        for line in [
            "reelmeter_worker_claims_total{provider=\"sandbox\"} 1",
            "reelmeter_workers 1",
            "reelmeter_held_credits{mode=\"test\"} 0",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(!text.contains("reelmeter_http_requests_total"), "{text}");
        program.stop().await;
        app
    })
    .await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
