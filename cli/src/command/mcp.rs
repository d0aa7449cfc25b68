//! `reel mcp`.

use super::Context;
use crate::failure::Failure;
use crate::mcp;

pub const AFTER_HELP: &str = "\
An MCP client starts this itself. Its configuration wants something like:
  {\"mcpServers\": {\"reel\": {\"command\": \"reel\", \"args\": [\"mcp\"], \"env\": {\"REEL_API_KEY\": \"sk-rm_test_…\"}}}}

Tools: quote_video, generate_video (needs max_credits), get_video, wait_video, cancel_video, list_models, get_balance,
explain_charge. Give an assistant a key of its own, with a cap: `reel keys create --help`.";

pub async fn run(context: &Context) -> Result<(), Failure> {
    mcp::serve(context.settings.clone()).await
}
