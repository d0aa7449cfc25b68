//! Where host, key and defaults come from: a flag, the environment, the project's file, the user's file; the first that says
//! something counts.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::args::Global;
use crate::client::Client;
use crate::failure::{Exit, Failure};

/// Of a server that runs on this machine.
const DEFAULT_HOST: &str = "http://127.0.0.1:8080";
const DEFAULT_PROFILE: &str = "default";
/// Set where the network between here and the host is trusted.
const ALLOW_HTTP: &str = "REEL_ALLOW_HTTP";
const PROJECT_FILE: &str = ".reel.toml";

/// The user's file: one host and key for each profile.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserFile {
    /// The profile that is used when nothing names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    host: String,
    api_key: String,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("host", &self.host).finish_non_exhaustive()
    }
}

/// `.reel.toml` in this folder or one above it. It holds no key, because projects are shared.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectFile {
    profile: Option<String>,
    host: Option<String>,
    model: Option<String>,
    max_credits: Option<String>,
}

/// A value, and who said it.
#[derive(Clone, Debug)]
pub struct Setting<T> {
    pub value: T,
    pub origin: String,
}

/// What is in force.
#[derive(Clone, Debug)]
pub struct Settings {
    pub profile: Setting<String>,
    pub host: Setting<Url>,
    pub key: Option<Setting<SecretString>>,
    /// The model to use when a command names none.
    pub model: Option<Setting<String>>,
    /// The most that one order may cost.
    pub max_credits: Option<Setting<String>>,
    retries: usize,
}

impl Settings {
    pub fn load(global: &Global) -> Result<Settings, Failure> {
        let user_path = user_file()?;
        let user: UserFile = read(&user_path)?.unwrap_or_default();
        let (project_path, project) = project_file()?;
        let at = |path: &Path| path.display().to_string();
        let given = |value: &Option<String>, flag: &str, variable: &str| {
            value.clone().map(|value| Setting { value, origin: format!("{flag} or {variable}") })
        };
        let shared = |value: Option<String>| value.map(|value| Setting { value, origin: at(&project_path) });
        let own = |value: String| Setting { value, origin: at(&user_path) };
        let profile = given(&global.profile, "--profile", "REEL_PROFILE")
            .or_else(|| shared(project.profile.clone()))
            .or_else(|| user.profile.clone().map(own))
            .unwrap_or_else(|| Setting { value: DEFAULT_PROFILE.into(), origin: "built in".into() });
        let stored = user.profiles.get(&profile.value);
        if stored.is_none() && profile.value != DEFAULT_PROFILE {
            return Err(unknown_profile(&profile.value, &user));
        }
        let host = given(&global.host, "--host", "REEL_HOST")
            .or_else(|| shared(project.host.clone()))
            .or_else(|| stored.map(|stored| own(stored.host.clone())))
            .unwrap_or_else(|| Setting { value: DEFAULT_HOST.into(), origin: "built in".into() });
        let host = Setting { value: parse_host(&host.value)?, origin: host.origin };
        // A stored key goes only to the host that it was stored for: a project's file can't send it elsewhere.
        let is_its_host =
            |stored: &&Profile| parse_host(&stored.host).is_ok_and(|stored| stored == host.value);
        let said =
            global.api_key.clone().map(|value| Setting { value, origin: "--api-key or REEL_API_KEY".into() });
        let key = said.or_else(|| {
            let Setting { value, origin } = own(stored.filter(is_its_host)?.api_key.clone());
            Some(Setting { value: SecretString::from(value), origin })
        });
        let model = shared(project.model);
        let max_credits = shared(project.max_credits);
        Ok(Settings { profile, host, key, model, max_credits, retries: global.retries })
    }

    /// A client with the key that there is.
    pub fn client(&self) -> Result<Client, Failure> {
        let Some(key) = &self.key else {
            let host = self.host.value.as_str().trim_end_matches('/');
            return Err(Failure::new(Exit::Auth, format!("no API key for {host}"))
                .hint(format!("`reel login --host {host}` stores one; or set REEL_API_KEY.")));
        };
        Client::new(self.host.value.clone(), Some(key.value.clone()), self.retries)
    }

    /// A client that says nothing of who we are.
    pub fn stranger(&self) -> Result<Client, Failure> {
        Client::new(self.host.value.clone(), None, self.retries)
    }
}

