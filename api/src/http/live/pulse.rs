//! When a stream does something: there may be news, it has been silent for long, or the process stops.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::news::Listener;

/// So often something is sent, news or not: proxies cut what is silent, and only who sends learns that nobody reads.
pub const BEAT_EVERY: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct Pulse {
    listener: Listener,
    stopping: CancellationToken,
    beat: Interval,
}

/// What a stream is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Look,
    Beat,
    Stop,
}

impl Pulse {
    pub fn new(listener: Listener, stopping: CancellationToken) -> Pulse {
        let mut beat = interval_at(Instant::now() + BEAT_EVERY, BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Pulse { listener, stopping, beat }
    }

    pub async fn next(&mut self) -> Turn {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Turn::Stop,
            _ = self.beat.tick() => Turn::Beat,
            () = self.listener.look() => Turn::Look,
        }
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use entity::AccountId;
    use uuid::Uuid;

    use super::*;
    use crate::news::News;

    fn pulse() -> (News, CancellationToken, Pulse) {
        let news = News::new(false, Uuid::nil());
        let stopping = CancellationToken::new();
        let listener = news.listen(AccountId(Uuid::nil())).unwrap();
        let pulse = Pulse::new(listener, stopping.clone());
        (news, stopping, pulse)
    }

    /// The turns until so many seconds have passed.
    async fn turns(pulse: &mut Pulse, seconds: u64) -> Vec<Turn> {
        let (begun, mut turns) = (Instant::now(), Vec::new());
        while begun.elapsed() < Duration::from_secs(seconds) {
            turns.push(pulse.next().await);
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_beats_every_fifteen_seconds() {
        let (_news, _stopping, mut pulse) = pulse();
        let turns = turns(&mut pulse, 60).await;
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Beat).count(), 4, "{turns:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_stream_beats_all_the_same_and_looks_at_a_bounded_rate() {
        let (news, _stopping, mut pulse) = pulse();
        let busy = tokio::spawn(async move {
            loop {
                news.tell([AccountId(Uuid::nil())]);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let turns = turns(&mut pulse, 30).await;
        busy.abort();
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Beat).count(), 2);
        assert!(turns.len() > 600 && turns.len() <= 1_202, "{}", turns.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_comes_before_everything_else() {
        let (news, stopping, mut pulse) = pulse();
        news.tell([AccountId(Uuid::nil())]);
        stopping.cancel();
        assert_eq!(pulse.next().await, Turn::Stop);
    }
}
