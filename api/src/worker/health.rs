//! How well each key of each provider works: learned from what its calls came to, told to all processes by one row a key.
//!
//! Only faults of the upstream count: what it says about a customer's request shows that it works.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::Timestamp;
use entity::provider_health::{self, Column, HealthState};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel};

use super::Context;
use super::dock::Dock;
use crate::provider::{FailureCode, ProviderError};

/// Faults in a row after which a key rests.
const FAULTS_MAX: u32 = 5;
/// Its first rest; each one after it is twice as long.
const FIRST_REST_S: i64 = 15;
const LONGEST_REST_S: i64 = 600;
/// How long a key is left alone that has no money, or no right.
const OUT_S: i64 = 600;
/// A request to be left alone is told to everybody if it is for longer than this.
const TOLD_FROM_MS: u64 = 2_000;
/// Faults that change nothing are noted as often as this.
const NOTED_EVERY_S: i64 = 30;

/// What a call came to, as far as it tells something about the key.
#[derive(Clone, Debug)]
pub enum Sign {
    Works,
    Fault { code: FailureCode, detail: String, retry_after_ms: Option<u64> },
}

impl Sign {
    /// Of a submission. What was refused for what it is was answered as it should be.
    pub fn of<T>(result: &Result<T, ProviderError>) -> Sign {
        let fault = |code, detail: &str, retry_after_ms| Sign::Fault {
            code,
            detail: detail.chars().take(500).collect(),
            retry_after_ms,
        };
        match result {
            Ok(_) => Sign::Works,
            Err(ProviderError::Rejected(failure)) if !failure.code.is_upstream_fault() => Sign::Works,
            Err(ProviderError::Rejected(failure)) => {
                fault(failure.code, failure.detail.as_deref().unwrap_or_default(), None)
            }
            Err(ProviderError::Unavailable { failure, retry_after_ms }) => {
                fault(failure.code, failure.detail.as_deref().unwrap_or_default(), *retry_after_ms)
            }
            Err(ProviderError::Unknown(detail) | ProviderError::Broken(detail)) => {
                fault(FailureCode::Transient, detail, None)
            }
        }
    }
}

/// The state of one key: pure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Breaker {
    faults: u32,
    rests: u32,
    /// While it rests.
    rests_until: Option<Timestamp>,
    is_out: bool,
    noted_at: Option<Timestamp>,
}

impl Breaker {
    /// Whether everybody has to be told.
    fn hear(&mut self, sign: &Sign, now: Timestamp) -> bool {
        match sign {
            Sign::Works => {
                let is_news =
                    *self != Breaker::default() && (self.rests_until.is_some() || self.noted_at.is_some());
                *self = Breaker::default();
                is_news
            }
            Sign::Fault { code, retry_after_ms, .. } => self.hear_fault(*code, *retry_after_ms, now),
        }
    }

    fn hear_fault(&mut self, code: FailureCode, retry_after_ms: Option<u64>, now: Timestamp) -> bool {
        let is_out = matches!(code, FailureCode::Balance | FailureCode::Auth);
        // Calls that were under way when it began to rest say nothing new.
        if self.rests_until.is_some_and(|until| until > now) && (self.is_out || !is_out) {
            return false;
        }
        let rest_s = match code {
            FailureCode::Balance | FailureCode::Auth => {
                self.is_out = true;
                Some(OUT_S)
            }
            FailureCode::RateLimited => retry_after_ms
                .filter(|millis| *millis >= TOLD_FROM_MS)
                .map(|millis| seconds_up(millis).min(LONGEST_REST_S)),
            // One model less; the key may work for the others.
            FailureCode::ModelUnavailable => None,
            _ => {
                self.faults = self.faults.saturating_add(1);
                (self.faults >= FAULTS_MAX).then(|| self.next_rest())
            }
        };
        match rest_s {
            Some(seconds) => {
                self.rests_until = Some(now.plus_seconds(seconds));
                self.noted_at = Some(now);
                true
            }
            None => {
                let is_due = self.noted_at.is_none_or(|at| at.plus_seconds(NOTED_EVERY_S) <= now);
                if is_due {
                    self.noted_at = Some(now);
                }
                is_due
            }
        }
    }

    /// One call is let through after a rest; if that fails, too, the next rest is longer.
    fn next_rest(&mut self) -> i64 {
        let rest = FIRST_REST_S.saturating_mul(1 << self.rests.min(10)).min(LONGEST_REST_S);
        self.rests = self.rests.saturating_add(1);
        self.faults = FAULTS_MAX - 1;
        rest
    }
}

fn seconds_up(millis: u64) -> i64 {
    i64::try_from(millis.div_ceil(1_000)).unwrap_or(LONGEST_REST_S)
}

/// What this worker knows of the keys. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<Mutex<HashMap<(String, String), Breaker>>>);

impl Keys {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// Learns from what a call came to.
    pub async fn learn(&self, dock: &Dock, sign: Sign) {
        let now = self.app.clock.now();
        let key = (dock.name().to_owned(), dock.endpoint.id.clone());
        let (is_news, breaker) = {
            let mut keys = self.keys.lock();
            let breaker = keys.entry(key).or_default();
            (breaker.hear(&sign, now), breaker.clone())
        };
        let takes_back = matches!(sign, Sign::Works) && self.is_noted(dock, now).await;
        if !is_news && !takes_back {
            return;
        }
        announce(dock, &sign, &breaker);
        match self.write_health(row(dock, &sign, &breaker, now)).await {
            Ok(()) => self.app.video.supply.health_changed(),
            Err(error) => tracing::warn!(%error, "the health of a provider's key could not be written"),
        }
    }

