//! Configured upstreams: which adapter speaks to which host, with which keys.
//!
//! An instance is there once it has a key. Each of its keys is an endpoint of its own, with its own health and limits: a task
//! stays with the key that it was submitted with.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

use super::wire::Wire;
use super::{Abilities, Provider, Rate};
use crate::clock::Clock;

/// A kind of upstream that we can speak to.
#[derive(Debug)]
pub struct Adapter {
    pub name: &'static str,
    /// The setting that holds its key, or several separated by commas, and by which an instance is there.
    pub key: &'static str,
    /// What it is told beyond what every instance is ([`COMMON`]).
    pub settings: &'static [Setting],
    /// The member of a callback's body that is sent back at once, before anything else is ever sent there.
    pub challenge: Option<&'static str>,
    /// Opens it with one key.
    pub open: fn(Opening) -> Result<Arc<dyn Provider>, String>,
}

/// One thing that an instance can be told: `REELMETER_PROVIDER_<NAME>_<SETTING>`.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// In lower case.
    pub name: &'static str,
    pub is_required: bool,
    pub about: &'static str,
}

/// What most instances are told, and by which they are there.
pub const KEY: Setting =
    Setting { name: "key", is_required: true, about: "its API key, or several separated by commas" };

/// What every instance can be told.
pub const COMMON: &[Setting] = &[
    Setting { name: "url", is_required: false, about: "where its API is, if not at the vendor's" },
    Setting { name: "slots", is_required: false, about: "tasks that it may be working on at once, a key" },
    Setting {
        name: "rate",
        is_required: false,
        about: "submissions in so many seconds, a key, such as 20/10",
    },
    Setting {
        name: "lost",
        is_required: false,
        about: "what becomes of a submission that can't be found: resubmit (once, at our cost) or fail",
    },
];

/// An instance as the catalog names it, before its settings are looked at.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub adapter: String,
    /// The vendor's address; an instance without one needs the setting.
    pub url: Option<Url>,
}

/// One key of an instance, as its adapter is given it.
#[derive(Clone, Debug)]
pub struct Opening {
    pub name: String,
    pub wire: Wire,
    pub key: SecretString,
    /// For signatures.
    pub clock: Clock,
    settings: BTreeMap<&'static str, SecretString>,
}

impl Opening {
    /// One of the adapter's own settings.
    pub fn setting(&self, name: &str) -> Option<&SecretString> {
        self.settings.get(name)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.setting(name).map(ExposeSecret::expose_secret)
    }
}

/// What becomes of a submission whose answer was lost and that nothing can find again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lost {
    /// Sent once more, at our cost if the first one was made.
    #[default]
    Resubmit,
    /// The clip has failed, and everything is given back.
    Fail,
}

/// A configured upstream with all its keys.
#[derive(Clone)]
pub struct Instance {
    pub name: String,
    pub adapter: &'static str,
    pub url: Option<Url>,
    pub challenge: Option<&'static str>,
    pub lost: Lost,
    pub endpoints: Vec<Endpoint>,
}

/// One key of an instance.
#[derive(Clone)]
pub struct Endpoint {
    /// Names the key without telling it.
    pub id: String,
    /// Enough of the key to tell it from others.
    pub masked: String,
    pub provider: Arc<dyn Provider>,
    pub abilities: Abilities,
}

impl Instance {
    /// One that has no keys: part of this program, or of a test.
    pub fn keyless(provider: Arc<dyn Provider>) -> Self {
        let endpoint = Endpoint {
            id: "default".to_owned(),
            masked: String::new(),
            abilities: provider.abilities(),
            provider: provider.clone(),
        };
        Instance {
            name: provider.name().to_owned(),
            adapter: "built-in",
            url: None,
            challenge: None,
            lost: Lost::default(),
            endpoints: vec![endpoint],
        }
    }

    /// The endpoint of a name; another one if its key was taken away, since tasks may be known to all keys of an account.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id).or(self.endpoints.first())
    }

    /// Opens an instance with its settings; none without a key. The error is a sentence for whoever starts the program.
    pub fn open(
        named: &Named,
        adapter: &'static Adapter,
        given: &BTreeMap<String, SecretString>,
        (client, clock): (&reqwest::Client, &Clock),
    ) -> Result<Option<Instance>, String> {
        let settings = Settings::of(named, adapter, given)?;
        let Some(keys) = settings.text(adapter.key) else {
            return match given.keys().next() {
                None => Ok(None),
                Some(_) => Err(format!(
                    "{} is required beside the others of {}",
                    settings.variable(adapter.key),
                    named.name
                )),
            };
        };
        settings.require_all()?;
        let url = settings.url()?;
        let wire = Wire::new(client.clone(), url.clone());
        let mut endpoints = Vec::new();
        for key in keys.split(',').map(str::trim).filter(|key| !key.is_empty()) {
            let opening = Opening {
                name: named.name.clone(),
                wire: wire.clone(),
                key: SecretString::from(key),
                clock: clock.clone(),
                settings: settings.given.clone(),
            };
            let provider =
                (adapter.open)(opening).map_err(|reason| format!("provider {}: {reason}", named.name))?;
            let abilities = settings.abilities(provider.abilities())?;
            endpoints.push(Endpoint { id: key_id(key), masked: masked(key), provider, abilities });
        }
        if endpoints.is_empty() {
            return Err(format!("{} holds no key", settings.variable(adapter.key)));
        }
        Ok(Some(Instance {
            name: named.name.clone(),
            adapter: adapter.name,
            url: Some(url),
            challenge: adapter.challenge,
            lost: settings.lost()?,
            endpoints,
        }))
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&str> = self.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
        f.debug_struct("Instance").field("name", &self.name).field("keys", &keys).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id)
    }
}

