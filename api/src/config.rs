//! Settings: environment variables `REELMETER_…`, and an optional `reelmeter.toml`, validated once.
//!
//! A wrong or unknown setting stops the start with a sentence. `deploy/reelmeter.example.toml` documents each of them.

mod read;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};
use validator::{Validate, ValidationErrors};

use crate::media::Allow;
use crate::video::supply::Order;

pub use read::FILE_NAME;

/// Enough for a proxy that looks every second.
const DRAIN_S: u32 = 3;

#[derive(Debug, Deserialize, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How customers reach us; links start with it. Default: `http://` and `listen`.
    pub public_url: Option<Url>,
    /// `sqlite:PATH` or `postgres://…`. Default: a SQLite file in the data folder.
    #[serde(alias = "database")]
    pub database_url: Option<SecretString>,
    /// Redis, for wake-ups, limits, sessions and events across processes. Without it each process limits for itself and
    /// looks for news every second.
    pub redis_url: Option<SecretString>,
    /// Database, clips, secret and demo access of a server without other settings.
    pub data_dir: PathBuf,
    /// Where finished clips lie: `file:///DIR` or `s3://BUCKET/PREFIX`. Default: in the data folder.
    pub storage_url: Option<String>,
    pub role: Role,
    /// Master keys, `ID:HEX`, newest first, separated by commas. Default on SQLite: made and kept in the data folder.
    pub secret: Option<SecretString>,
    /// Whether people need an invite code to register.
    #[serde(deserialize_with = "read::flag")]
    pub closed_beta: bool,
    /// `smtp://USER:PASSWORD@HOST:587` or `smtps://…`. Without it links for people are printed by `reelmeter admin`.
    pub smtp_url: Option<SecretString>,
    /// Who letters to people come from.
    pub mail_from: Option<String>,
    /// Networks of the proxies in front, whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "read::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Places inside the operator's own network, `HOST:PORT`, that are called although customers or providers name them.
    #[serde(deserialize_with = "read::places")]
    pub private_hosts: Allow,
    /// Replaces the built-in price book as what `pricing publish` reads.
    pub pricing_file: Option<PathBuf>,
    /// Replaces the built-in catalog.
    pub catalog_dir: Option<PathBuf>,
    /// What is logged, such as `info` or `info,reelmeter=debug`.
    pub log: String,
    pub log_format: LogFormat,
    /// Seconds after which a task that is not finished expires.
    #[serde(deserialize_with = "read::number")]
    #[validate(range(min = 60, max = 86_400))]
    pub task_deadline_s: u32,
    /// Seconds without a heartbeat after which a worker's tasks are taken over.
    #[serde(deserialize_with = "read::number")]
    #[validate(range(min = 2, max = 600))]
    pub heartbeat_limit_s: u32,
    /// Seconds for which a process that was told to stop still takes requests, so that whoever leads them here notices at
    /// `/readyz` first. Default: 3 on PostgreSQL; 0 on SQLite, where nobody else could take them.
    #[serde(deserialize_with = "read::some_number")]
    #[validate(range(min = 0, max = 300))]
    pub drain_s: Option<u32>,
    /// Where `/metrics` is served without a key.
    pub metrics_listen: Option<SocketAddr>,
    /// What `GET /metrics` on the ordinary address asks for as `Authorization: Bearer`. Without it there is none there.
    pub metrics_key: Option<SecretString>,
    /// Where traces go, by OTLP over HTTP, such as `http://localhost:4318`.
    pub otlp_endpoint: Option<Url>,
    /// Which of a model's providers is asked first.
    pub route_order: Order,
    /// The model of a `POST /v1/videos` that names none.
    pub videos_default_model: String,
    /// Largest request body in bytes.
    #[serde(deserialize_with = "read::number")]
    #[validate(range(min = 1_024, max = 67_108_864))]
    pub max_body_bytes: usize,
    /// Largest picture, video and sound in bytes that a customer may give to work from.
    #[serde(deserialize_with = "read::number")]
    #[validate(range(min = 1_024, max = 1_073_741_824))]
    pub max_image_bytes: u64,
    #[serde(deserialize_with = "read::number")]
    #[validate(range(min = 1_024, max = 1_073_741_824))]
    pub max_video_bytes: u64,
    #[serde(deserialize_with = "read::number")]
    #[validate(range(min = 1_024, max = 1_073_741_824))]
    pub max_audio_bytes: u64,
    /// Seconds that such a file is kept since it was last given.
    #[serde(deserialize_with = "read::number")]
    #[validate(range(min = 3_600, max = 31_536_000))]
    pub upload_kept_s: u32,
    /// Whether files to work from may be named by plain http addresses.
    #[serde(deserialize_with = "read::flag")]
    pub http_inputs: bool,
    /// What providers are told, as `PROVIDER_<NAME>_<SETTING>`: at least a key, without which a provider is off.
    #[serde(skip)]
    pub providers: BTreeMap<String, SecretString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    All,
    Api,
    Worker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            database_url: None,
            redis_url: None,
            data_dir: PathBuf::from("data"),
            storage_url: None,
            role: Role::All,
            secret: None,
            closed_beta: true,
            smtp_url: None,
            mail_from: None,
            trusted_proxies: Vec::new(),
            private_hosts: Allow::default(),
            pricing_file: None,
            catalog_dir: None,
            log: "info,sea_orm_migration=warn,sqlx=warn,poem::server=warn".into(),
            log_format: LogFormat::Text,
            task_deadline_s: 3_600,
            heartbeat_limit_s: 15,
            drain_s: None,
            metrics_listen: None,
            metrics_key: None,
            otlp_endpoint: None,
            route_order: Order::Listed,
            videos_default_model: "sora-2".into(),
            max_body_bytes: 16_777_216,
            max_image_bytes: 31_457_280,
            max_video_bytes: 209_715_200,
            max_audio_bytes: 52_428_800,
            upload_kept_s: 259_200,
            http_inputs: false,
            providers: BTreeMap::new(),
        }
    }
}