/// The profile to make or change, and its host: as [`Settings::load`] has it, but nothing needs to be stored yet.
pub fn login_profile(global: &Global) -> Result<(String, Url), Failure> {
    let user: UserFile = read(&user_file()?)?.unwrap_or_default();
    let name = global.profile.clone().unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    let stored = user.profiles.get(&name).map(|stored| stored.host.clone());
    let host = global.host.clone().or(stored).unwrap_or_else(|| DEFAULT_HOST.to_owned());
    Ok((name, parse_host(&host)?))
}

/// Stores a profile in the user's file, which only its owner can read, and answers where.
pub fn store(name: &str, host: &Url, api_key: &str) -> Result<PathBuf, Failure> {
    let path = user_file()?;
    let mut file: UserFile = read(&path)?.unwrap_or_default();
    let profile =
        Profile { host: host.as_str().trim_end_matches('/').to_owned(), api_key: api_key.to_owned() };
    file.profiles.insert(name.to_owned(), profile);
    if file.profile.is_none() && name != DEFAULT_PROFILE && file.profiles.len() == 1 {
        file.profile = Some(name.to_owned());
    }
    let text = toml::to_string(&file).map_err(Failure::local("could not write the settings"))?;
    write_private(&path, text.as_bytes())?;
    Ok(path)
}

/// Writes a file in one step that its owner alone can read (mode 0600), with its folders (0700).
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        // Made with mode 0600, and put in place by a rename.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(Failure::local::<std::io::Error>(format!("could not write {}", path.display())))
}

/// `$XDG_CONFIG_HOME/reel/config.toml`, or what this system has in its place.
pub fn user_file() -> Result<PathBuf, Failure> {
    Ok(folders()?.config_dir().join("reel").join("config.toml"))
}

/// `$XDG_STATE_HOME/reel`, or what this system has in its place.
pub fn state_folder() -> Result<PathBuf, Failure> {
    let folders = folders()?;
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("reel"))
}

fn folders() -> Result<impl BaseStrategy, Failure> {
    etcetera::choose_base_strategy().map_err(Failure::local("there is no home folder"))
}

fn project_file() -> Result<(PathBuf, ProjectFile), Failure> {
    let here = std::env::current_dir().map_err(Failure::local("there is no current folder"))?;
    let found = here.ancestors().map(|folder| folder.join(PROJECT_FILE)).find(|path| path.is_file());
    let Some(path) = found else { return Ok((here.join(PROJECT_FILE), ProjectFile::default())) };
    let file = read(&path)?.unwrap_or_default();
    Ok((path, file))
}

/// `None` when there is no such file.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::local(format!("could not read {}", path.display()))(error)),
    };
    // The parser's own text shows the line, and a line may hold a key.
    let parsed = toml::from_str(&text).map_err(|error: toml::de::Error| {
        Failure::usage(format!("{} can't be used: {}", path.display(), error.message()))
    });
    parsed.map(Some)
}

fn unknown_profile(name: &str, user: &UserFile) -> Failure {
    let known: Vec<&str> = user.profiles.keys().map(String::as_str).collect();
    let known =
        if known.is_empty() { "none is stored".to_owned() } else { format!("stored: {}", known.join(", ")) };
    Failure::usage(format!("there is no profile {name:?}; {known}"))
        .hint(format!("`reel login --profile {name}` makes it."))
}

/// Takes `https://host[:port]`; plain http only on this machine unless it is allowed, because a key would travel openly.
pub fn parse_host(text: &str) -> Result<Url, Failure> {
    let refused = |why: &str| {
        Failure::usage(format!("the host {text:?} can't be used: {why}"))
            .hint("A host looks like https://api.example.com, or http://127.0.0.1:8080 on this machine.")
    };
    let url = Url::parse(text.trim()).map_err(|error| refused(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("keys go into --api-key"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it has more than a host and a path"));
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_this_machine(&host) || std::env::var_os(ALLOW_HTTP).is_some() => Ok(url),
        ("http", Some(_)) => {
            Err(refused(&format!("a key would travel in plain text; use https, or set {ALLOW_HTTP}=1")))
        }
        _ => Err(refused("it is no http address")),
    }
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