    /// Whether somebody else has written of a rest that is over.
    async fn is_noted(&self, dock: &Dock, now: Timestamp) -> bool {
        let health = self.app.video.supply.health(now).await;
        let key = (dock.name().to_owned(), dock.endpoint.id.clone());
        health.is_ok_and(|health| health.get(&key).is_some_and(|rest| rest.until <= now))
    }

    async fn write_health(&self, row: provider_health::Model) -> Result<(), DbErr> {
        let mut columns = vec![Column::State, Column::Failures, Column::RestsUntil, Column::ChangedAt];
        // What was wrong last stays to be seen.
        if row.error_at.is_some() {
            columns.extend([Column::ErrorClass, Column::ErrorDetail, Column::ErrorAt]);
        }
        let newest =
            OnConflict::columns([Column::Provider, Column::Endpoint]).update_columns(columns).to_owned();
        let tx = self.app.db.begin().await?;
        provider_health::Entity::insert(row.into_active_model())
            .on_conflict(newest)
            .exec_without_returning(&tx)
            .await?;
        tx.commit().await
    }
}

fn row(dock: &Dock, sign: &Sign, breaker: &Breaker, now: Timestamp) -> provider_health::Model {
    let state = match breaker {
        Breaker { is_out: true, .. } => HealthState::Out,
        Breaker { rests_until: Some(_), .. } => HealthState::Resting,
        _ => HealthState::Ok,
    };
    let error = match sign {
        Sign::Works => None,
        Sign::Fault { code, detail, .. } => Some((code.class().to_owned(), detail.clone())),
    };
    let error_at = error.is_some().then_some(now);
    let (error_class, error_detail) = error.unzip();
    provider_health::Model {
        provider: dock.name().to_owned(),
        endpoint: dock.endpoint.id.clone(),
        state,
        failures: i64::from(breaker.faults),
        rests_until: breaker.rests_until,
        error_class,
        error_detail,
        error_at,
        changed_at: now,
    }
}

/// No money and no right are for a person to mend, whom this line has to reach.
fn announce(dock: &Dock, sign: &Sign, breaker: &Breaker) {
    let (provider, key) = (dock.name(), dock.endpoint.id.as_str());
    match sign {
        Sign::Works => tracing::info!(provider, key, "the provider's key works again"),
        Sign::Fault { code, detail, .. } if breaker.is_out => {
            tracing::error!(provider, key, class = code.class(), detail, "the provider's key is taken out");
        }
        Sign::Fault { code, detail, .. } if breaker.rests_until.is_some() => {
            tracing::warn!(provider, key, class = code.class(), detail, "the provider's key rests");
        }
        Sign::Fault { code, detail, .. } => {
            tracing::warn!(provider, key, class = code.class(), detail, "a fault of the provider");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(START + seconds)
    }

    fn fault(code: FailureCode, retry_after_ms: Option<u64>) -> Sign {
        Sign::Fault { code, detail: String::new(), retry_after_ms }
    }

    fn rest(breaker: &Breaker) -> Option<i64> {
        breaker.rests_until.map(|until| until.seconds() - START)
    }

    #[test]
    fn a_key_rests_after_faults_in_a_row_and_each_time_longer() {
        let mut breaker = Breaker::default();
        for n in 0..4 {
            breaker.hear(&fault(FailureCode::Transient, None), at(n));
            assert_eq!(rest(&breaker), None);
        }
        assert!(breaker.hear(&fault(FailureCode::Transient, None), at(4)));
        assert_eq!(rest(&breaker), Some(19));
        // Calls that were under way.
        assert!(!breaker.hear(&fault(FailureCode::Transient, None), at(5)));
        assert_eq!(rest(&breaker), Some(19));
        // The first one after the rest.
        assert!(breaker.hear(&fault(FailureCode::Transient, None), at(20)));
        assert!(rest(&breaker).is_some_and(|until| until >= 50), "{breaker:?}");
        assert!(breaker.hear(&Sign::Works, at(60)));
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn what_worked_in_between_begins_the_count_anew() {
        let mut breaker = Breaker::default();
        for n in 0..20 {
            breaker.hear(&fault(FailureCode::Transient, None), at(n));
            breaker.hear(&Sign::Works, at(n));
            assert_eq!(rest(&breaker), None);
        }
    }

    #[test]
    fn no_money_and_no_right_take_a_key_out_at_once() {
        for code in [FailureCode::Balance, FailureCode::Auth] {
            let mut breaker = Breaker::default();
            assert!(breaker.hear(&fault(code, None), at(0)));
            assert!(breaker.is_out && rest(&breaker) == Some(OUT_S));
        }
    }

    #[test]
    fn who_asks_to_be_left_alone_is() {
        let mut breaker = Breaker::default();
        assert!(breaker.hear(&fault(FailureCode::RateLimited, Some(7_500)), at(0)));
        assert_eq!(rest(&breaker), Some(8));
        let mut breaker = Breaker::default();
        breaker.hear(&fault(FailureCode::RateLimited, Some(100)), at(0));
        breaker.hear(&fault(FailureCode::ModelUnavailable, None), at(0));
        assert_eq!(rest(&breaker), None);
    }

    #[test]
    fn what_is_wrong_with_a_request_says_nothing_of_the_key() {
        for code in [FailureCode::InvalidInput, FailureCode::ModerationInput, FailureCode::Unsupported] {
            let refused: Result<(), _> = Err(ProviderError::refused(code, "", None));
            assert!(matches!(Sign::of(&refused), Sign::Works), "{code:?}");
        }
        let lost: Result<(), _> = Err(ProviderError::Unknown("lost".into()));
        assert!(matches!(Sign::of(&lost), Sign::Fault { code: FailureCode::Transient, .. }));
    }
}
