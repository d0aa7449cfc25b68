//! `reel video cancel`.

use clap::Args;
use reqwest::Method;

use super::super::Context;
use super::TaskId;
use crate::client::segment;
use crate::failure::{Exit, Failure};
use crate::output;

#[derive(Clone, Debug, Args)]
pub struct CancelArgs {
    #[command(flatten)]
    id: TaskId,
}

pub async fn run(context: &Context, args: CancelArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let path = format!("/api/ai/tasks/{}/cancel", segment(args.id.get()));
    let answer = client.repeated(|| client.request(Method::POST, &path)).await?.body;
    if context.as_json() {
        output::json(&answer)?;
    }
    let state = output::plain(&answer["state"]);
    let came_too_late = answer["canceled"] == false;
    if came_too_late {
        return Err(Failure::new(Exit::Conflict, format!("too late: the task is {state}")));
    }
    if !context.as_json() {
        let wished = answer["cancelRequested"] == true && state != "canceled";
        let told = if wished {
            "asked to stop; it may still be delivered, and is charged then"
        } else {
            "canceled; its credits were given back"
        };
        output::line(&format!("{}  {told}", output::plain(&answer["taskId"])))?;
    }
    Ok(())
}
