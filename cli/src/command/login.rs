//! `reel login`.

use std::io::{IsTerminal, Read};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{self, plain};
use crate::settings::{login_profile, store};

const AFTER_HELP: &str = "\
Examples:
  reel login --host https://api.example.com
  reel login --host https://api.example.com --api-key sk-rm_live_…
  pass show reelmeter | reel login --host https://api.example.com --token-stdin --profile work

Without --api-key and --token-stdin you are asked for the key, which isn't shown.";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LoginArgs {
    /// Read the API key from stdin, so that it stands in no command line and no history
    #[arg(long)]
    token_stdin: bool,
}

pub async fn run(global: &Global, args: LoginArgs) -> Result<(), Failure> {
    let (profile, host) = login_profile(global)?;
    let key = key(global, &args)?;
    let client = Client::new(host.clone(), Some(key.clone()), global.retries)?;
    let known = client.get("/api/key", &[]).await.map_err(|failure| match failure.exit {
        Exit::Auth => failure.hint("Nothing was stored. Is the key whole, and of this host?"),
        _ => failure,
    })?;
    let path = store(&profile, &host, key.expose_secret())?;
    if global.json {
        return output::json(&json!({
            "profile": profile, "host": client.host(), "key": known["hint"], "mode": known["mode"], "file": path,
        }));
    }
    let (name, mode) = (plain(&known["name"]), plain(&known["mode"]));
    output::line(&format!("Signed in at {} with the {mode} key {name:?}", client.host()))?;
    if !global.quiet {
        eprintln!("Stored as profile {profile:?} in {}", path.display());
    }
    Ok(())
}

fn key(global: &Global, args: &LoginArgs) -> Result<SecretString, Failure> {
    let key = match &global.api_key {
        _ if args.token_stdin => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(Failure::local("could not read the key from stdin"))?;
            text
        }
        Some(key) => key.expose_secret().to_owned(),
        None if std::io::stdin().is_terminal() => {
            rpassword::prompt_password("API key: ").map_err(Failure::local("could not read the key"))?
        }
        None => {
            return Err(Failure::usage("no API key was given")
                .hint("Say --api-key KEY, or --token-stdin and send it there."));
        }
    };
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(Failure::usage("that is no API key: a key is one word"));
    }
    Ok(SecretString::from(key))
}
