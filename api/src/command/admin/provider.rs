//! `admin providers` and `admin provider …`: who can be asked for clips, how they are, and whether they really make one.

mod trial;

use std::collections::HashMap;
use std::fmt::Write;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use entity::provider_health::{self, Column, HealthState};
use entity::{Mode, Timestamp, job};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::app;
use crate::command::Answer;
use crate::command::desk::Desk;
use crate::provider::{Endpoint, Instance, Registry};

#[derive(Debug, Subcommand)]
pub enum Provider {
    /// Have one cheap clip made, for real money, to see that everything works; asks first
    Test(trial::Trial),
    /// Use a provider's keys again that rest or were taken out
    Enable(Enable),
}

#[derive(Debug, Args)]
pub struct Enable {
    /// Its name in the catalog
    name: String,
}

impl Provider {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        match self {
            Provider::Test(trial) => trial.run(desk).await,
            Provider::Enable(Enable { name }) => enable(desk, &name).await,
        }
    }
}

/// The providers of these settings, the sandbox among them.
fn registry(desk: &Desk) -> anyhow::Result<Registry> {
    app::open_providers(&desk.config, &app::read_catalog(&desk.config)?, &desk.clock)
}

async fn enable(desk: &Desk, name: &str) -> anyhow::Result<Answer> {
    ensure!(registry(desk)?.get(name).is_some(), "{name} is not configured");
    let tx = desk.db.begin().await?;
    let rows = provider_health::Entity::delete_many().filter(Column::Provider.eq(name)).exec(&tx).await?;
    tx.commit().await?;
    Ok(Answer::good(match rows.rows_affected {
        0 => format!("{name}: all of its keys were in use"),
        keys => format!("{name}: {keys} key(s) are used again"),
    }))
}

/// What is known of each key, and how many tasks are at each provider.
struct Known {
    health: HashMap<(String, String), provider_health::Model>,
    jobs: HashMap<String, i64>,
    now: Timestamp,
}

impl Known {
    async fn read(desk: &Desk) -> anyhow::Result<Known> {
        let db = desk.db.read();
        let rows = provider_health::Entity::find().all(db).await?;
        let jobs: Vec<(String, i64)> = job::Entity::find()
            .select_only()
            .column(job::Column::Provider)
            .column_as(job::Column::TaskId.count(), "jobs")
            .group_by(job::Column::Provider)
            .into_tuple()
            .all(db)
            .await?;
        let health =
            rows.into_iter().map(|row| ((row.provider.clone(), row.endpoint.clone()), row)).collect();
        Ok(Known { health, jobs: jobs.into_iter().collect(), now: desk.now() })
    }

    fn of(&self, instance: &Instance, key: &Endpoint) -> Option<&provider_health::Model> {
        self.health.get(&(instance.name.clone(), key.id.clone()))
    }
}

/// Every provider of the catalog: how it is reached, its keys and how they work, or that it is off.
pub async fn list(desk: &Desk) -> anyhow::Result<Answer> {
    let (registry, known) = (registry(desk)?, Known::read(desk).await?);
    let mut text = String::new();
    for instance in registry.instances() {
        write_instance(&mut text, instance, &known)?;
    }
    let catalog = app::read_catalog(&desk.config)?;
    let live = catalog.providers().iter().filter(|provider| provider.mode == Mode::Live);
    let off: Vec<&str> =
        live.map(|provider| provider.name.as_str()).filter(|name| registry.get(name).is_none()).collect();
    if !off.is_empty() {
        writeln!(text, "\nwithout a key, and so off: {}", off.join(", "))?;
    }
    Ok(Answer::good(text))
}

fn write_instance(text: &mut String, instance: &Instance, known: &Known) -> anyhow::Result<()> {
    let address = instance.url.as_ref().map_or("in this program".to_owned(), ToString::to_string);
    let jobs = known.jobs.get(&instance.name).copied().unwrap_or(0);
    writeln!(text, "{:12} {} at {address}, {jobs} task(s)", instance.name, instance.adapter)?;
    for key in &instance.endpoints {
        let rate = key.abilities.rate.map_or(String::new(), |rate| {
            format!(", {} submissions in {} s", rate.submissions, rate.seconds)
        });
        let (slots, row) = (key.abilities.slots, known.of(instance, key));
        writeln!(text, "  {:13} {:6} {}, {slots} slots{rate}", key.id, key.masked, state(row, known.now))?;
        write_error(text, row)?;
    }
    Ok(())
}

fn state(row: Option<&provider_health::Model>, now: Timestamp) -> String {
    let Some(row) = row else { return "ok".to_owned() };
    match (row.state, row.rests_until.filter(|until| *until > now)) {
        (HealthState::Out, Some(until)) => format!("OUT, tried again at {until}"),
        (HealthState::Resting, Some(until)) => format!("resting until {until}"),
        (HealthState::Out | HealthState::Resting, None) => "is being tried again".to_owned(),
        (HealthState::Ok, _) => "ok".to_owned(),
    }
}

fn write_error(text: &mut String, row: Option<&provider_health::Model>) -> anyhow::Result<()> {
    let Some(row) = row else { return Ok(()) };
    let Some(at) = row.error_at else { return Ok(()) };
    let class = row.error_class.as_deref().context("an error has a class")?;
    let detail = row.error_detail.as_deref().unwrap_or_default();
    Ok(writeln!(text, "                last error {at}: {class} {}", one_line(detail))?)
}

/// What an upstream wrote, without what could change the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
