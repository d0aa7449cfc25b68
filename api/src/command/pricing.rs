//! `reelmeter pricing …`: is the price book right, what would it change, and sell by it.

mod diff;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::desk::Desk;
use super::{Answer, parse};
use crate::app;
use crate::config::Config;
use crate::video::price::PriceBook;
use crate::video::price::audit;
use crate::video::price_version::{self, PriceVersions, Published, VersionError};

#[derive(Debug, Subcommand)]
pub enum Pricing {
    /// Compare the price book with the catalog: nothing without a price, margins, costs
    Check,
    /// Show what publishing the price book would change
    Diff,
    /// Sell by the price book from now on
    Publish {
        /// Who decided it
        #[arg(long, default_value = "operator", value_parser = parse::text)]
        by: String,
    },
}

impl Pricing {
    pub async fn run(self, config: Config) -> anyhow::Result<Answer> {
        match self {
            Pricing::Check => check(&config),
            Pricing::Diff => diff(config).await,
            Pricing::Publish { by } => publish(config, &by).await,
        }
    }
}

fn check(config: &Config) -> anyhow::Result<Answer> {
    let report = audit(&app::read_catalog(config)?, &app::read_prices(config)?);
    let text = report.to_string();
    Ok(if report.is_clean() { Answer::good(text) } else { Answer::bad(text) })
}

async fn diff(config: Config) -> anyhow::Result<Answer> {
    let book = app::read_prices(&config)?;
    let desk = Desk::open(config).await?;
    let active = match PriceVersions::new(desk.db.clone()).active(desk.now()).await {
        Ok(active) => Some(active),
        Err(VersionError::NoneActive) => None,
        Err(error) => return Err(error.into()),
    };
    desk.close().await?;
    let old = active.as_ref().map(|version| version.book.as_ref());
    let changes = diff::changes(old, &book)?;
    let against = active
        .as_ref()
        .map_or("nothing is sold yet".to_owned(), |version| format!("against version {}", version.id));
    let summary = match changes.len() {
        0 => format!("no difference {against}"),
        count => format!("{count} difference(s), {against}"),
    };
    Ok(Answer::good(changes.iter().map(ToString::to_string).chain([summary]).collect::<Vec<_>>().join("\n")))
}

async fn publish(config: Config, by: &str) -> anyhow::Result<Answer> {
    let book = app::read_prices(&config)?;
    refuse_unclean(&config, &book)?;
    let desk = Desk::open(config).await?;
    let tx = desk.db.begin().await?;
    let published = price_version::publish(&tx, &book, by, desk.now()).await.context("cannot publish")?;
    tx.commit().await?;
    desk.close().await?;
    Ok(Answer::good(match published {
        Published::Activated { version, effective_at } => {
            tracing::info!(version, %effective_at, by, "the price book was published");
            format!("version {version} sells from {effective_at} on")
        }
        Published::Unchanged { version } => {
            format!("version {version} is the newest already: nothing changed")
        }
    }))
}

fn refuse_unclean(config: &Config, book: &PriceBook) -> anyhow::Result<()> {
    let problems = audit(&app::read_catalog(config)?, book).problems;
    match problems.first() {
        None => Ok(()),
        Some(first) => {
            bail!("{} problem(s), see `reelmeter pricing check`; the first: {first}", problems.len())
        }
    }
}
