//! Where settings come from, and which sentence tells what is wrong with one. Never shows the value of a secret.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Display;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use figment::error::Kind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Provider};
use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};
use url::Host;

use super::{Config, ConfigError};
use crate::media::Allow;

/// The optional file of settings, in the folder that the program is started in.
pub const FILE_NAME: &str = "reelmeter.toml";

const PREFIX: &str = "REELMETER_";
const EXAMPLE: &str = "deploy/reelmeter.example.toml lists the settings";

/// The environment variable of a setting.
pub fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.to_uppercase())
}

pub fn read(
    file: &Path,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    let environment = environment(variables)?;
    let from_environment = environment.keys().cloned().collect();
    let mut settings = file_settings(file)?;
    settings.extend(environment);
    let (providers, settings): (Dict, Dict) =
        settings.into_iter().partition(|(key, _)| key.starts_with("provider_"));
    let mut config: Config = Figment::from(Serialized::defaults(settings))
        .extract()
        .map_err(|error| ConfigError::Read(sentence(&error, &from_environment)))?;
    for (name, value) in providers {
        let Value::String(_, text) = value else {
            return Err(ConfigError::Read(format!("{} must be a text", place(&name, &from_environment))));
        };
        config.providers.insert(name, SecretString::from(text));
    }
    Ok(config)
}

/// Every `REELMETER_…` variable as text, by its lower-case rest. An empty one counts as not set.
///
/// Text on purpose: what looks like a number to a reader that guesses (a key of digits only) must stay what it is.
fn environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Dict, ConfigError> {
    let mut settings = Dict::new();
    for (name, value) in variables {
        let Some(setting) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let value = value
            .into_string()
            .map_err(|_| ConfigError::Read(format!("{PREFIX}{setting} is not valid Unicode")))?;
        if !value.trim().is_empty() {
            settings.insert(setting.to_lowercase(), Value::from(value.trim()));
        }
    }
    Ok(settings)
}

fn file_settings(file: &Path) -> Result<Dict, ConfigError> {
    if !file.exists() {
        return Ok(Dict::new());
    }
    // A syntax error quotes the line, which may hold a secret: only where it is and what was expected is repeated.
    let unreadable = |error: figment::Error| {
        let text = error.kind.to_string();
        let mut lines = text.lines().filter(|line| !line.contains('|'));
        let (first, last) = (lines.next().unwrap_or_default(), lines.next_back().unwrap_or_default());
        ConfigError::Read(format!("{} can't be read: {first} {last}", file.display()).trim_end().to_owned())
    };
    let data = Toml::file_exact(file).data().map_err(unreadable)?;
    Ok(data.into_values().next().unwrap_or_default())
}

/// What is wrong, naming the setting as the person wrote it.
fn sentence(error: &figment::Error, environment: &BTreeSet<String>) -> String {
    match &error.kind {
        Kind::UnknownField(field, known) => {
            let hint =
                similar(field, known).map_or_else(String::new, |name| format!(", did you mean {name}?"));
            format!("{} is not a setting{hint} ({EXAMPLE})", place(field, environment))
        }
        kind => format!("{} is wrong: {kind} ({EXAMPLE})", place(&error.path.join("."), environment)),
    }
}

fn place(setting: &str, environment: &BTreeSet<String>) -> String {
    if environment.contains(setting) { variable(setting) } else { format!("`{setting}` in {FILE_NAME}") }
}

fn similar(field: &str, known: &[&str]) -> Option<String> {
    let distance = |name: &&&str| strsim::damerau_levenshtein(field, name);
    let nearest = known.iter().min_by_key(distance)?;
    (distance(&nearest) <= field.len().min(nearest.len()) / 3).then(|| variable(nearest))
}

/// A number, also when it is written as text, as in the environment.
pub fn number<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display> + TryFrom<u64>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(u64),
        Text(String),
    }
    let wrong = || de::Error::custom("a whole number is expected");
    match NumberOrText::deserialize(deserializer).map_err(|_| wrong())? {
        NumberOrText::Number(number) => T::try_from(number).map_err(|_| wrong()),
        NumberOrText::Text(text) => text.parse().map_err(|_| wrong()),
    }
}

/// The same, of a setting whose default is not a fixed number.
pub fn some_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    number(deserializer).map(Some)
}

/// True or false, also when it is written as text.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum FlagOrText {
        Flag(bool),
        Text(String),
    }
    let wrong = || de::Error::custom("true or false is expected");
    match FlagOrText::deserialize(deserializer).map_err(|_| wrong())? {
        FlagOrText::Flag(flag) => Ok(flag),
        FlagOrText::Text(text) => text.parse().map_err(|_| wrong()),
    }
}

/// Networks such as `10.0.0.0/8`, or single addresses, separated by commas.
pub fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: &str| {
        let text = text.trim();
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse().ok().or_else(address)
    };
    let text = String::deserialize(deserializer)?;
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts
        .map(|part| {
            network(part).ok_or_else(|| de::Error::custom("networks such as 10.0.0.0/8 are expected"))
        })
        .collect()
}

/// Places such as `hooks.internal:8443`, separated by commas.
pub fn places<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Allow, D::Error> {
    let place = |text: &str| {
        let (host, port) = text.trim().rsplit_once(':')?;
        Some((Host::parse(host).ok()?.to_string(), port.parse().ok()?))
    };
    let text = String::deserialize(deserializer)?;
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    let places: Option<Vec<(String, u16)>> = parts.map(place).collect();
    let places =
        places.ok_or_else(|| de::Error::custom("places such as hooks.internal:8443 are expected"))?;
    Ok(Allow::new(&places.iter().map(|(host, port)| (host.as_str(), *port)).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
