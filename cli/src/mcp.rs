//! `reel mcp`: what the command line does, as tools of an assistant (Model Context Protocol) over stdin and stdout.

mod input;
mod tell;

use std::time::Duration;

use reqwest::Method;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolResult, Implementation, ProgressNotificationParam, RequestMetaObject, ServerCapabilities,
    ServerConfig,
};
use rmcp::{Peer, RoleServer, ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::client::{Client, segment};
use crate::failure::Failure;
use crate::order::{GENERATE, quote, within};
use crate::pending::Pending;
use crate::settings::Settings;
use crate::task::{Task, follow};

use input::{GenerateInput, ModelsInput, TaskInput, VideoInput, WaitInput};
use tell::{brief, charge, models, outcome};

/// The most that one call waits; clients give up on calls that take much longer.
const WAIT_MAX: Duration = Duration::from_secs(600);
const INSTRUCTIONS: &str = "Makes videos that are paid for in credits. Ask quote_video or list_models for prices, order with \
    generate_video (it needs max_credits), then call wait_video until the task has ended. A task goes on whether or not \
    anybody waits: never order again because a wait ended. If an order's answer was lost, call generate_video with the same \
    request_id: it buys nothing twice.";

/// Serves until the client goes away.
pub async fn serve(settings: Settings) -> Result<(), Failure> {
    let failed = |error: String| Failure::local("the MCP client can't be served")(error);
    let server = Reel { settings }.serve(rmcp::transport::stdio()).await;
    let server = server.map_err(|error| failed(error.to_string()))?;
    server.waiting().await.map(drop).map_err(|error| failed(error.to_string()))
}

#[derive(Debug)]
struct Reel {
    settings: Settings,
}

#[tool_handler]
impl ServerHandler for Reel {
    fn get_info(&self) -> ServerConfig {
        let server = Implementation::new("reel", env!("CARGO_PKG_VERSION")).with_title("Reelmeter");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(server)
            .with_instructions(INSTRUCTIONS)
    }
}

#[tool_router]
impl Reel {
    /// What a video would cost, and why. Buys nothing and holds nothing.
    #[tool(annotations(title = "Quote a video", read_only_hint = true, open_world_hint = true))]
    async fn quote_video(&self, Parameters(input): Parameters<VideoInput>) -> CallToolResult {
        outcome(self.quoted(input).await)
    }

    /// Order a video. Refused if it would cost more than max_credits. Answers at once with the task's id and its request_id;
    /// the credits are held, and charged only for what is delivered. Then call wait_video. Don't order again for the same
    /// video: with the same request_id the same task is answered and nothing is paid twice.
    #[tool(annotations(
        title = "Generate a video",
        read_only_hint = false,
        destructive_hint = false,
        idempotent_hint = false,
        open_world_hint = true
    ))]
    async fn generate_video(&self, Parameters(input): Parameters<GenerateInput>) -> CallToolResult {
        outcome(self.ordered(input).await)
    }

    /// A task as it is now: its state, its credits, and links to its clips once they are there (they work for an hour; read
    /// the task again for fresh ones).
    #[tool(annotations(title = "Read a task", read_only_hint = true, open_world_hint = true))]
    async fn get_video(&self, Parameters(input): Parameters<TaskInput>) -> CallToolResult {
        outcome(self.read(&input.task_id).await)
    }

    /// Wait until a task has ended, at most timeout_s seconds; then the task as it is. If it has not ended, call this again.
    #[tool(annotations(title = "Wait for a video", read_only_hint = true, open_world_hint = true))]
    async fn wait_video(
        &self,
        Parameters(input): Parameters<WaitInput>,
        meta: RequestMetaObject,
        peer: Peer<RoleServer>,
    ) -> CallToolResult {
        outcome(self.waited(input, &meta, &peer).await)
    }

    /// Stop a task. What is not delivered is not charged; a task whose work has begun may still be delivered.
    #[tool(annotations(
        title = "Cancel a video",
        read_only_hint = false,
        destructive_hint = true,
        idempotent_hint = true,
        open_world_hint = true
    ))]
    async fn cancel_video(&self, Parameters(input): Parameters<TaskInput>) -> CallToolResult {
        outcome(self.canceled(&input.task_id).await)
    }

    /// The models that can be used, with what each takes and the range of its prices; quote_video has the price of a video.
    #[tool(annotations(title = "List models", read_only_hint = true, open_world_hint = true))]
    async fn list_models(&self, Parameters(input): Parameters<ModelsInput>) -> CallToolResult {
        outcome(self.models(input).await)
    }

    /// The credits that can be spent, and those that running tasks hold.
    #[tool(annotations(title = "Read the balance", read_only_hint = true, open_world_hint = true))]
    async fn get_balance(&self) -> CallToolResult {
        outcome(self.balance().await)
    }

    /// Why a task cost what it cost: the price's formula, and what was held, charged, released and refunded.
    #[tool(annotations(title = "Explain a charge", read_only_hint = true, open_world_hint = true))]
    async fn explain_charge(&self, Parameters(input): Parameters<TaskInput>) -> CallToolResult {
        outcome(self.charge(&input.task_id).await)
    }
}

impl Reel {
    fn client(&self) -> Result<Client, Failure> {
        self.settings.client()
    }

