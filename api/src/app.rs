//! The composition root: settings become a database, a ledger, a catalog, storage and providers, wired together.

pub mod message;
pub mod time;

mod link;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use entity::Mode;
use migration::{Migrator, MigratorTrait};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use web_session::SessionStore;

use crate::clock::Clock;
use crate::config::Config;
use crate::customer::key_caller::KeyCallers;
use crate::customer::key_use::KeyUses;
use crate::customer::mail::Mailer;
use crate::customer::reception::{Parts, Reception};
use crate::customer::second_factor;
use crate::db::Db;
use crate::http::dialect;
use crate::ledger::chain::Chain;
use crate::ledger::{Lane, Ledger};
use crate::limit::Limiter;
use crate::media::{GuardedClient, LinkKey, LinkSigner, Pictures, Store, Timeouts};
use crate::metrics::Metrics;
use crate::news::News;
use crate::provider::{Instance, Named, Registry};
use crate::scrape::Scrape;
use crate::secret::{Secret, Subkey};
use crate::video::Video;
use crate::video::catalog::Catalog;
use crate::video::offer::OfferCache;
use crate::video::price::PriceBook;
use crate::video::price_version::PriceVersions;
use crate::video::quote::QuoteSigner;
use crate::video::settle::closings;
use crate::video::supply::Supply;
use crate::video::typical::TypicalTimes;
use crate::video::upload::{Terms, Uploads};
use crate::video::views::Views;
use crate::wake::Wake;
use message::Wordings;

/// Everything that is shared by the rooms of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub db: Db,
    pub ledger: Ledger,
    pub chain: Chain,
    pub video: Video,
    pub store: Store,
    /// Pictures of clips.
    pub pictures: Pictures,
    pub links: Arc<LinkSigner>,
    pub providers: Registry,
    /// Fetches what customers name by URL, and sends webhooks.
    pub fetcher: GuardedClient,
    /// Fetches clips: from a provider's own address as well, even if that is private.
    pub clip_fetcher: GuardedClient,
    /// Signs the addresses at which providers tell us something.
    pub callbacks: Arc<Vec<Subkey>>,
    /// Signs webhooks.
    pub webhooks: Arc<Vec<Subkey>>,
    /// Words tasks in their dialects.
    pub wording: Wordings,
    pub wake: Wake,
    pub metrics: Metrics,
    pub scrape: Scrape,
    pub news: News,
    pub limiter: Limiter,
    pub key_callers: KeyCallers,
    pub key_uses: KeyUses,
    /// Lets people in.
    pub reception: Reception,
    /// Set when the process was told to stop: it is not ready any more, but does whatever it is still asked.
    pub draining: CancellationToken,
    /// Set when nobody is served any more but who is being served: whoever waits stops waiting. Set, it drains as well.
    pub stopping: CancellationToken,
}

#[derive(rust_embed::Embed)]
#[folder = "../catalog"]
struct BuiltInCatalog;

/// What the webhooks' keys are derived for.
pub const WEBHOOKS: &str = "webhook";
const CALLBACKS: &str = "callback";

const BUILT_IN_PRICES: &str = include_str!("../../pricing.toml");

