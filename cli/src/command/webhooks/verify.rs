//! `reel webhooks verify`.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook, WebhookError,
};

use super::super::Context;
use crate::failure::{Exit, Failure};
use crate::output;

const AFTER_HELP: &str = "\
Examples:
  export REEL_WEBHOOK_SECRET=whsec_…
  reel webhooks verify --id evt_… --timestamp 1795737600 --signature 'v1,…' --body body.json
  pass show hook | reel webhooks verify --secret - --id … --timestamp … --signature … --body body.json --any-age

The body must be what came, byte by byte. Exit code 1 says that the signature is not of this secret and this body.";

#[derive(Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    /// The endpoint's secret, whsec_…; better in the environment; - is stdin
    #[arg(long, env = "REEL_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    secret: String,
    /// What came in `webhook-id`
    #[arg(long)]
    id: String,
    /// What came in `webhook-timestamp`
    #[arg(long, value_name = "SECONDS")]
    timestamp: i64,
    /// What came in `webhook-signature`
    #[arg(long, allow_hyphen_values = true)]
    signature: String,
    /// The body as it came; - is stdin
    #[arg(long, value_name = "FILE|-")]
    body: PathBuf,
    /// Take timestamps that are more than five minutes away, too
    #[arg(long)]
    any_age: bool,
}

impl std::fmt::Debug for VerifyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyArgs").field("id", &self.id).field("body", &self.body).finish_non_exhaustive()
    }
}

pub fn run(context: &Context, args: VerifyArgs) -> Result<(), Failure> {
    let (secret, body) = read(&args)?;
    let webhook = Webhook::new(secret.trim()).map_err(|_| {
        Failure::usage("that is no webhook secret: it is whsec_ and Base64")
            .hint("`reel webhooks create` shows the secret of an endpoint once.")
    })?;
    let verified =
        if args.any_age { signs(&webhook, &args, &body) } else { webhook.verify(&body, &headers(&args)?) };
    verified.map_err(|error| refused(&error))?;
    if context.as_json() {
        return output::json(&json!({ "verified": true, "id": args.id }));
    }
    output::line("The signature is good.")
}

fn read(args: &VerifyArgs) -> Result<(String, Vec<u8>), Failure> {
    let is_stdin = args.body.as_os_str() == "-";
    if is_stdin && args.secret == "-" {
        return Err(Failure::usage("the secret and the body can't both come from stdin"));
    }
    let stdin = || {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    };
    let body = if is_stdin { stdin() } else { std::fs::read(&args.body) };
    let body =
        body.map_err(|error| Failure::usage(format!("{} can't be read: {error}", args.body.display())))?;
    if args.secret != "-" {
        return Ok((args.secret.clone(), body));
    }
    let secret = stdin().map_err(Failure::local("could not read the secret from stdin"))?;
    Ok((String::from_utf8_lossy(&secret).into_owned(), body))
}

fn headers(args: &VerifyArgs) -> Result<HeaderMap, Failure> {
    let given = [
        (HEADER_WEBHOOK_ID, args.id.clone()),
        (HEADER_WEBHOOK_TIMESTAMP, args.timestamp.to_string()),
        (HEADER_WEBHOOK_SIGNATURE, args.signature.clone()),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let value = HeaderValue::try_from(value)
            .map_err(|_| Failure::usage(format!("{name} can't have been that: it is no header")))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// As the library does, without a look at the clock.
fn signs(webhook: &Webhook, args: &VerifyArgs, body: &[u8]) -> Result<(), WebhookError> {
    let expected = webhook.sign(&args.id, args.timestamp, body)?;
    let is_one = args.signature.split(' ').any(|signature| signature == expected);
    if is_one { Ok(()) } else { Err(WebhookError::InvalidSignature) }
}

fn refused(error: &WebhookError) -> Failure {
    let failure = |why: &str| Failure::new(Exit::Other, format!("the webhook doesn't verify: {why}"));
    match error {
        WebhookError::TimestampTooOldError | WebhookError::FutureTimestampError => {
            failure("its timestamp is more than five minutes away")
                .hint("A receiver should refuse it. --any-age looks at the signature alone.")
        }
        WebhookError::InvalidSignature => {
            failure("the signature is of another secret, another body or another id")
                .hint("The body must be what came, byte by byte, and the secret that of its endpoint.")
        }
        other => failure(&other.to_string()),
    }
}
