//! `admin promotion …`: codes that give credits to whoever redeems them.

use std::fmt::Write;

use anyhow::ensure;
use clap::{Args, Subcommand};
use entity::{Credits, Mode, Timestamp, promotion as stored};

use crate::command::desk::Desk;
use crate::command::{Answer, parse};
use crate::customer::promotion::{self, NewPromotion};

/// A century: longer than any promise is kept.
const DAYS_MAX: i64 = 36_500;

#[derive(Debug, Subcommand)]
pub enum Promotion {
    /// Make a code and print it
    Create(Create),
    /// Show every code, the newest first
    List,
    /// Let nobody else redeem a code; what was redeemed stays
    Revoke {
        #[arg(value_parser = code)]
        code: String,
    },
}

#[derive(Debug, Args)]
pub struct Create {
    /// The code, in any case; without this, one that nobody guesses
    #[arg(long, value_parser = code)]
    code: Option<String>,
    /// Credits that each account is given
    #[arg(long, value_parser = parse::positive_credits)]
    credits: Credits,
    /// live or test: accounts of the other mode can't redeem it
    #[arg(long, default_value = "live", value_parser = parse::mode)]
    mode: Mode,
    /// Accounts that may redeem it, once each
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    redemptions: u32,
    /// Day (from midnight UTC) or instant from which it can't be redeemed any more
    #[arg(long, value_name = "DAY", value_parser = parse::instant)]
    expires: Option<Timestamp>,
    /// Days for which the credits can be spent, from the redemption on; without this, for ever
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=DAYS_MAX))]
    grant_days: Option<u32>,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true, value_parser = note)]
    note: String,
    /// Who decided it
    #[arg(long, default_value = "operator", value_parser = parse::text)]
    actor: String,
}

fn code(text: &str) -> Result<String, String> {
    promotion::normal(text).ok_or_else(|| format!("expected {}", promotion::CODE_FORM))
}

fn note(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { parse::text(text) }
}

impl Promotion {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        match self {
            Promotion::Create(create) => create.run(desk).await,
            Promotion::List => list(desk).await,
            Promotion::Revoke { code } => revoke(desk, &code).await,
        }
    }
}

impl Create {
    async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        let now = desk.now();
        ensure!(
            self.expires.is_none_or(|end| end > now),
            "the promotion would be over already: --expires has to be later"
        );
        let new = self.promise();
        let code = new.code.clone();
        let tx = desk.db.begin().await?;
        ensure!(promotion::create(&tx, new, now).await?, "{code} is in use: take another code");
        tx.commit().await?;
        Ok(Answer::good(code))
    }

    fn promise(self) -> NewPromotion {
        NewPromotion {
            code: self.code.unwrap_or_else(promotion::make_code),
            mode: self.mode,
            credits: self.credits,
            redemptions: self.redemptions,
            grant_days: self.grant_days,
            expires_at: self.expires,
            note: self.note,
            created_by: self.actor,
        }
    }
}

async fn list(desk: &Desk) -> anyhow::Result<Answer> {
    let promotions = promotion::list(desk.db.read()).await?;
    let mut text = String::new();
    for promotion in &promotions {
        write_promotion(&mut text, promotion, desk.now())?;
    }
    writeln!(text, "{} promotion(s)", promotions.len())?;
    Ok(Answer::good(text))
}

fn write_promotion(text: &mut String, promotion: &stored::Model, now: Timestamp) -> std::fmt::Result {
    let stored::Model { code, mode, credits, redemptions, redemptions_max, .. } = promotion;
    let (mode, state) = (mode.as_str(), state(promotion, now));
    write!(text, "{code}  {mode}  {credits} credits")?;
    if let Some(days) = promotion.grant_days {
        write!(text, " for {days} day(s)")?;
    }
    write!(text, "  {redemptions} of {redemptions_max} redeemed  {state}")?;
    if let Some(end) = promotion.expires_at {
        write!(text, ", until {end}")?;
    }
    write!(text, "  by {} at {}", promotion.created_by, promotion.created_at)?;
    if !promotion.note.is_empty() {
        write!(text, "  {}", promotion.note)?;
    }
    writeln!(text)
}

fn state(promotion: &stored::Model, now: Timestamp) -> &'static str {
    if promotion.revoked_at.is_some() {
        "revoked"
    } else if promotion.expires_at.is_some_and(|end| end <= now) {
        "expired"
    } else if promotion.redemptions >= promotion.redemptions_max {
        "used up"
    } else {
        "open"
    }
}

async fn revoke(desk: &Desk, code: &str) -> anyhow::Result<Answer> {
    let tx = desk.db.begin().await?;
    ensure!(promotion::revoke(&tx, code, desk.now()).await?, "no such promotion");
    tx.commit().await?;
    Ok(Answer::good(format!("{code} is revoked")))
}
