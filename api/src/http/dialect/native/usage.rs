//! `GET /api/usage`: what the tasks of a time cost, added up; as JSON, or as CSV for a spreadsheet.

mod sheet;

use std::collections::BTreeSet;
use std::sync::Arc;

use entity::{Mode, Timestamp};
use poem::Request;
use poem::http::header::ACCEPT;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::{ApiResponse, Object, OpenApi, ResponseContent};

use super::key_id;
use crate::app::App;
use crate::customer::caller::{By, Identity};
use crate::db;
use crate::http::Tag;
use crate::http::auth::{BillingRead, Caller};
use crate::http::error::ApiError;
use crate::http::query::{Moment, OneOf, Word, Words};
use crate::http::value::{Amount, Moment as Instant, Shown};
use crate::ledger::usage::{self, Group, Row, Sums};

pub struct Usage;

/// What the tasks of a time cost.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct UsageBody {
    from: Instant,
    /// The first moment that counts no more.
    to: Instant,
    /// `live`, `test` or `all`.
    mode: String,
    group_by: Vec<String>,
    /// A row for each group that had tasks, in the order of days, models, keys and modes.
    data: Vec<UsageRow>,
    total: UsageSums,
}

/// The tasks of one group. What is not grouped by is null.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct UsageRow {
    /// In UTC.
    #[oai(nullable)]
    day: Option<String>,
    #[oai(nullable)]
    model: Option<String>,
    /// The API key that made the tasks; null also for tasks that a person made.
    #[oai(nullable)]
    key_id: Option<String>,
    #[oai(nullable)]
    key_name: Option<String>,
    #[oai(nullable)]
    mode: Option<String>,
    #[oai(flatten)]
    sums: UsageSums,
}

/// Tasks added up.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct UsageSums {
    /// What they cost: captured, less what was given back of it.
    credits: Amount,
    /// Reserved for those that have not ended.
    held: Amount,
    /// Given back when they ended, because it was not delivered.
    released: Amount,
    /// Given back later, of what was captured.
    refunded: Amount,
    tasks: i64,
    completed: i64,
    /// Failed or expired.
    failed: i64,
    canceled: i64,
    /// Of delivered clips.
    seconds: f64,
}

#[derive(ApiResponse)]
enum UsageAnswer {
    /// Usage, as JSON or as CSV.
    #[oai(status = 200)]
    Rows(UsageContent, #[oai(header = "Vary")] String, #[oai(header = "Content-Disposition")] Option<String>),
}

#[derive(ResponseContent)]
enum UsageContent {
    Json(Json<UsageBody>),
    #[oai(content_type = "text/csv; charset=utf-8", actual_type = "PlainText<String>")]
    Csv(PlainText<String>),
}

/// Which of a customer's modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Modes {
    Live,
    Test,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    Json,
    Csv,
}

impl Word for Group {
    fn all() -> &'static [Group] {
        &[Group::Day, Group::Model, Group::Key, Group::Mode]
    }

    fn as_str(self) -> &'static str {
        match self {
            Group::Day => "day",
            Group::Model => "model",
            Group::Key => "key",
            Group::Mode => "mode",
        }
    }
}

impl Word for Modes {
    fn all() -> &'static [Modes] {
        &[Modes::Live, Modes::Test, Modes::All]
    }

    fn as_str(self) -> &'static str {
        match self {
            Modes::Live => "live",
            Modes::Test => "test",
            Modes::All => "all",
        }
    }
}

impl Word for Format {
    fn all() -> &'static [Format] {
        &[Format::Json, Format::Csv]
    }

    fn as_str(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Csv => "csv",
        }
    }
}

/// The longest time that is added up, and the one that is when none is asked for, in days.
const DAYS_MAX: i64 = 366;
const DAYS_DEFAULT: i64 = 30;
const DAY_SECONDS: i64 = 86_400;
/// More rows than anybody reads are no summary.
const ROWS_MAX: usize = 10_000;