    async fn quoted(&self, input: VideoInput) -> Result<Value, Failure> {
        let client = self.client()?;
        let body = input.body(&client, &self.settings).await?;
        quote(&client, &body).await
    }

    async fn ordered(&self, input: GenerateInput) -> Result<Value, Failure> {
        let GenerateInput { video, max_credits, request_id } = input;
        let most = max_credits.amount()?;
        let client = self.client()?;
        let body = self.agreed(&client, video, most).await;
        let body = body.map_err(|failure| unless_before(failure, request_id.as_deref()))?;
        let mut pending = Pending::new(&client, GENERATE, body, request_id);
        let key = pending.idempotency_key.clone();
        let placed = pending.place(&client).await;
        let answer = placed.map_err(|failure| again_with(failure, &key))?;
        // From here on the assistant has the task's id. A note that stays behind buys nothing, and an answer that says less
        // than that might be ordered again.
        let _ = pending.forget();
        let task = &answer["data"];
        Ok(json!({
            "taskId": task["taskId"], "requestId": key, "status": task["status"], "model": task["model"],
            "creditsHeld": task["creditsUsed"], "warnings": task["warnings"],
            "next": "Call wait_video with this taskId. The video is ordered: don't call generate_video again for it.",
        }))
    }

    /// The order, bound to a price that is not above the limit.
    async fn agreed(&self, client: &Client, video: VideoInput, most: Decimal) -> Result<Value, Failure> {
        let mut body = video.body(client, &self.settings).await?;
        let quote = quote(client, &body).await?;
        within(&quote, Some(most), &mut body)?;
        Ok(body)
    }

    async fn read(&self, id: &str) -> Result<Value, Failure> {
        let task = Task::read(&self.client()?, id).await;
        Ok(brief(&task.map_err(goes_on)?))
    }

    async fn waited(
        &self,
        input: WaitInput,
        meta: &RequestMetaObject,
        peer: &Peer<RoleServer>,
    ) -> Result<Value, Failure> {
        let client = self.client()?;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel::<Task>();
        let timeout = Duration::from_secs(input.timeout_s).min(WAIT_MAX);
        let followed = follow(&client, &input.task_id, Some(timeout), move |task| {
            // Nobody listens only when this call is over.
            let _ = tell.send(task.clone());
        });
        let passed_on = async {
            let mut last = None;
            while let Some(task) = told.recv().await {
                progress(meta, peer, &task).await;
                last = Some(task);
            }
            last
        };
        let (followed, last) = tokio::join!(followed, passed_on);
        followed.map_err(goes_on)?;
        Ok(last.map_or(Value::Null, |task| brief(&task)))
    }

    async fn canceled(&self, id: &str) -> Result<Value, Failure> {
        let client = self.client()?;
        let path = format!("/api/ai/tasks/{}/cancel", segment(id));
        client.repeated(|| client.request(Method::POST, &path)).await.map_err(goes_on)?;
        self.read(id).await
    }

    async fn models(&self, input: ModelsInput) -> Result<Value, Failure> {
        let mut query = vec![("available", "true".to_owned())];
        query.extend(input.input_mode.map(|mode| ("inputMode", mode.replace('-', "_"))));
        query.extend(input.family.map(|family| ("family", family)));
        Ok(models(&self.client()?.get("/api/ai/models", &query).await?))
    }

    async fn balance(&self) -> Result<Value, Failure> {
        self.client()?.get("/api/ai/credits", &[]).await
    }

    async fn charge(&self, id: &str) -> Result<Value, Failure> {
        let task = Task::read(&self.client()?, id).await;
        Ok(charge(&task.map_err(goes_on)?))
    }
}

/// Tells a client that wants to know how far a task is.
async fn progress(meta: &RequestMetaObject, peer: &Peer<RoleServer>, task: &Task) {
    let Some(token) = meta.get_progress_token() else { return };
    let told = ProgressNotificationParam::new(token, task.percent() as f64).with_total(100.0);
    // A client that is gone needs no news.
    let _ = peer.notify_progress(told.with_message(task.state().to_owned())).await;
}

/// A task was ordered before: what can't be asked about it now is no reason to order it again.
fn goes_on(failure: Failure) -> Failure {
    if failure.is_retryable {
        return failure.hint(
            "This says nothing about the task. Ask about it in a little while with get_video or wait_video; don't order it again.",
        );
    }
    failure
}

/// This call ordered nothing, but one before it with the same name may have.
fn unless_before(failure: Failure, request_id: Option<&str>) -> Failure {
    let Some(key) = request_id else { return failure };
    let hint = failure.hint.as_deref().map(|hint| format!("{hint} ")).unwrap_or_default();
    let hint = format!(
        "{hint}This call ordered nothing. If one before it with request_id {key:?} got no answer, its video may be ordered: \
         don't order it under another name; call generate_video again with the same input, max_credits and request_id."
    );
    failure.hint(hint)
}

/// What may have been taken is asked for again under its own name, and never ordered anew.
fn again_with(failure: Failure, key: &str) -> Failure {
    if failure.is_retryable || failure.code.is_none() {
        return failure.hint(format!(
            "It is not known whether the order was taken. Don't order anew: call generate_video with the same input and \
             request_id {key:?}, which buys nothing twice."
        ));
    }
    failure
}