/// What is wrong with the settings; a sentence for the person who starts the program.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}")]
    Read(String),
    #[error("{}", out_of_range(.0))]
    Range(#[from] ValidationErrors),
    #[error("{0}")]
    Combination(&'static str),
}

fn out_of_range(errors: &ValidationErrors) -> String {
    let mut sentences: Vec<String> = Vec::new();
    for (field, errors) in errors.field_errors() {
        for error in errors {
            let limit = |name: &str| error.params.get(name).map(ToString::to_string).unwrap_or_default();
            let name = read::variable(&field);
            sentences.push(format!("{name} must be from {} to {}", limit("min"), limit("max")));
        }
    }
    sentences.sort();
    sentences.join("; ")
}

impl Config {
    /// Reads `reelmeter.toml` in the current folder, if there is one, and then the environment, which wins.
    pub fn read() -> Result<Config, ConfigError> {
        let config = read::read(FILE_NAME.as_ref(), std::env::vars_os())?;
        config.check()?;
        Ok(config)
    }

    /// The same settings in another role.
    pub fn with_role(self, role: Role) -> Result<Config, ConfigError> {
        let config = Config { role, ..self };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.validate()?;
        if !self.is_postgres() && self.role != Role::All {
            return Err(ConfigError::Combination(
                "REELMETER_ROLE must be all on SQLite: only PostgreSQL can be shared by several processes",
            ));
        }
        if self.is_postgres() && self.secret.is_none() {
            return Err(ConfigError::Combination(
                "REELMETER_SECRET is required on PostgreSQL: ID:HEX with at least 32 bytes, the same for every process",
            ));
        }
        let known = |url: &SecretString| {
            ["sqlite:", "postgres:", "postgresql:"]
                .iter()
                .any(|scheme| url.expose_secret().starts_with(scheme))
        };
        if !self.database_url.as_ref().is_none_or(known) {
            return Err(ConfigError::Combination(
                "REELMETER_DATABASE_URL must be sqlite:PATH or postgres://…",
            ));
        }
        if self.smtp_url.is_some() && self.mail_from.is_none() {
            return Err(ConfigError::Combination("REELMETER_MAIL_FROM is required with REELMETER_SMTP_URL"));
        }
        Ok(())
    }

    /// Where files lie that are not whole yet, or on their way.
    pub fn scratch(&self) -> PathBuf {
        self.data_dir.join("scratch")
    }

    /// How long requests are still taken after the process was told to stop.
    pub fn drain(&self) -> Duration {
        let usual = if self.is_postgres() { DRAIN_S } else { 0 };
        Duration::from_secs(u64::from(self.drain_s.unwrap_or(usual)))
    }

    pub fn is_postgres(&self) -> bool {
        self.database_url.as_ref().is_some_and(|url| url.expose_secret().starts_with("postgres"))
    }

    /// The file of a SQLite database; `None` on PostgreSQL.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        match &self.database_url {
            None => Some(self.data_dir.join("reelmeter.db")),
            Some(url) => {
                let path = url.expose_secret().strip_prefix("sqlite:")?;
                Some(PathBuf::from(path.trim_start_matches("//")))
            }
        }
    }

    /// The public address without a path, as browsers write it into `Origin`.
    pub fn origin(&self) -> String {
        match &self.public_url {
            Some(url) => url.origin().ascii_serialization(),
            None => format!("http://{}", self.listen),
        }
    }

    /// Whether people reach us over plain http on this very machine.
    pub fn is_local_http(&self) -> bool {
        match &self.public_url {
            Some(url) => url.scheme() == "http" && url.host().is_some_and(|host| is_loopback(&host)),
            None => self.listen.ip().is_loopback(),
        }
    }

    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_drains_only_where_others_can_take_its_place_unless_it_is_told_to() {
        let postgres = Some(SecretString::from("postgres://localhost/x"));
        for (database_url, drain_s, seconds) in
            [(None, None, 0), (None, Some(7), 7), (postgres.clone(), None, DRAIN_S), (postgres, Some(0), 0)]
        {
            let config = Config { database_url, drain_s, ..Config::default() };
            assert_eq!(config.drain(), Duration::from_secs(u64::from(seconds)), "{config:?}");
        }
    }

    #[test]
    fn only_plain_http_on_loopback_is_local() {
        for (listen, public_url, is_local, origin) in [
            ("127.0.0.1:8080", None, true, "http://127.0.0.1:8080"),
            ("0.0.0.0:8080", None, false, "http://0.0.0.0:8080"),
            ("0.0.0.0:8080", Some("http://localhost:8080/"), true, "http://localhost:8080"),
            ("127.0.0.1:8080", Some("http://[::1]/base"), true, "http://[::1]"),
            ("127.0.0.1:8080", Some("https://localhost"), false, "https://localhost"),
            ("127.0.0.1:8080", Some("http://api.example.com:80/x/"), false, "http://api.example.com"),
        ] {
            let public_url = public_url.map(|url| Url::parse(url).unwrap());
            let config = Config { listen: listen.parse().unwrap(), public_url, ..Config::default() };
            assert_eq!((config.is_local_http(), config.origin().as_str()), (is_local, origin), "{config:?}");
        }
    }
}
