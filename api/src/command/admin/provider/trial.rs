//! One cheap clip, made by a provider for real: submitted, followed, fetched and looked at, outside of the ledger.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use entity::Mode;
use rust_decimal::Decimal;

use super::registry;
use crate::app;
use crate::command::Answer;
use crate::command::desk::Desk;
use crate::media::probe_file;
use crate::provider::{Cost, Endpoint, Progress, ProviderError, RemoteClip, Submission, UpstreamId};
use crate::video::catalog::{Catalog, InputMode, Model, Route};
use crate::video::price::{Dimensions, PriceBook};
use crate::video::request::GenerateRequest;
use crate::video::rules::{self, Effective};
use crate::worker::{collect, submission};

const PROMPT: &str = "A paper boat drifts along a gutter after rain, seen from above";
/// How long the clip may take.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// Questions that may fail one after the other.
const ERRORS_MAX: u32 = 10;

#[derive(Debug, Args)]
pub struct Trial {
    /// The provider's name in the catalog
    name: String,
    /// The model; without this, the cheapest one that makes clips from a text alone
    #[arg(long)]
    model: Option<String>,
    /// Which of its keys, as `admin providers` names them; without this, the first
    #[arg(long)]
    key: Option<String>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Where the clip is written; without this, into the current folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What is made.
struct Chosen<'a> {
    model: &'a Model,
    route: &'a Route,
    effective: Effective,
    cost_usd: Option<Decimal>,
}

impl Trial {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        let providers = registry(desk)?;
        let instance =
            providers.get(&self.name).with_context(|| format!("{} is not configured", self.name))?;
        let named = |key: &&Endpoint| self.key.as_ref().is_none_or(|id| *id == key.id);
        let key = instance.endpoints.iter().find(named).context("it has no such key")?;
        let (catalog, book) = (app::read_catalog(&desk.config)?, app::read_prices(&desk.config)?);
        let chosen = self.choose(&catalog, &book, desk.now().seconds())?;
        if !self.yes && !confirmed(&self.name, &chosen)? {
            return Ok(Answer::bad("nothing was sent".to_owned()));
        }
        let order = submission::order(
            &chosen.effective,
            Some(chosen.route),
            format!("trial-{}", desk.clock.new_id()),
        );
        let id = submitted(key, &order).await?;
        say(&format!("submitted as {}", id.0));
        let (clip, cost) = followed(key, &id, &order).await?;
        let out = self.out.unwrap_or_else(|| format!("{}-test.mp4", self.name).into());
        let seen = fetched(desk, &clip, &out).await?;
        Ok(Answer::good(format!("{}: {seen}{}\n{}", chosen.model.id, told(cost), out.display())))
    }

    fn choose<'a>(
        &self,
        catalog: &'a Catalog,
        book: &PriceBook,
        now_unix: i64,
    ) -> anyhow::Result<Chosen<'a>> {
        let models = catalog.models().iter().filter(|model| match &self.model {
            Some(name) => catalog.model(name).is_some_and(|named| named.id == model.id),
            None => !model.lifecycle.is_retired(now_unix),
        });
        let routes = models.flat_map(|model| model.routes.iter().map(move |route| (&**model, route)));
        let served = routes.filter(|(_, route)| route.provider == self.name);
        let chosen = served.filter_map(|(model, route)| chosen(catalog, book, (model, route), now_unix));
        let cheapest = chosen.min_by_key(|chosen| (chosen.cost_usd.is_none(), chosen.cost_usd));
        cheapest.context("no model of it makes a clip from a text alone")
    }
}

/// The shortest and smallest clip of a model that the route makes.
fn chosen<'a>(
    catalog: &Catalog,
    book: &PriceBook,
    (model, route): (&'a Model, &'a Route),
    now_unix: i64,
) -> Option<Chosen<'a>> {
    let request = GenerateRequest {
        model: model.id.clone(),
        input_mode: Some(InputMode::TextToVideo),
        prompt: Some(PROMPT.to_owned()),
        duration_s: model.durations.iter().find(|seconds| route.lasts(*seconds)),
        resolution: model.resolutions.iter().find(|size| route.makes(**size)).map(ToString::to_string),
        ..GenerateRequest::default()
    };
    // Retired models can be tried as well.
    let effective = rules::check(&request, catalog, Mode::Test, now_unix).ok()?.effective;
    route.can_make(&effective.wanted()).then_some(())?;
    let dims = Dimensions { count: 1, ..effective.dimensions() };
    let cost_usd = book.cost_usd(&route.provider, &dims);
    Some(Chosen { model, route, cost_usd, effective })
}

