//! The recorded answers of an upstream: what is asked, what comes back, and what an adapter must make of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reelmeter::clock::Clock;
use reelmeter::provider::registry::ADAPTERS;
use reelmeter::provider::{Callback, Named, Provider, Registry, Submission, UpstreamId};
use reelmeter::video::request::MediaRole;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use tests::{Ending, Exchange, Script, UpstreamAnswer as Answer};

use super::{outcome, sample};

/// `cases.json` of an adapter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// The settings of each instance whose routes are looked at. The cases are of the first.
    pub instances: Vec<InstanceOf>,
    /// What every request of the cases carries.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What may be asked at any time, such as a token.
    #[serde(default)]
    pub always: Vec<Recorded>,
    /// How the submission of the cases differs from [`sample::submission`].
    #[serde(default)]
    pub submission: Map<String, Value>,
    /// An id of the upstream's, for those that go on only from clips that they have made themselves: the one that the sources
    /// of `requests.txt` come from.
    pub made_by: Option<String>,
    /// Files that a model needs beside those that its mode needs anyway, as `MODEL MODE`.
    #[serde(default)]
    pub needs: BTreeMap<String, Vec<MediaRole>>,
    pub cases: Vec<Case>,
    /// What this upstream has no case of, and why.
    #[serde(default)]
    pub has_no: BTreeMap<String, String>,
    /// What is priced and can't be sent, as `MODE WHAT` or `MODEL MODE WHAT`, and why.
    #[serde(default)]
    pub not_sent: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceOf {
    pub name: String,
    /// With `{base}` for the address of the fake upstream and `{fixtures}` for the folder of the adapter.
    pub settings: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub call: Call,
    /// Of the submission that is asked about.
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub submission: Map<String, Value>,
    #[serde(default)]
    pub exchanges: Vec<Recorded>,
    /// What its requests carry beyond what every request does.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Members that the last request's body must have, at least.
    pub sends: Option<Value>,
    /// Ids that came with callbacks.
    #[serde(default)]
    pub heard: Vec<String>,
    pub callback: Option<CallbackOf>,
    pub expect: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Call {
    Submit,
    Poll,
    Cancel,
    Find,
    Hear,
}

/// A request as `METHOD /path?query`, and what is answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub request: String,
    /// Headers that the request carries beyond those of the case.
    #[serde(default)]
    pub carries: BTreeMap<String, String>,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub json: Option<Value>,
    /// In the place of JSON.
    pub text: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackOf {
    pub path: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub received_at: i64,
}

fn ok() -> u16 {
    200
}

/// An adapter with a key, in front of a scripted upstream.
pub struct Stage {
    pub adapter: &'static str,
    pub cases: Cases,
    pub script: Script,
    registry: Registry,
}

pub fn folder(adapter: &str) -> PathBuf {
    sample::repository().join("tests/fixtures").join(adapter)
}

impl Stage {
    pub async fn of_each() -> Vec<Stage> {
        let mut stages = Vec::new();
        for adapter in ADAPTERS {
            stages.push(Stage::of(adapter.name).await);
        }
        stages
    }

    pub async fn of(adapter: &'static str) -> Stage {
        let path = folder(adapter).join("cases.json");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let script = Script::start().await;
        let fixtures = folder(adapter).display().to_string();
        let text = text.replace("{base}", &script.url("")).replace("{fixtures}", &fixtures);
        let cases: Cases = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{adapter}: {error}"));
        script_always(&script, &cases);
        let registry = registry(adapter, &cases, &script);
        Stage { adapter, cases, script, registry }
    }

    /// The first instance, which the cases are of.
    pub fn provider(&self) -> &dyn Provider {
        self.instance(&self.cases.instances[0].name)
    }

    pub fn instance(&self, name: &str) -> &dyn Provider {
        &*self.registry.endpoint(name, "").expect("an instance with a key").provider
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub fn submission(&self, case: &Case) -> Submission {
        let mut overrides = self.cases.submission.clone();
        overrides.extend(case.submission.clone());
        sample::changed(sample::submission(), &overrides)
    }

    /// Runs a case as it is recorded.
    pub async fn run(&self, case: &Case) -> Value {
        self.run_with(case, case.exchanges.iter().map(Recorded::exchange).collect()).await
    }

    /// The same with other answers.
    pub async fn run_with(&self, case: &Case, exchanges: Vec<Exchange>) -> Value {
        self.script.left();
        self.script.heard();
        self.script.expect(exchanges);
        call(self.provider(), case, &self.submission(case)).await
    }

    /// Every text that must never be told to anybody.
    pub fn secrets(&self) -> Vec<String> {
        let secret = |name: &str| name.ends_with("key") || name.ends_with("secret");
        let settings = self.cases.instances.iter().flat_map(|instance| &instance.settings);
        settings.filter(|(name, _)| secret(name)).map(|(_, value)| value.clone()).collect()
    }
}

fn script_always(script: &Script, cases: &Cases) {
    cases.always.iter().for_each(|recorded| script.always(recorded.exchange()));
}

fn registry(adapter: &str, cases: &Cases, script: &Script) -> Registry {
    let named: Vec<Named> = cases
        .instances
        .iter()
        .map(|instance| Named { name: instance.name.clone(), adapter: adapter.to_owned(), url: None })
        .collect();
    let mut settings = BTreeMap::new();
    for instance in &cases.instances {
        let prefix = format!("provider_{}_", instance.name.replace('-', "_"));
        settings.insert(format!("{prefix}url"), SecretString::from(script.url("")));
        for (name, value) in &instance.settings {
            settings.insert(format!("{prefix}{name}"), SecretString::from(value.as_str()));
        }
    }
    let scratch = std::env::temp_dir();
    Registry::open(scratch, &named, &settings, &Clock::system())
        .unwrap_or_else(|error| panic!("{adapter}: {error}"))
}

async fn call(provider: &dyn Provider, case: &Case, submission: &Submission) -> Value {
    let id = UpstreamId(case.id.clone());
    match case.call {
        Call::Submit => outcome::of_submit(provider.submit(submission).await),
        Call::Poll => outcome::of_poll(provider.poll(&id, submission).await),
        Call::Cancel => outcome::of_cancel(provider.cancel(&id, submission).await),
        Call::Find => {
            let heard: Vec<UpstreamId> = case.heard.iter().cloned().map(UpstreamId).collect();
            outcome::of_find(provider.find(submission, &heard).await)
        }
        Call::Hear => {
            let callback = case.callback.clone().expect("a callback to hear");
            let CallbackOf { path, headers, body, received_at } = callback;
            outcome::of_hear(&provider.hear(&Callback { path, headers, body, received_at }))
        }
    }
}

impl Recorded {
    pub fn exchange(&self) -> Exchange {
        Exchange { request: self.request.clone(), answer: self.answer(), ending: Ending::Whole }
    }

    pub fn answer(&self) -> Answer {
        let answer = match (&self.json, &self.text) {
            (Some(json), _) => Answer::json(self.status, json),
            (None, Some(text)) => Answer::page(self.status, text),
            (None, None) => Answer::of(self.status, "application/json", Vec::new()),
        };
        self.headers.iter().fold(answer, |answer, (name, value)| answer.with_header(name, value))
    }

    /// The same with another body.
    pub fn saying(&self, json: Value) -> Exchange {
        Recorded { json: Some(json), text: None, ..self.clone() }.exchange()
    }
}
