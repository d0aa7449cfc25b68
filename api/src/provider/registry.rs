//! The adapters that we have, and the instances that are configured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use super::instance::{self, Adapter, Endpoint, Instance, Named};
use super::{
    Provider, ark, dashscope, fal, google, jimeng, kie, kling, minimax, mulerouter, openai, openrouter,
    replicate, sandbox, vertex, vidu, wire, xai,
};
use crate::clock::Clock;

/// Every adapter: one line each.
pub const ADAPTERS: &[&Adapter] = &[
    &ark::ADAPTER,
    &dashscope::ADAPTER,
    &fal::ADAPTER,
    &google::ADAPTER,
    &jimeng::ADAPTER,
    &kie::ADAPTER,
    &kling::ADAPTER,
    &minimax::ADAPTER,
    &mulerouter::ADAPTER,
    &openai::ADAPTER,
    &openai::GATEWAY,
    &openrouter::ADAPTER,
    &replicate::ADAPTER,
    &vertex::ADAPTER,
    &vidu::ADAPTER,
    &xai::ADAPTER,
];

/// How many submissions the sandbox takes at once. Waiting ones cost a few kilobytes each.
const SANDBOX_QUEUE: usize = 1_024;

/// The instances that can be used, by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    by_name: BTreeMap<String, Arc<Instance>>,
}

impl Registry {
    /// The sandbox. `scratch` is where unfinished clips may lie.
    pub fn new(scratch: PathBuf) -> Self {
        let mut registry = Registry::default();
        registry.add(sandbox::Sandbox::new(scratch, SANDBOX_QUEUE));
        registry
    }

    /// The sandbox, and every named instance that the settings give a key, as `provider_<name>_<setting>`.
    ///
    /// The error is a sentence for whoever starts the program.
    pub fn open(
        scratch: PathBuf,
        named: &[Named],
        settings: &BTreeMap<String, SecretString>,
        clock: &Clock,
    ) -> Result<Self, String> {
        let mut registry = Registry::new(scratch);
        if settings.is_empty() {
            return Ok(registry);
        }
        let mut given = by_instance(named, settings)?;
        let client = wire::client().map_err(|error| format!("no client for providers: {error}"))?;
        for named in named {
            let Some(settings) = given.remove(named.name.as_str()) else { continue };
            if let Some(instance) = Instance::open(named, adapter(named)?, &settings, (&client, clock))? {
                registry.by_name.insert(named.name.clone(), Arc::new(instance));
            }
        }
        Ok(registry)
    }

    pub fn add(&mut self, provider: Arc<dyn Provider>) {
        self.add_instance(Instance::keyless(provider));
    }

    pub fn add_instance(&mut self, instance: Instance) {
        self.by_name.insert(instance.name.clone(), Arc::new(instance));
    }

    pub fn get(&self, name: &str) -> Option<Arc<Instance>> {
        self.by_name.get(name).cloned()
    }

    pub fn endpoint(&self, name: &str, id: &str) -> Option<&Endpoint> {
        self.by_name.get(name)?.endpoint(id)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.by_name.values().map(AsRef::as_ref)
    }
}

/// The adapter of an instance.
pub fn adapter(named: &Named) -> Result<&'static Adapter, String> {
    let found = ADAPTERS.iter().find(|adapter| adapter.name == named.adapter);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = ADAPTERS.iter().map(|adapter| adapter.name).collect();
        format!("provider {}: there is no adapter {}, only {}", named.name, named.adapter, names.join(", "))
    })
}

/// Settings by the instance that they are for. Of two names that both fit, the longer one is meant.
fn by_instance<'a>(
    named: &'a [Named],
    settings: &BTreeMap<String, SecretString>,
) -> Result<BTreeMap<&'a str, BTreeMap<String, SecretString>>, String> {
    let mut by_name: BTreeMap<&str, BTreeMap<String, SecretString>> = BTreeMap::new();
    for (key, value) in settings {
        let fitting = named.iter().filter_map(|named| {
            let rest = key.strip_prefix(&instance::prefix(&named.name))?;
            Some((named.name.as_str(), rest))
        });
        let Some((name, setting)) = fitting.max_by_key(|(name, _)| name.len()) else {
            let names: Vec<&str> = named.iter().map(|named| named.name.as_str()).collect();
            let key = key.to_uppercase();
            return Err(format!("REELMETER_{key} names no provider of the catalog: {}", names.join(", ")));
        };
        by_name.entry(name).or_default().insert(setting.to_owned(), value.clone());
    }
    Ok(by_name)
}