#[OpenApi(tag = "Tag::Credits")]
impl Usage {
    /// Read usage
    ///
    /// What tasks cost, added up by day, model, key or mode. A task counts at the moment it was accepted, also when it was
    /// settled or refunded later, and also when it was deleted since. `credits`, `refunded`, `released` and `held` together are
    /// what the tasks reserved. Days are UTC's.
    ///
    /// `format=csv`, or `Accept: text/csv`, answers with the rows for a spreadsheet, without the total. A key's name that a
    /// spreadsheet would take for a formula has an apostrophe in front.
    ///
    /// Scope: `billing:read`.
    #[oai(path = "/api/usage", method = "get", operation_id = "getUsage")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn usage(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<BillingRead>,
        request: &Request,
        /// The first day, or moment (RFC 3339), that counts; without it today and the 29 days before. At most 366 days
        /// before `to`.
        from: Query<Option<Moment>>,
        /// The last day that counts, or the first moment that counts no more; without it now.
        to: Query<Option<Moment>>,
        /// What a row is about, comma-separated or one by one; `day` when absent.
        #[oai(name = "groupBy")]
        group_by: Query<Option<Words<Group>>>,
        /// Only this model, by id or alias.
        model: Query<Option<String>>,
        /// Only this API key, by id.
        key: Query<Option<String>>,
        /// `live`, `test` or `all`; yours when absent. A key sees its own mode only, which is then all there is.
        mode: Query<Option<OneOf<Modes>>>,
        /// `json` or `csv`; as `Accept` says when absent.
        format: Query<Option<OneOf<Format>>>,
    ) -> Result<UsageAnswer, ApiError> {
        let (from, to) = range(from.0, to.0, app.clock.now())?;
        let modes = mode.0.map(|mode| mode.0);
        let query = usage::Query {
            customer: caller.customer,
            modes: visible(&caller, modes)?,
            from,
            to,
            model: model.0.as_deref().map(|name| app.video.model_id(name)),
            key: key.0.as_deref().map(key_id).transpose()?,
            groups: group_by.0.map_or(BTreeSet::from([Group::Day]), |words| words.0),
        };
        let rows = usage::usage(app.db.read(), &query, ROWS_MAX as u64 + 1).await;
        let rows = rows.map_err(|error| ApiError::database(db::fault(&error), error))?;
        if rows.len() > ROWS_MAX {
            let message =
                format!("Makes more than {ROWS_MAX} rows: group by less, or ask for a shorter time");
            return Err(ApiError::field("groupBy", message));
        }
        match format.0.map_or_else(|| accepted(request), |format| format.0) {
            Format::Json => Ok(as_json(query, modes.unwrap_or(own(&caller)), rows)?),
            Format::Csv => as_csv(&query, &rows),
        }
    }
}

fn own(caller: &Identity) -> Modes {
    match caller.mode {
        Mode::Live => Modes::Live,
        Mode::Test => Modes::Test,
    }
}

/// A key is one mode's; a person may look at both of their customer's.
fn visible(caller: &Identity, asked: Option<Modes>) -> Result<Vec<Mode>, ApiError> {
    let is_key = matches!(caller.by, By::Key(_));
    let modes = match asked {
        None => vec![caller.mode],
        Some(Modes::All) if is_key => vec![caller.mode],
        Some(Modes::All) => vec![Mode::Live, Mode::Test],
        Some(Modes::Live) => vec![Mode::Live],
        Some(Modes::Test) => vec![Mode::Test],
    };
    if is_key && modes != [caller.mode] {
        return Err(ApiError::field("mode", format!("A {0} key sees {0} usage only", caller.mode.as_str())));
    }
    Ok(modes)
}

fn range(
    from: Option<Moment>,
    to: Option<Moment>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), ApiError> {
    let to = to.map_or(now, Moment::end);
    // The day before the end's first moment is the last one that counts.
    let last_day = Timestamp::from_micros(to.micros() - 1).day();
    let from = from.map_or(last_day.plus_seconds(-(DAYS_DEFAULT - 1) * DAY_SECONDS), Moment::start);
    if from >= to {
        return Err(ApiError::field(
            "from",
            "Must be before the end, which is now unless `to` says otherwise",
        ));
    }
    if from < to.plus_seconds(-DAYS_MAX * DAY_SECONDS) {
        return Err(ApiError::field("from", format!("Must be at most {DAYS_MAX} days before the end")));
    }
    Ok((from, to))
}

fn accepted(request: &Request) -> Format {
    let accept = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accept.flat_map(|value| value.split(','));
    let is_csv =
        |part: &str| part.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("text/csv"));
    if types.any(is_csv) { Format::Csv } else { Format::Json }
}

fn as_json(query: usage::Query, mode: Modes, rows: Vec<Row>) -> Result<UsageAnswer, ApiError> {
    let total = rows.iter().try_fold(Sums::default(), |total, row| total.plus(&row.sums));
    let total = total.ok_or_else(|| ApiError::internal(anyhow::anyhow!("usage can't be counted")))?;
    let body = UsageBody {
        from: Shown(query.from),
        to: Shown(query.to),
        mode: mode.as_str().to_owned(),
        group_by: query.groups.iter().map(|group| group.as_str().to_owned()).collect(),
        data: rows.into_iter().map(row_body).collect(),
        total: sums_body(&total),
    };
    Ok(UsageAnswer::Rows(UsageContent::Json(Json(body)), VARY.to_owned(), None))
}

