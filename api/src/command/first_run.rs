//! The demonstration: on the first start of a local server on SQLite, somebody to try it as.
//!
//! Its passwords lie in a file, so it must never be reachable from outside: it is made on loopback only, and a server with
//! anything of it in the database refuses to listen anywhere else.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use entity::grant::GrantClass;
use entity::user::{StaffRole, UserRole};
use entity::{AccountId, Credits, KeyId, Mode, customer};
use rand::RngExt;
use rand::distr::Alphanumeric;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use secrecy::{ExposeSecret, SecretString};

use crate::app::{App, write_private};
use crate::config::Config;
use crate::customer::caller::INFERENCE_SCOPES;
use crate::customer::credits::{self, NewGrant};
use crate::customer::key::{self, NewKey};
use crate::customer::people::{self, Position};
use crate::ledger::read;

const EMAIL: &str = "demo@example.com";
const ADMIN_EMAIL: &str = "admin@example.com";
const CREDITS: Credits = Credits::from_thousandths(1_000_000);
const REFERENCE: &str = "demo:welcome";
const PASSWORD_CHARS: usize = 20;

/// Where the demonstration's key and passwords are.
pub fn demo_file(config: &Config) -> PathBuf {
    config.data_dir.join("demo.env")
}

/// Refuses to serve the demonstration to others than this machine.
pub async fn refuse_exposed_demo(app: &App) -> anyhow::Result<()> {
    if !is_local(&app.config) && people::has_demo(app.db.read()).await? {
        bail!(
            "the database holds the demonstration, whose passwords lie in a file: it is served on loopback only \
             (REELMETER_LISTEN, REELMETER_PUBLIC_URL); use another REELMETER_DATA_DIR for a server that others can reach"
        );
    }
    Ok(())
}

/// Makes the demonstration in an empty database, or completes what an earlier start began.
pub async fn prepare(app: &App) -> anyhow::Result<()> {
    if app.db.is_postgres() || !is_local(&app.config) {
        return Ok(());
    }
    if people::is_empty(app.db.read()).await? {
        create(app).await.context("cannot make the demonstration")?;
    }
    if let Some(account) = demo_account(app).await? {
        welcome(app, account).await?;
        follow_address(app)?;
    }
    Ok(())
}

/// Whether only this machine can reach the server, also through the address that customers are told.
fn is_local(config: &Config) -> bool {
    let public = config.public_url.as_ref().and_then(|url| url.host_str());
    config.listen.ip().is_loopback() && public.is_none_or(is_loopback_name)
}

fn is_loopback_name(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What `demo.env` gives away.
struct Access {
    key: SecretString,
    password: SecretString,
    admin_password: SecretString,
}

/// The file is written before the commit: the other way round, a crash in between would leave people nobody knows the
/// passwords of.
async fn create(app: &App) -> anyhow::Result<()> {
    let tx = app.db.begin().await?;
    let access = create_people(app, &tx).await?;
    write_demo_file(app, &demo_env(&host(&app.config), &access))?;
    tx.commit().await?;
    Ok(())
}

async fn create_people(app: &App, tx: &DatabaseTransaction) -> anyhow::Result<Access> {
    let (clock, now) = (&app.clock, app.clock.now());
    let customer = people::create(tx, clock, "Demo", true).await?;
    people::admit(tx, customer.id, now).await?;
    let new = NewKey {
        name: "Demo".to_owned(),
        scopes: INFERENCE_SCOPES.map(str::to_owned).to_vec(),
        demo: true,
        ..NewKey::default()
    };
    let account = (customer.id, customer.test, Mode::Test);
    let key = key::create(tx, KeyId(clock.new_id()), account, new, now).await?;
    let (password, admin_password) = (random_password(), random_password());
    let owner = Position::Member(customer.id, UserRole::Owner);
    people::create_user(tx, clock, EMAIL, &password, owner, true).await?;
    people::create_user(tx, clock, ADMIN_EMAIL, &admin_password, Position::Staff(StaffRole::Admin), true)
        .await?;
    Ok(Access { key, password, admin_password })
}

/// Letters and digits, some 119 bits.
pub fn random_password() -> SecretString {
    let password: String =
        rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARS).map(char::from).collect();
    SecretString::from(password)
}

