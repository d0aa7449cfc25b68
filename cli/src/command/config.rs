//! `reel config get`.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::Context;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each setting, and who said it; or the value of one
    Get(GetArgs),
}

#[derive(Clone, Debug, Args)]
pub struct GetArgs {
    /// profile, host, api_key, model or max_credits
    name: Option<String>,
}

pub fn run(context: &Context, command: &ConfigCommand) -> Result<(), Failure> {
    let ConfigCommand::Get(args) = command;
    let told = told(context);
    match &args.name {
        Some(name) => one(context, &told, name),
        None => all(context, &told),
    }
}

/// Name, value, and where it comes from. A key is told apart by its ends.
fn told(context: &Context) -> Vec<(&'static str, String, String)> {
    let settings = &context.settings;
    let mut told = vec![
        ("profile", settings.profile.value.clone(), settings.profile.origin.clone()),
        ("host", settings.host.value.as_str().trim_end_matches('/').to_owned(), settings.host.origin.clone()),
    ];
    told.extend(
        settings.key.as_ref().map(|key| ("api_key", masked(key.value.expose_secret()), key.origin.clone())),
    );
    told.extend(settings.model.as_ref().map(|model| ("model", model.value.clone(), model.origin.clone())));
    told.extend(
        settings.max_credits.as_ref().map(|most| ("max_credits", most.value.clone(), most.origin.clone())),
    );
    told
}

fn masked(key: &str) -> String {
    const SHOWN: usize = 4;
    if key.chars().count() < 4 * SHOWN {
        return "…".to_owned();
    }
    let begin = key.rfind('_').map_or(SHOWN, |at| at + 1);
    let end: String = key.chars().rev().take(SHOWN).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{}…{end}", key.get(..begin).unwrap_or_default())
}

fn one(context: &Context, told: &[(&str, String, String)], name: &str) -> Result<(), Failure> {
    let names = ["profile", "host", "api_key", "model", "max_credits"];
    if !names.contains(&name) {
        return Err(Failure::usage(format!("there is no setting {name:?}; there are {}", names.join(", "))));
    }
    let value = told.iter().find(|(known, ..)| *known == name).map(|(_, value, _)| value.clone());
    match (context.as_json(), value) {
        (true, value) => output::json(&json!({ name: value })),
        (false, Some(value)) => output::line(&value),
        (false, None) => Ok(()),
    }
}

fn all(context: &Context, told: &[(&str, String, String)]) -> Result<(), Failure> {
    if context.as_json() {
        let object: Map<String, Value> = told
            .iter()
            .map(|(name, value, origin)| ((*name).to_owned(), json!({ "value": value, "origin": origin })))
            .collect();
        return output::json(&Value::Object(object));
    }
    let rows =
        told.iter().map(|(name, value, origin)| vec![(*name).to_owned(), value.clone(), origin.clone()]);
    output::table(&["setting", "value", "from"], rows.collect())
}
