//! Whose turn it is. Each endpoint, and the callbacks of each account, wait in a line of their own; a line has few sends under
//! way at once, one whose last send failed has one, and all of those together leave half of the room to the others. So an
//! address that hangs, with however much it is owed, keeps nobody else waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::AccountId;

/// Sends under way at once, in this process.
pub const MAX_SENDING: usize = 64;
/// Of one line.
const MAX_OF_LINE: usize = 4;
/// Of all the lines together whose last send failed.
const MAX_OF_FAILING: usize = MAX_SENDING / 2;

/// Where deliveries wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    pub account: AccountId,
    /// As in a delivery.
    pub endpoint: String,
}

/// What this process knows of the lines. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<HashMap<Line, Standing>>>);

#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    sending: usize,
    /// Its last send failed.
    is_failing: bool,
}

/// A send under way; it takes its line's place until it is dropped.
#[derive(Debug)]
pub struct Place {
    lines: Lines,
    line: Line,
    /// Whether the send failed, once it has ended.
    failed: Option<bool>,
}

impl Lines {
    /// How many sends of each line may begin now. Lines that are due longest come first, and those with nothing under way
    /// before the others.
    pub fn turns(&self, mut due: Vec<Line>) -> Vec<(Line, usize)> {
        let standings = self.lock();
        let standing = |line: &Line| standings.get(line).copied().unwrap_or_default();
        let sending: usize = standings.values().map(|standing| standing.sending).sum();
        let failing = standings.values().filter(|standing| standing.is_failing);
        let mut room = MAX_SENDING.saturating_sub(sending);
        let mut room_of_failing =
            MAX_OF_FAILING.saturating_sub(failing.map(|standing| standing.sending).sum());
        due.sort_by_key(|line| standing(line).sending);
        let mut turns = Vec::new();
        for line in due {
            let Standing { sending, is_failing } = standing(&line);
            let most = if is_failing { room_of_failing.min(1) } else { MAX_OF_LINE };
            let turn = most.saturating_sub(sending).min(room);
            if turn == 0 {
                continue;
            }
            room -= turn;
            room_of_failing -= if is_failing { turn } else { 0 };
            turns.push((line, turn));
        }
        turns
    }

    pub fn take_place(&self, line: Line) -> Place {
        self.lock().entry(line.clone()).or_default().sending += 1;
        Place { lines: self.clone(), line, failed: None }
    }

    /// Forgets the failures of lines that nobody waits in.
    pub fn keep(&self, waiting: &[Line]) {
        self.lock().retain(|line, standing| standing.sending > 0 || waiting.contains(line));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Line, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// What came of the send.
    pub fn ended(&mut self, well: bool) {
        self.failed = Some(!well);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(standing) = self.lines.lock().get_mut(&self.line) {
            standing.sending -= 1;
            standing.is_failing = self.failed.unwrap_or(standing.is_failing);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn line(n: u128) -> Line {
        Line { account: AccountId(Uuid::from_u128(n)), endpoint: "callback".into() }
    }

    fn fail(lines: &Lines, n: u128) {
        lines.take_place(line(n)).ended(false);
    }

    #[test]
    fn a_line_has_few_sends_under_way_and_one_that_fails_has_one() {
        let lines = Lines::default();
        assert_eq!(lines.turns(vec![line(1)]), [(line(1), MAX_OF_LINE)]);
        let places: Vec<_> = (0..MAX_OF_LINE).map(|_| lines.take_place(line(1))).collect();
        assert_eq!(lines.turns(vec![line(1), line(2)]), [(line(2), MAX_OF_LINE)]);
        drop(places);
        fail(&lines, 1);
        assert_eq!(lines.turns(vec![line(1), line(2)]), [(line(1), 1), (line(2), MAX_OF_LINE)]);
        lines.take_place(line(1)).ended(true);
        assert_eq!(lines.turns(vec![line(1)]), [(line(1), MAX_OF_LINE)]);
    }

    #[test]
    fn lines_that_fail_leave_half_of_the_room_to_the_others() {
        let lines = Lines::default();
        let hanging: Vec<_> = (0..MAX_SENDING as u128).map(line).collect();
        (0..MAX_SENDING as u128).for_each(|n| fail(&lines, n));
        let turns = lines.turns(hanging);
        assert_eq!(turns.len(), MAX_OF_FAILING);
        let _under_way: Vec<_> = turns.into_iter().map(|(line, _)| lines.take_place(line)).collect();
        let good = line(1_000);
        assert_eq!(lines.turns(vec![line(MAX_SENDING as u128 - 1), good.clone()]), [(good, MAX_OF_LINE)]);
    }

    #[test]
    fn who_has_nothing_under_way_comes_first_and_nobody_gets_more_than_there_is_room() {
        let lines = Lines::default();
        let _under_way = lines.take_place(line(1));
        let turns = lines.turns((1..=40).map(line).collect());
        assert_eq!(turns.iter().map(|(_, turn)| turn).sum::<usize>(), MAX_SENDING - 1);
        assert_eq!(turns.first(), Some(&(line(2), MAX_OF_LINE)));
        assert!(turns.iter().all(|(of, _)| *of != line(1)));
    }

    #[test]
    fn a_failure_is_forgotten_with_the_last_that_waited() {
        let lines = Lines::default();
        fail(&lines, 1);
        lines.keep(&[line(1)]);
        assert_eq!(lines.turns(vec![line(1)]), [(line(1), 1)]);
        lines.keep(&[]);
        assert_eq!(lines.turns(vec![line(1)]), [(line(1), MAX_OF_LINE)]);
    }
}
