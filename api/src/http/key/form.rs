//! Reading what a key is to be allowed. Everything that is wrong is named in one answer, beside its field.

use std::num::NonZeroU32;

use entity::{Mode, Timestamp};
use ipnet::IpNet;

use crate::customer::caller::{INFERENCE_SCOPES, MANAGEMENT_SCOPES};
use crate::customer::key::{NewKey, network};
use crate::customer::keyring::Change;
use crate::http::body::Fields;
use crate::video::catalog::Catalog;
use crate::video::request::FieldErrors;
use crate::video::rules::unknown_model;

const NAME_MAX_CHARS: usize = 100;
const IP_RANGES_MAX: usize = 50;
const RATE_MAX: u32 = 60_000;
const TASKS_MAX: u32 = 100_000;
const OVERLAP_MAX_S: u32 = 604_800;
const OVERLAP_S: u32 = 86_400;

/// What a form is held to.
pub struct Bounds<'a> {
    pub catalog: &'a Catalog,
    /// The customer's price group.
    pub group: &'a str,
    pub now: Timestamp,
}

/// A key that is asked for.
pub struct Asked {
    pub new: NewKey,
    /// Absent: the caller's.
    pub mode: Option<Mode>,
    pub warnings: Vec<String>,
}

/// Reads what a new key may do; `only` is the mode that the caller can't choose another than.
pub fn new_key(mut fields: Fields, bounds: &Bounds, only: Option<Mode>) -> Result<Asked, FieldErrors> {
    fields.require("name");
    let mut new = NewKey { name: name(&mut fields, "name").unwrap_or_default(), ..NewKey::default() };
    new.scopes = scopes(&mut fields).unwrap_or_else(|| INFERENCE_SCOPES.map(str::to_owned).to_vec());
    new.models = models(&mut fields, "models", bounds.catalog);
    new.ip_ranges = ip_ranges(&mut fields, "ipRanges");
    new.rate_per_minute = rate(&mut fields, "ratePerMinute");
    new.max_tasks = max_tasks(&mut fields, "maxTasks");
    new.expires_at = expiry(&mut fields, "expiresAt", bounds.now);
    new.group = group(&mut fields, bounds.group);
    let mode = mode(&mut fields, only);
    fields.part("caps", |caps| {
        new.cap_day = caps.credits("day");
        new.cap_week = caps.credits("week");
        new.cap_month = caps.credits("month");
        new.cap_lifetime = caps.credits("lifetime");
    });
    let warnings = fields.finish()?.into_iter().collect();
    Ok(Asked { new, mode, warnings })
}

/// Reads what is to become different about a key.
pub fn change(mut fields: Fields, bounds: &Bounds) -> Result<(Change, Vec<String>), FieldErrors> {
    for fixed in ["scopes", "mode", "group"] {
        if fields.names(fixed) {
            fields.wrong(fixed, "Can't be changed: make another key");
        }
    }
    let name = fields.change("name", name);
    if name == Some(None) {
        fields.wrong("name", "Required");
    }
    let mut change = Change {
        name: name.flatten(),
        models: fields.change("models", |fields, name| models(fields, name, bounds.catalog)),
        ip_ranges: fields.change("ipRanges", ip_ranges),
        rate_per_minute: fields.change("ratePerMinute", rate),
        max_tasks: fields.change("maxTasks", max_tasks),
        expires_at: fields.change("expiresAt", |fields, name| expiry(fields, name, bounds.now)),
        ..Change::default()
    };
    let caps = fields.change("caps", |fields, name| fields.part(name, |caps| change_caps(&mut change, caps)));
    if caps == Some(None) {
        (change.cap_day, change.cap_week) = (Some(None), Some(None));
        (change.cap_month, change.cap_lifetime) = (Some(None), Some(None));
    }
    let warnings = fields.finish()?.into_iter().collect();
    Ok((change, warnings))
}

fn change_caps(change: &mut Change, caps: &mut Fields) {
    change.cap_day = caps.change("day", Fields::credits);
    change.cap_week = caps.change("week", Fields::credits);
    change.cap_month = caps.change("month", Fields::credits);
    change.cap_lifetime = caps.change("lifetime", Fields::credits);
}

/// Reads for how many seconds the old secret stays good.
pub fn overlap_s(mut fields: Fields) -> Result<(u32, Vec<String>), FieldErrors> {
    let name = "overlapSeconds";
    let asked = fields.whole::<u32>(name);
    let allowed = format!("0 to {OVERLAP_MAX_S}");
    let overlap_s = fields.checked(name, asked, |seconds| *seconds <= OVERLAP_MAX_S, &allowed);
    let warnings = fields.finish()?.into_iter().collect();
    Ok((overlap_s.unwrap_or(OVERLAP_S), warnings))
}