/// The settings of one instance while they are read.
struct Settings<'a> {
    named: &'a Named,
    adapter: &'static Adapter,
    given: BTreeMap<&'static str, SecretString>,
}

impl<'a> Settings<'a> {
    fn of(
        named: &'a Named,
        adapter: &'static Adapter,
        given: &BTreeMap<String, SecretString>,
    ) -> Result<Self, String> {
        let mut settings = Settings { named, adapter, given: BTreeMap::new() };
        for (name, value) in given {
            let Some(known) = settings.known().find(|known| known.name == name) else {
                let names: Vec<&str> = settings.known().map(|known| known.name).collect();
                let names = names.join(", ");
                return Err(format!(
                    "{} is not a setting of {}: {names}",
                    settings.variable(name),
                    named.name
                ));
            };
            settings.given.insert(known.name, value.clone());
        }
        Ok(settings)
    }

    fn known(&self) -> impl Iterator<Item = &'static Setting> {
        let key = Some(&KEY).filter(|key| self.adapter.key == key.name);
        key.into_iter().chain(COMMON).chain(self.adapter.settings)
    }

    fn variable(&self, setting: &str) -> String {
        format!("REELMETER_{}{}", prefix(&self.named.name), setting).to_uppercase()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(ExposeSecret::expose_secret)
    }

    fn require_all(&self) -> Result<(), String> {
        let missing = self.known().find(|known| known.is_required && !self.given.contains_key(known.name));
        missing
            .map_or(Ok(()), |known| Err(format!("{} is missing: {}", self.variable(known.name), known.about)))
    }

    fn url(&self) -> Result<Url, String> {
        let Some(text) = self.text("url") else {
            let needed = || {
                format!("{} is missing: {} has no address of its own", self.variable("url"), self.named.name)
            };
            return self.named.url.clone().ok_or_else(needed);
        };
        let url =
            Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or_else(|| format!("{} must be a web address", self.variable("url")))
    }

    fn abilities(&self, abilities: Abilities) -> Result<Abilities, String> {
        let slots = match self.text("slots") {
            None => abilities.slots,
            Some(text) => text
                .parse()
                .ok()
                .filter(|slots| *slots > 0)
                .ok_or_else(|| format!("{} must be a whole number from 1", self.variable("slots")))?,
        };
        let rate = match self.text("rate") {
            None => abilities.rate,
            Some(text) => Some(rate(text).ok_or_else(|| {
                format!("{} must be as 20/10: submissions and seconds", self.variable("rate"))
            })?),
        };
        Ok(Abilities { slots, rate, ..abilities })
    }

    fn lost(&self) -> Result<Lost, String> {
        match self.text("lost") {
            None => Ok(Lost::default()),
            Some("resubmit") => Ok(Lost::Resubmit),
            Some("fail") => Ok(Lost::Fail),
            Some(_) => Err(format!("{} must be resubmit or fail", self.variable("lost"))),
        }
    }
}

fn rate(text: &str) -> Option<Rate> {
    let (submissions, seconds) = text.split_once('/')?;
    let number = |text: &str| text.trim().parse::<NonZeroU32>().ok();
    Some(Rate { submissions: number(submissions)?, seconds: number(seconds)? })
}

/// What the settings of an instance start with, in lower case.
pub fn prefix(name: &str) -> String {
    format!("provider_{}_", name.replace('-', "_"))
}

/// 48 bits of the key's hash: enough to tell a few keys apart, and nothing of the key can be read from them.
fn key_id(key: &str) -> String {
    format!("k{}", hex::encode(&Sha256::digest(key.as_bytes())[..6]))
}

/// The last four characters of a key that is long enough to spare them.
fn masked(key: &str) -> String {
    const SHOWN: usize = 4;
    const LONG: usize = 16;
    let characters: Vec<char> = key.chars().collect();
    match characters.len() {
        length if length >= LONG => format!("…{}", characters[length - SHOWN..].iter().collect::<String>()),
        _ => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_without_being_told() {
        let key = "sk-0123456789abcdef";
        assert_eq!((masked(key).as_str(), masked("short").as_str()), ("…cdef", "…"));
        assert_eq!(key_id(key), key_id(key));
        assert!(key_id(key) != key_id("other") && !key_id(key).contains("0123"));
    }

    #[test]
    fn a_rate_is_submissions_in_seconds() {
        let number = |number| NonZeroU32::new(number).unwrap();
        assert_eq!(rate("20/10"), Some(Rate { submissions: number(20), seconds: number(10) }));
        for wrong in ["20", "0/10", "20/0", "a/b", "20/10/3", ""] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }
}
