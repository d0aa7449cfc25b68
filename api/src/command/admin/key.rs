//! `admin key …`: API keys. A secret is printed once, alone on stdout, so that it can be piped to where it belongs.

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use entity::{Credits, CustomerId, KeyId, Mode, Timestamp, customer};
use sea_orm::EntityTrait;
use secrecy::ExposeSecret;

use crate::app;
use crate::command::desk::Desk;
use crate::command::{Answer, parse};
use crate::config::Config;
use crate::customer::key::{self, INFERENCE_SCOPES, NewKey};
use crate::ledger::read;

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key for an admitted customer and print its secret, once
    Create(Box<Create>),
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
        Ok(NewKey {
            name: self.name,
            scopes: INFERENCE_SCOPES.map(str::to_owned).to_vec(),
            models: self.models.map(|names| model_ids(config, &names)).transpose()?,
            cap_day: self.cap_day,
            cap_week: self.cap_week,
            cap_month: self.cap_month,
            cap_lifetime: self.cap_lifetime,
            expires_at: self.expires,
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

async fn revoke(desk: &Desk, id: KeyId) -> anyhow::Result<Answer> {
    let tx = desk.db.begin().await?;
    ensure!(key::revoke(&tx, id, desk.now()).await?, "no such key");
    tx.commit().await?;
    Ok(Answer::good(format!("{id} is revoked")))
}
