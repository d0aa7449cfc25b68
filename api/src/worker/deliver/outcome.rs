//! What came of a send: what becomes of the delivery, and of the endpoint. Pure; it is written by [`super::record`].

use chrono::DateTime;
use entity::delivery::DeliveryState;
use entity::{Timestamp, delivery};

/// Seconds after each failed try: some three days in all.
const SCHEDULE_SECONDS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// The most seconds that an answer can put us off for.
const RETRY_AFTER_MAX_SECONDS: i64 = 86_400;
/// Seconds for which an endpoint that has too much to do is sent nothing at all.
const SLOW_SECONDS: i64 = 60;
/// Statuses of who has too much to do.
const TOO_MUCH: [u16; 3] = [429, 502, 504];

/// What the receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// As the header says it.
    pub retry_after: Option<String>,
}

/// What is learnt of whom it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// It was not asked.
    Nothing,
    /// It takes what it is sent.
    Listens,
    /// It does not, and wants to be left alone until then.
    Fails { slow_until: Option<Timestamp> },
    /// It says that it never will again.
    IsGone,
}

/// The delivery after a send, or why there was no answer, and what was learnt. `jitter` is 0 to 1: how much of a tenth is
/// added to the wait, so that those who failed together don't come back together.
pub fn after(
    mut delivery: delivery::Model,
    outcome: &Result<Answer, String>,
    now: Timestamp,
    jitter: f64,
) -> (delivery::Model, Lesson) {
    let wait = usize::try_from(delivery.tries).ok().and_then(|n| SCHEDULE_SECONDS.get(n));
    delivery.tries += 1;
    delivery.tried_at = Some(now);
    delivery.last_status = outcome.as_ref().ok().map(|answer| i64::from(answer.status));
    delivery.last_error = outcome.as_ref().err().cloned();
    let lesson = lesson(outcome, now);
    match (lesson, wait) {
        (Lesson::Listens, _) => {
            delivery.state = DeliveryState::Delivered;
            delivery.delivered_at = Some(now);
        }
        (Lesson::Fails { slow_until }, Some(seconds)) => {
            let seconds = *seconds as f64 * (1.0 + jitter / 10.0);
            let next = now.plus_millis((seconds * 1_000.0) as i64);
            delivery.next_at = slow_until.map_or(next, |end| next.max(end));
        }
        (Lesson::Nothing, _) => {}
        (Lesson::Fails { .. }, None) | (Lesson::IsGone, _) => delivery.state = DeliveryState::Failed,
    }
    (delivery, lesson)
}

fn lesson(outcome: &Result<Answer, String>, now: Timestamp) -> Lesson {
    let Ok(answer) = outcome else { return Lesson::Fails { slow_until: None } };
    match answer.status {
        200..=299 => Lesson::Listens,
        410 => Lesson::IsGone,
        status => {
            let asked = answer.retry_after.as_deref().and_then(|text| retry_at(text, now));
            let pause = TOO_MUCH.contains(&status).then(|| now.plus_seconds(SLOW_SECONDS));
            Lesson::Fails { slow_until: asked.max(pause) }
        }
    }
}

/// What `Retry-After` says: seconds or a date. At most a day from now; what is past or can't be read says nothing.
fn retry_at(text: &str, now: Timestamp) -> Option<Timestamp> {
    let date = || DateTime::parse_from_rfc2822(text).ok().map(|date| date.timestamp() - now.seconds());
    let seconds = text.trim().parse::<i64>().ok().or_else(date)?;
    (seconds > 0).then(|| now.plus_seconds(seconds.min(RETRY_AFTER_MAX_SECONDS)))
}

#[cfg(test)]
mod tests {
    use entity::AccountId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(784_111_777);

    fn pending(tries: i64) -> delivery::Model {
        let account = AccountId(uuid::Uuid::nil());
        let new = delivery::Model::to_callback(account, 1, String::new(), Timestamp::from_seconds(0));
        delivery::Model { tries, ..new }
    }

    fn answer(status: u16, retry_after: Option<&str>) -> Result<Answer, String> {
        Ok(Answer { status, retry_after: retry_after.map(str::to_owned) })
    }

    fn sent(tries: i64, outcome: &Result<Answer, String>) -> (delivery::Model, Lesson) {
        after(pending(tries), outcome, NOW, 0.0)
    }

    #[test]
    fn only_2xx_counts_as_taken_410_ends_it_and_everything_else_is_tried_again() {
        let (taken, lesson) = sent(0, &answer(204, None));
        assert_eq!((taken.state, lesson), (DeliveryState::Delivered, Lesson::Listens));
        assert_eq!((taken.delivered_at, taken.tried_at, taken.tries), (Some(NOW), Some(NOW), 1));
        let (gone, lesson) = sent(0, &answer(410, None));
        assert_eq!((gone.state, lesson), (DeliveryState::Failed, Lesson::IsGone));
        for outcome in [answer(302, None), answer(404, None), answer(500, None), Err("no route".to_owned())] {
            let (again, lesson) = sent(0, &outcome);
            assert_eq!((again.state, again.next_at), (DeliveryState::Pending, NOW.plus_seconds(5)));
            assert_eq!(lesson, Lesson::Fails { slow_until: None }, "{outcome:?}");
        }
    }

    #[test]
    fn it_is_tried_ten_times_in_three_days_and_then_given_up() {
        let waits: Vec<i64> =
            (0..9).map(|tries| sent(tries, &answer(500, None)).0.next_at.seconds() - NOW.seconds()).collect();
        assert_eq!(waits, SCHEDULE_SECONDS);
        assert_eq!(sent(9, &answer(500, None)).0.state, DeliveryState::Failed);
    }

    #[test]
    fn a_wait_is_a_tenth_longer_at_most() {
        let (latest, _) = after(pending(1), &answer(500, None), NOW, 1.0);
        assert_eq!(latest.next_at, NOW.plus_seconds(330));
    }

    #[test]
    fn who_has_too_much_to_do_is_left_alone_as_long_as_they_say_but_not_for_ever() {
        for (status, retry_after, seconds) in [
            (429, None, Some(60)),
            (502, None, Some(60)),
            (504, Some("10"), Some(60)),
            (429, Some("120"), Some(120)),
            (503, Some("90"), Some(90)),
            (503, Some("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120)),
            (429, Some("9999999999"), Some(86_400)),
            (503, Some("soon"), None),
            (503, Some("-5"), None),
            (503, Some("Sun, 06 Nov 1994 08:00:00 GMT"), None),
            (503, None, None),
        ] {
            let (delivery, lesson) = sent(0, &answer(status, retry_after));
            let slow_until = seconds.map(|seconds| NOW.plus_seconds(seconds));
            assert_eq!(lesson, Lesson::Fails { slow_until }, "{status} {retry_after:?}");
            assert_eq!(delivery.next_at, slow_until.unwrap_or(NOW.plus_seconds(5)));
        }
    }

    #[test]
    fn a_long_wait_of_the_schedule_is_not_shortened() {
        assert_eq!(sent(3, &answer(429, Some("90"))).0.next_at, NOW.plus_seconds(7_200));
    }
}