async fn demo_account(app: &App) -> Result<Option<AccountId>, DbErr> {
    let db = app.db.read();
    let demo = customer::Entity::find().filter(customer::Column::Demo.eq(true)).one(db).await?;
    let Some(demo) = demo else { return Ok(None) };
    let test = read::account_of(db, demo.id, Mode::Test).await?;
    Ok(test.map(|account| account.id))
}

/// The credits to try it with, once: the reference makes a second time do nothing.
async fn welcome(app: &App, account: AccountId) -> anyhow::Result<()> {
    let grant = NewGrant {
        class: GrantClass::Promotional,
        amount: CREDITS,
        expires_at: None,
        cost_basis: 0,
        reference: REFERENCE.to_owned(),
    };
    credits::grant(&app.ledger, &app.clock, account, grant)
        .await
        .context("cannot grant the demonstration's credits")?;
    Ok(())
}

fn host(config: &Config) -> String {
    format!("http://{}", config.listen)
}

/// Lines that other programs can read as `NAME=VALUE`; the last one lets programs started from a shell see them too.
fn demo_env(host: &str, access: &Access) -> String {
    let (key, password) = (access.key.expose_secret(), access.password.expose_secret());
    let admin_password = access.admin_password.expose_secret();
    format!(
        "REEL_HOST={host}\n\
         REEL_API_KEY={key}\n\
         REEL_EMAIL={EMAIL}\n\
         REEL_PASSWORD={password}\n\
         REEL_ADMIN_EMAIL={ADMIN_EMAIL}\n\
         REEL_ADMIN_PASSWORD={admin_password}\n\
         export REEL_HOST REEL_API_KEY REEL_EMAIL REEL_PASSWORD REEL_ADMIN_EMAIL REEL_ADMIN_PASSWORD\n"
    )
}

/// Lets `REEL_HOST` follow the address of this start.
fn follow_address(app: &App) -> anyhow::Result<()> {
    let path = demo_file(&app.config);
    if !path.exists() {
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let moved = with_host(&text, &host(&app.config));
    if moved == text { Ok(()) } else { write_demo_file(app, &moved) }
}

fn with_host(text: &str, host: &str) -> String {
    let line = |line: &str| match line.starts_with("REEL_HOST=") {
        true => format!("REEL_HOST={host}\n"),
        false => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// By way of a second file, so that a crash leaves the old one or the new one, never half of it.
fn write_demo_file(app: &App, text: &str) -> anyhow::Result<()> {
    let path = demo_file(&app.config);
    let new = path.with_extension("env.new");
    write_private(&new, text)?;
    std::fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &str, public_url: Option<&str>) -> Config {
        Config {
            listen: listen.parse().unwrap(),
            public_url: public_url.map(|url| url.parse().unwrap()),
            ..Config::default()
        }
    }

    #[test]
    fn only_loopback_is_local() {
        for (listen, public_url, local) in [
            ("127.0.0.1:8080", None, true),
            ("[::1]:8080", Some("http://localhost:8080"), true),
            ("127.0.0.1:8080", Some("http://[::1]/"), true),
            ("0.0.0.0:8080", None, false),
            ("192.168.1.2:8080", Some("http://localhost"), false),
            ("127.0.0.1:8080", Some("https://api.example.com"), false),
        ] {
            assert_eq!(is_local(&config(listen, public_url)), local, "{listen} {public_url:?}");
        }
    }

    #[test]
    fn the_host_follows_and_nothing_else_changes() {
        let secret = |text: &str| SecretString::from(text);
        let access = Access { key: secret("k"), password: secret("p"), admin_password: secret("a") };
        let text = demo_env("http://127.0.0.1:8080", &access);
        assert_eq!(with_host(&text, "http://127.0.0.1:8080"), text);
        assert_eq!(with_host(&text, "http://[::1]:1"), demo_env("http://[::1]:1", &access));
    }

    #[test]
    fn passwords_are_long_and_differ() {
        let (one, other) = (random_password(), random_password());
        assert_eq!(one.expose_secret().len(), PASSWORD_CHARS);
        assert_ne!(one.expose_secret(), other.expose_secret());
    }
}