impl App {
    /// Connects and wires everything, and starts the lane. The schema must be current.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<(App, Lane)> {
        let catalog = read_catalog(&config)?;
        let providers = open_providers(&config, &catalog, &clock)?;
        App::with_providers(config, clock, providers).await
    }

    /// The same with other providers. For tests.
    pub async fn with_providers(
        config: Config,
        clock: Clock,
        providers: Registry,
    ) -> anyhow::Result<(App, Lane)> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot create the data folder {}", config.data_dir.display()))?;
        let secret = read_secret(&config)?;
        let db = connect(&config).await?;
        let stopping = CancellationToken::new();
        time::keep(&db, &clock, stopping.clone()).await?;
        let chain = Chain::new(&secret);
        let metrics = Metrics::of_process(clock.now());
        metrics.keep_up();
        let news = News::new(db.is_postgres(), clock.new_id());
        let (ledger, lane) = Ledger::start(db.clone(), clock.clone(), chain.clone(), news.clone(), &metrics);
        let store = storage(&config)?;
        let video = Video {
            uploads: uploads(&config, &db, &clock, &store),
            db: db.clone(),
            clock: clock.clone(),
            ledger: ledger.clone(),
            catalog: Arc::new(read_catalog(&config)?),
            prices: PriceVersions::new(db.clone()),
            quotes: Arc::new(QuoteSigner::new(&secret)),
            offers: OfferCache::default(),
            typical: TypicalTimes::new(db.clone()),
            views: Views::new(db.clone()),
            closings: closings(db.clone()),
            supply: Supply::new(db.clone(), clock.clone(), keys(&providers), config.route_order),
            deadline_s: config.task_deadline_s,
        };
        let links = Arc::new(link_signer(&secret)?);
        let (fetcher, clip_fetcher) = fetchers(&config, &providers)?;
        let limiter = Limiter::new(clock.clone(), config.redis_url.as_ref());
        let app = App {
            pictures: Pictures::new(store.clone(), config.scratch()),
            key_callers: KeyCallers::new(db.clone(), clock.clone()),
            key_uses: KeyUses::new(db.clone()),
            reception: reception(&config, &secret, &db, &limiter, &clock)?,
            limiter,
            config: Arc::new(config),
            clock,
            db,
            ledger,
            chain,
            video,
            store,
            links,
            providers,
            fetcher,
            clip_fetcher,
            callbacks: Arc::new(secret.derive(CALLBACKS)),
            webhooks: Arc::new(secret.derive(WEBHOOKS)),
            wording: dialect::wording,
            wake: Wake::default(),
            metrics,
            scrape: Scrape::default(),
            news,
            draining: stopping.child_token(),
            stopping,
        };
        Ok((app, lane))
    }
}

/// The uploads of these settings.
pub fn uploads(config: &Config, db: &Db, clock: &Clock, store: &Store) -> Uploads {
    let terms = Terms {
        max_image_bytes: config.max_image_bytes,
        max_video_bytes: config.max_video_bytes,
        max_audio_bytes: config.max_audio_bytes,
        kept_s: config.upload_kept_s,
        http: config.http_inputs,
        allow: config.private_hosts.clone(),
    };
    Uploads {
        db: db.clone(),
        clock: clock.clone(),
        store: store.clone(),
        scratch: config.scratch(),
        terms: Arc::new(terms),
    }
}

/// Opens the database of these settings.
pub async fn connect(config: &Config) -> anyhow::Result<Db> {
    let url = database_url(config);
    Db::connect(url.expose_secret()).await.context("cannot open the database")
}

fn database_url(config: &Config) -> SecretString {
    let default = || SecretString::from(format!("sqlite:{}", config.data_dir.join("reelmeter.db").display()));
    config.database_url.clone().unwrap_or_else(default)
}

/// The storage of these settings.
pub fn storage(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::open(&storage_url(config)?)?)
}

fn storage_url(config: &Config) -> anyhow::Result<String> {
    if let Some(url) = &config.storage_url {
        return Ok(url.clone());
    }
    let folder = std::path::absolute(config.data_dir.join("clips"))?;
    match url::Url::from_directory_path(&folder) {
        Ok(url) => Ok(url.into()),
        Err(()) => bail!("the data folder {} can't be written as a URL", folder.display()),
    }
}

/// The master secret: from the settings, or on SQLite from a file in the data folder that is made on the first start.
pub fn read_secret(config: &Config) -> anyhow::Result<Secret> {
    let text = match &config.secret {
        Some(text) => text.expose_secret().to_owned(),
        None => secret_file(&config.data_dir.join("secret"))?,
    };
    Secret::parse(text.trim()).context("REELMETER_SECRET (or the file `secret` in the data folder)")
}