const VARY: &str = "Accept";

fn row_body(row: Row) -> UsageRow {
    UsageRow {
        day: row.day.map(date),
        model: row.model,
        key_id: row.key.map(|key| key.to_string()),
        key_name: row.key_name,
        mode: row.mode.map(|mode| mode.as_str().to_owned()),
        sums: sums_body(&row.sums),
    }
}

fn date(day: Timestamp) -> String {
    day.date_time().format("%Y-%m-%d").to_string()
}

fn sums_body(sums: &Sums) -> UsageSums {
    UsageSums {
        credits: Shown(sums.credits()),
        held: Shown(sums.held),
        released: Shown(sums.released),
        refunded: Shown(sums.refunded),
        tasks: sums.tasks,
        completed: sums.completed,
        failed: sums.failed,
        canceled: sums.canceled,
        seconds: seconds(sums),
    }
}

fn seconds(sums: &Sums) -> f64 {
    sums.millis as f64 / 1_000.0
}

fn as_csv(query: &usage::Query, rows: &[Row]) -> Result<UsageAnswer, ApiError> {
    let text = sheet::text(&query.groups, rows).map_err(ApiError::internal)?;
    let last = Timestamp::from_micros(query.to.micros() - 1);
    let name = format!("attachment; filename=\"usage-{}-{}.csv\"", date(query.from), date(last));
    Ok(UsageAnswer::Rows(UsageContent::Csv(PlainText(text)), VARY.to_owned(), Some(name)))
}

#[cfg(test)]
mod tests {
    use entity::KeyId;

    use super::*;

    const DAY: i64 = 1_795_737_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(DAY + seconds)
    }

    #[test]
    fn a_time_is_whole_days_or_moments_and_at_most_a_year() {
        let (day, instant) = (|s| Some(Moment::Day(at(s))), |s| Some(Moment::Instant(at(s))));
        let now = at(3_600);
        let back = |days: i64| at(-days * DAY_SECONDS);
        for (from, to, expected) in [
            (None, None, (back(29), now)),
            (None, day(0), (back(29), at(DAY_SECONDS))),
            (None, instant(0), (back(30), at(0))),
            (day(0), None, (at(0), now)),
            (day(0), day(0), (at(0), at(DAY_SECONDS))),
            (instant(60), instant(61), (at(60), at(61))),
            (Some(Moment::Day(back(365))), day(0), (back(365), at(DAY_SECONDS))),
        ] {
            assert_eq!(range(from, to, now).unwrap(), expected, "{from:?} {to:?}");
        }
        for (from, to) in [
            (day(DAY_SECONDS), None),
            (day(0), Some(Moment::Day(back(1)))),
            (instant(60), instant(60)),
            (Some(Moment::Day(back(366))), day(0)),
        ] {
            let error = range(from, to, now).unwrap_err();
            assert_eq!(error.field_errors().unwrap().of("from").len(), 1, "{from:?} {to:?}");
        }
    }

    fn identity(by: By) -> Identity {
        let nil = uuid::Uuid::nil();
        Identity {
            customer: entity::CustomerId(nil),
            account: entity::AccountId(nil),
            mode: Mode::Test,
            group: "default".into(),
            scopes: Vec::new(),
            models: None,
            by,
        }
    }

    #[test]
    fn a_key_sees_its_own_mode_and_a_person_sees_both() {
        let nil = uuid::Uuid::nil();
        let key = identity(By::Key(KeyId(nil)));
        assert_eq!(visible(&key, None).unwrap(), [Mode::Test]);
        assert_eq!(visible(&key, Some(Modes::Test)).unwrap(), [Mode::Test]);
        assert_eq!(visible(&key, Some(Modes::All)).unwrap(), [Mode::Test]);
        assert_eq!(visible(&key, Some(Modes::Live)).unwrap_err().field_errors().unwrap().of("mode").len(), 1);
        let (user, session) = (entity::UserId(nil), entity::SessionId(nil));
        let person = identity(By::Session { user, session });
        assert_eq!(visible(&person, None).unwrap(), [Mode::Test]);
        assert_eq!(visible(&person, Some(Modes::Live)).unwrap(), [Mode::Live]);
        assert_eq!(visible(&person, Some(Modes::All)).unwrap(), [Mode::Live, Mode::Test]);
    }
}