fn name(fields: &mut Fields, name: &str) -> Option<String> {
    let text = fields.text(name).map(|text| text.trim().to_owned());
    let fits = |text: &String| {
        (1..=NAME_MAX_CHARS).contains(&text.chars().count()) && !text.contains(char::is_control)
    };
    let allowed = format!("1 to {NAME_MAX_CHARS} characters on one line");
    fields.checked(name, text, fits, &allowed)
}

/// All of one kind: a key generates or it manages, never both.
fn scopes(fields: &mut Fields) -> Option<Vec<String>> {
    let scopes = fields.list("scopes");
    let all_of = |known: &[&str], scopes: &[String]| scopes.iter().all(|own| known.contains(&own.as_str()));
    let fits = |scopes: &Vec<String>| {
        !scopes.is_empty() && (all_of(&INFERENCE_SCOPES, scopes) || all_of(&MANAGEMENT_SCOPES, scopes))
    };
    let allowed = format!(
        "some of {} (a key that generates), or some of {} (one that manages)",
        INFERENCE_SCOPES.join(", "),
        MANAGEMENT_SCOPES.join(", ")
    );
    fields.checked("scopes", scopes, fits, &allowed)
}

/// Ids or aliases; the key remembers ids.
fn models(fields: &mut Fields, name: &str, catalog: &Catalog) -> Option<Vec<String>> {
    let names = fields.list(name);
    let allowed = "at least one model, or null for all";
    let names = fields.checked(name, names, |names| !names.is_empty(), allowed)?;
    let mut ids: Vec<String> = Vec::new();
    for wanted in names {
        match catalog.model(&wanted) {
            Some(model) if ids.contains(&model.id) => {}
            Some(model) => ids.push(model.id.clone()),
            None => fields.wrong(name, format!("{}: {}", shown(&wanted), unknown_model(&wanted, catalog))),
        }
    }
    Some(ids)
}

fn ip_ranges(fields: &mut Fields, name: &str) -> Option<Vec<IpNet>> {
    let texts = fields.list(name);
    let fits = |texts: &Vec<String>| (1..=IP_RANGES_MAX).contains(&texts.len());
    let allowed = format!("1 to {IP_RANGES_MAX} networks, or null for everywhere");
    let texts = fields.checked(name, texts, fits, &allowed)?;
    let mut ranges = Vec::new();
    for text in texts {
        match network(&text) {
            Some(range) => ranges.push(range),
            None => {
                let text = shown(&text);
                fields
                    .wrong(name, format!("{text}: Must be an address, or a network such as 203.0.113.0/24"));
            }
        }
    }
    Some(ranges)
}

fn rate(fields: &mut Fields, name: &str) -> Option<NonZeroU32> {
    let rate = fields.whole::<u32>(name);
    let allowed = format!("1 to {RATE_MAX}");
    fields.checked(name, rate, |rate| (1..=RATE_MAX).contains(rate), &allowed).and_then(NonZeroU32::new)
}

fn max_tasks(fields: &mut Fields, name: &str) -> Option<u32> {
    let limit = fields.whole::<u32>(name);
    fields.checked(name, limit, |limit| *limit <= TASKS_MAX, &format!("0 to {TASKS_MAX}"))
}

fn expiry(fields: &mut Fields, name: &str, now: Timestamp) -> Option<Timestamp> {
    let end = fields.instant(name);
    fields.checked(name, end, |end| *end > now, "in the future")
}

/// Groups have prices of their own, so nobody chooses theirs.
fn group(fields: &mut Fields, own: &str) -> Option<String> {
    let group = fields.text("group");
    fields.checked("group", group, |group| group == own, &format!("your own price group, {own}"))
}

fn mode(fields: &mut Fields, only: Option<Mode>) -> Option<Mode> {
    let modes = [Mode::Live, Mode::Test];
    let mode =
        fields.word("mode", "live or test", |text| modes.into_iter().find(|mode| mode.as_str() == text));
    let allowed = only.map(|only| format!("{}, the mode of the key that makes it", only.as_str()));
    fields.checked("mode", mode, |mode| only.is_none_or(|only| only == *mode), &allowed.unwrap_or_default())
}

/// As much of a text as an error repeats.
fn shown(text: &str) -> String {
    text.chars().take(NAME_MAX_CHARS).collect()
}