fn secret_file(path: &Path) -> anyhow::Result<String> {
    // Only where there is none: a new secret in the place of one that can't be read would unseal the whole journal.
    match std::fs::read_to_string(path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let text = format!("k1:{}\n", hex::encode(rand::random::<[u8; 32]>()));
    write_private(path, &text)?;
    Ok(text)
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

fn link_signer(secret: &Secret) -> anyhow::Result<LinkSigner> {
    let mut keys = secret.derive("content link").into_iter().map(|key| LinkKey::new(&key.id, key.bytes()));
    let newest = keys.next().context("a secret has at least one key")??;
    Ok(LinkSigner::new(newest, keys.collect::<Result<_, _>>()?))
}

/// Where sessions are kept: in Redis if there is one, where looking one up is cheapest.
pub fn sessions(config: &Config, db: &Db) -> anyhow::Result<SessionStore> {
    let Some(url) = &config.redis_url else {
        let (read, write) = db.for_sessions();
        return Ok(SessionStore::database(read, write));
    };
    SessionStore::redis(url.expose_secret(), "reelmeter").context("REELMETER_REDIS_URL")
}

fn reception(
    config: &Config,
    secret: &Secret,
    db: &Db,
    limiter: &Limiter,
    clock: &Clock,
) -> anyhow::Result<Reception> {
    Ok(Reception::new(Parts {
        db: db.clone(),
        clock: clock.clone(),
        limiter: limiter.clone(),
        sessions: sessions(config, db)?,
        mailer: mailer(config)?,
        totp: secret.derive(second_factor::PURPOSE),
        closed_beta: config.closed_beta,
        public_url: config.public_url(),
    }))
}

fn mailer(config: &Config) -> anyhow::Result<Option<Mailer>> {
    let (Some(url), Some(from)) = (&config.smtp_url, &config.mail_from) else { return Ok(None) };
    Ok(Some(Mailer::new(url, from).context("REELMETER_SMTP_URL or REELMETER_MAIL_FROM")?))
}

/// The providers of these settings.
pub fn open_providers(config: &Config, catalog: &Catalog, clock: &Clock) -> anyhow::Result<Registry> {
    let live = catalog.providers().iter().filter(|provider| provider.mode == Mode::Live);
    let named: Vec<Named> = live
        .map(|provider| Named {
            name: provider.name.clone(),
            adapter: provider.adapter.clone(),
            url: provider.url.clone(),
        })
        .collect();
    Registry::open(config.scratch(), &named, &config.providers, clock).map_err(anyhow::Error::msg)
}

/// The names of the keys of each provider.
fn keys(providers: &Registry) -> BTreeMap<String, BTreeSet<String>> {
    let keys = |instance: &Instance| instance.endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
    providers.instances().map(|instance| (instance.name.clone(), keys(instance))).collect()
}

/// For customers' addresses and for clips. A provider's own host and port may be private, since they are a setting of ours; no
/// customer gets there.
pub fn fetchers(config: &Config, providers: &Registry) -> anyhow::Result<(GuardedClient, GuardedClient)> {
    // Installed once a process; a second time changes nothing.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let timeouts = Timeouts {
        connect: Duration::from_secs(10),
        read: Duration::from_secs(30),
        total: Duration::from_secs(900),
    };
    let places = providers.instances().filter_map(|instance| {
        let url = instance.url.as_ref()?;
        Some((url.host_str()?, url.port_or_known_default()?))
    });
    let allow = &config.private_hosts;
    let clips = GuardedClient::new(timeouts, allow.with(places))?;
    Ok((GuardedClient::new(timeouts, allow.clone())?, clips))
}

/// The catalog of these settings: the built-in one, or that of a folder.
pub fn read_catalog(config: &Config) -> anyhow::Result<Catalog> {
    if let Some(folder) = &config.catalog_dir {
        return Ok(Catalog::load_dir(folder)?);
    }
    let mut files: Vec<(String, String)> = Vec::new();
    for name in BuiltInCatalog::iter() {
        let file = BuiltInCatalog::get(&name).with_context(|| format!("no catalog file {name}"))?;
        files.push((name.into_owned(), String::from_utf8(file.data.into_owned())?));
    }
    files.sort();
    Ok(Catalog::parse(files)?)
}

/// The price book of these settings: the built-in one, or that of a file.
pub fn read_prices(config: &Config) -> anyhow::Result<PriceBook> {
    match &config.pricing_file {
        Some(path) => Ok(PriceBook::parse(&read_text(path)?)?),
        None => Ok(PriceBook::parse(BUILT_IN_PRICES)?),
    }
}

fn read_text(path: &PathBuf) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Brings the schema up to date.
pub async fn migrate(db: &Db) -> anyhow::Result<()> {
    Migrator::up(db.schema(), None).await.context("cannot update the schema")
}

/// Refuses a schema that is not current, with a sentence that says what to do.
pub async fn require_current_schema(db: &Db) -> anyhow::Result<()> {
    let pending = Migrator::get_pending_migrations(db.schema()).await?;
    if pending.is_empty() {
        return Ok(());
    }
    bail!("the database's schema is {} step(s) behind: run `reelmeter migrate` first", pending.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_one_that_cannot_be_read_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let made = secret_file(&path).unwrap();
        assert_eq!(secret_file(&path).unwrap(), made);
        std::fs::write(&path, [0xff; 40]).unwrap();
        assert!(secret_file(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), [0xff; 40]);
    }
}
