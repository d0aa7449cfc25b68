//! What is sold at the start: an empty database gets the price book; any other keeps its own.

use anyhow::{Context, bail};

use crate::app::{self, App};
use crate::video::price::PriceBook;
use crate::video::price::audit;
use crate::video::price_version::{self, Version, VersionError};

/// Makes sure that a price version is active, and says when it is not what the price book says.
pub async fn ensure_active(app: &App) -> anyhow::Result<()> {
    let book = app::read_prices(&app.config)?;
    let active = match app.video.prices.active(app.clock.now()).await {
        Err(VersionError::NoneActive) => return publish_first(app, &book).await,
        other => other?,
    };
    if active.book.hash() != book.hash() {
        tracing::warn!(
            version = active.id,
            "the price book differs from what is sold: see `reelmeter pricing diff`, then `reelmeter pricing publish`"
        );
    }
    Ok(())
}

async fn publish_first(app: &App, book: &PriceBook) -> anyhow::Result<()> {
    if let Some(problem) = audit(&app.video.catalog, book).problems.first() {
        bail!("the price book can't be sold from: {problem} (see `reelmeter pricing check`)");
    }
    let tx = app.db.begin().await?;
    let published = price_version::publish(&tx, book, "first start", app.clock.now()).await;
    match published {
        Ok(_) => {
            tx.commit().await?;
            tracing::info!("nothing was sold yet: the price book was published");
            Ok(())
        }
        // Another process that started at the same time was quicker.
        Err(error) => match published_meanwhile(app).await {
            Ok(_) => Ok(()),
            Err(_) => Err(error).context("cannot publish the price book"),
        },
    }
}

async fn published_meanwhile(app: &App) -> Result<Version, VersionError> {
    price_version::PriceVersions::new(app.db.clone()).active(app.clock.now()).await
}