fn confirmed(name: &str, chosen: &Chosen<'_>) -> anyhow::Result<bool> {
    let Effective { duration_s, resolution, .. } = &chosen.effective;
    let cost =
        chosen.cost_usd.map_or("an unknown amount".to_owned(), |usd| format!("about ${}", usd.normalize()));
    eprint!(
        "{name} makes {duration_s} s of {} in {resolution}, for {cost} of real money. Go on? [y/N] ",
        chosen.model.id
    );
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

async fn submitted(key: &Endpoint, order: &Submission) -> anyhow::Result<UpstreamId> {
    match key.provider.submit(order).await {
        Ok(id) => Ok(id),
        Err(error @ (ProviderError::Unknown(_) | ProviderError::Broken(_))) => {
            bail!("nobody knows whether it was taken, and is billed: {error}")
        }
        Err(error) => bail!("not taken: {error}"),
    }
}

async fn followed(
    key: &Endpoint,
    id: &UpstreamId,
    order: &Submission,
) -> anyhow::Result<(RemoteClip, Option<Cost>)> {
    let (begun, mut errors) = (tokio::time::Instant::now(), 0);
    while begun.elapsed() < PATIENCE {
        tokio::time::sleep(key.abilities.pace.pause(begun.elapsed())).await;
        match key.provider.poll(id, order).await {
            Ok(Progress::Queued) => say("queued"),
            Ok(Progress::Running { percent: None }) => say("running"),
            Ok(Progress::Running { percent: Some(percent) }) => say(&format!("running, {percent} %")),
            Ok(Progress::Succeeded { mut clips, cost }) => {
                let clip = clips.pop().context("it succeeded without a clip")?;
                return Ok((clip, cost));
            }
            Ok(Progress::Failed { failure, cost }) => {
                let detail = failure.detail.unwrap_or_default();
                bail!("failed, {}: {detail}{}", failure.code.class(), told(cost))
            }
            Ok(Progress::Canceled) => bail!("stopped by the provider"),
            Err(error) => {
                errors += 1;
                say(&format!("{error}"));
                ensure!(errors < ERRORS_MAX, "given up: it may still be made, as {}", id.0);
                continue;
            }
        }
        errors = 0;
    }
    bail!("not made within {} minutes: it may still be, as {}", PATIENCE.as_secs() / 60, id.0)
}

/// Writes the clip to a file, and says what it is.
async fn fetched(desk: &Desk, clip: &RemoteClip, out: &Path) -> anyhow::Result<String> {
    ensure!(!out.exists(), "{} is there already", out.display());
    let (fetcher, clip_fetcher) = app::fetchers(&desk.config, &registry(desk)?)?;
    let collected = collect((&clip_fetcher, &fetcher), &clip.source, out).await;
    let stored = collected.context("made, but it can't be fetched")?;
    let path = out.to_owned();
    let probe = tokio::task::spawn_blocking(move || probe_file(&path)).await?;
    let probe = probe.context("fetched, but it is no video")?;
    let seconds = Decimal::new(i64::try_from(probe.millis)?, 3).normalize();
    Ok(format!("{seconds} s, {} x {}, {} bytes", probe.width, probe.height, stored.bytes))
}

fn told(cost: Option<Cost>) -> String {
    match cost {
        Some(Cost::MicroUsd(micro)) => format!(", charged ${}", Decimal::new(micro, 6).normalize()),
        Some(Cost::Tokens(tokens)) => format!(", charged {tokens} tokens"),
        Some(Cost::Seconds(seconds)) => format!(", charged {} s", seconds.normalize()),
        None => String::new(),
    }
}

fn say(line: &str) {
    eprintln!("{line}");
}
