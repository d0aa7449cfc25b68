//! `admin key …`: API keys. A secret is printed once, alone on stdout, so that it can be piped to where it belongs.

use std::fmt::Write;
use std::num::NonZeroU32;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use entity::{Credits, CustomerId, KeyId, Mode, Timestamp, customer};
use ipnet::IpNet;
use sea_orm::EntityTrait;
use secrecy::ExposeSecret;

use crate::app;
use crate::command::desk::Desk;
use crate::command::{Answer, parse};
use crate::config::Config;
use crate::customer::caller::{INFERENCE_SCOPES, MANAGEMENT_SCOPES};
use crate::customer::key::{self, NewKey};
use crate::customer::keyring;
use crate::ledger::read;
use crate::video::price_version::PriceVersions;

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key for an admitted customer and print its secret, once
    Create(Box<Create>),
    /// Show a customer's keys, newest first
    List {
        #[arg(long)]
        customer: CustomerId,
    },
    /// Give a key a new secret and print it, once; id, limits and usage stay
    Rotate {
        key: KeyId,
        /// Seconds for which the old secret stays good as well, at most a week
        #[arg(long, default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(..=604_800))]
        overlap: u32,
    },
    /// Take a key's rights away for ever
    Revoke { key: KeyId },
}

#[derive(Debug, Args)]
pub struct Create {
    #[arg(long)]
    customer: CustomerId,
    /// live or test
    #[arg(long, value_parser = parse::mode)]
    mode: Mode,
    #[arg(long, value_parser = parse::text)]
    name: String,
    /// Models that it may use, separated by commas; without this, all
    #[arg(long, value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Networks or addresses that it may be used from, separated by commas; without this, everywhere
    #[arg(long = "ip", value_delimiter = ',', value_parser = parse::network)]
    ip_ranges: Option<Vec<IpNet>>,
    /// Requests that it may send in a minute
    #[arg(long)]
    rate: Option<NonZeroU32>,
    /// Tasks that it may have under way at once
    #[arg(long)]
    max_tasks: Option<u32>,
    /// Price group of its own, which the active price list has to know; without this, the customer's
    #[arg(long)]
    group: Option<String>,
    /// Make a key that manages keys and credits, and generates nothing
    #[arg(long)]
    management: bool,
    /// Credits that it may spend in a day (UTC)
    #[arg(long, value_parser = parse::cap)]
    cap_day: Option<Credits>,
    /// Credits that it may spend in a week (from Monday)
    #[arg(long, value_parser = parse::cap)]
    cap_week: Option<Credits>,
    /// Credits that it may spend in a month
    #[arg(long, value_parser = parse::cap)]
    cap_month: Option<Credits>,
    /// Credits that it may spend at all
    #[arg(long, value_parser = parse::cap)]
    cap_lifetime: Option<Credits>,
    /// Day (from midnight UTC) or instant from which it is good no more
    #[arg(long, value_parser = parse::instant)]
    expires: Option<Timestamp>,
}

impl Key {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        match self {
            Key::Create(create) => create.run(desk).await,
            Key::List { customer } => list(desk, customer).await,
            Key::Rotate { key, overlap } => rotate(desk, key, overlap).await,
            Key::Revoke { key } => revoke(desk, key).await,
        }
    }
}

impl Create {
    async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        let now = desk.now();
        ensure!(
            self.expires.is_none_or(|end| end > now),
            "the key would have expired already: --expires has to be later"
        );
        let (customer, mode) = (self.customer, self.mode);
        if let Some(group) = &self.group {
            require_group(desk, group).await?;
        }
        let new = self.rights(&desk.config)?;
        let id = KeyId(desk.clock.new_id());
        let tx = desk.db.begin().await?;
        let owner = customer::Entity::find_by_id(customer).one(&tx).await?.context("no such customer")?;
        if owner.admitted_at.is_none() {
            bail!(
                "beta_required: {customer} is not admitted yet (`reelmeter admin customer admit {customer}`)"
            );
        }
        let account = read::account_of(&tx, customer, mode).await?.context("no such account")?;
        let secret = key::create(&tx, id, (customer, account.id, mode), new, now).await?;
        tx.commit().await?;
        eprintln!(
            "{id} of {} ({} account {}); its secret is shown this once",
            owner.name,
            mode.as_str(),
            account.id
        );
        Ok(Answer::good(secret.expose_secret()))
    }

    fn rights(self, config: &Config) -> anyhow::Result<NewKey> {
        let scopes = if self.management { MANAGEMENT_SCOPES } else { INFERENCE_SCOPES };
        Ok(NewKey {
            name: self.name,
            scopes: scopes.map(str::to_owned).to_vec(),
            models: self.models.map(|names| model_ids(config, &names)).transpose()?,
            group: self.group,
            ip_ranges: self.ip_ranges,
            rate_per_minute: self.rate,
            max_tasks: self.max_tasks,
            cap_day: self.cap_day,
            cap_week: self.cap_week,
            cap_month: self.cap_month,
            cap_lifetime: self.cap_lifetime,
            expires_at: self.expires,
            created_by: None,
            demo: false,
        })
    }
}

/// A key's list holds ids; aliases are fine on the way in.
fn model_ids(config: &Config, names: &[String]) -> anyhow::Result<Vec<String>> {
    let catalog = app::read_catalog(config)?;
    let id = |name: &String| catalog.model(name.trim()).map(|model| model.id.clone());
    names.iter().map(|name| id(name).with_context(|| format!("no model is called {name:?}"))).collect()
}

/// A group that no price knows would quietly pay the ordinary ones.
async fn require_group(desk: &Desk, group: &str) -> anyhow::Result<()> {
    let version = PriceVersions::new(desk.db.clone()).active(desk.now()).await?;
    let known = version.book.groups();
    let names: Vec<&str> = known.iter().copied().collect();
    ensure!(known.contains(group), "no price group is called {group:?}: there is {}", names.join(", "));
    Ok(())
}

async fn list(desk: &Desk, customer: CustomerId) -> anyhow::Result<Answer> {
    let keys = keyring::all(desk.db.read(), customer).await?;
    let mut text = String::new();
    for key in &keys {
        let status = keyring::status(key, desk.now()).as_str();
        writeln!(text, "{}  {}  {status:7}  {}  {}", key.id, key.mode.as_str(), key.hint, key.name)?;
    }
    writeln!(text, "{} key(s)", keys.len())?;
    Ok(Answer::good(text))
}

async fn rotate(desk: &Desk, id: KeyId, overlap_s: u32) -> anyhow::Result<Answer> {
    let (key, secret) = keyring::rotate_any(&desk.db, id, overlap_s, desk.now()).await?;
    match key.previous_until {
        Some(end) => eprintln!("the old secret of {id} is good until {end}; the new one is shown this once"),
        None => eprintln!("the old secret of {id} is good no more; the new one is shown this once"),
    }
    Ok(Answer::good(secret.expose_secret()))
}

async fn revoke(desk: &Desk, id: KeyId) -> anyhow::Result<Answer> {
    let tx = desk.db.begin().await?;
    ensure!(key::revoke(&tx, id, desk.now()).await?, "no such key");
    tx.commit().await?;
    Ok(Answer::good(format!("{id} is revoked")))
}
