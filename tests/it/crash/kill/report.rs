//! What became of the requests of one kind of death, as a line of a table.

use std::fs::OpenOptions;
use std::io::Write;

/// A file that gets the lines of all kinds; `tests/crash` prints it at the end.
const FILE: &str = "REELMETER_TEST_CRASH_REPORT";

#[derive(Debug, Default)]
pub struct Report {
    pub kind: &'static str,
    pub seed: u64,
    pub cycles: u32,
    pub requests: usize,
    pub acknowledged: usize,
    pub refused: usize,
    /// Had no answer, or one that says that the outcome is not known, and were asked again.
    pub in_doubt: usize,
    /// Of those: the task was there.
    pub recovered: usize,
    /// Of those: nothing was there, and it was accepted or refused now.
    pub absent: usize,
    pub canceled: usize,
    /// Tasks that had to be sent to the provider again, under the same key.
    pub sent_again: usize,
    /// Acknowledged, and not there under the id that was told.
    pub lost: usize,
    /// Keys with more than one task.
    pub doubled: usize,
    /// Tasks that were refused, or that nobody asked for, or that did not end as they must.
    pub wrong: usize,
    /// What `admin check` found, over all cycles.
    pub violations: usize,
}

impl Report {
    fn columns(&self) -> [(&'static str, String); 14] {
        [
            ("killed", self.kind.to_owned()),
            ("cycles", self.cycles.to_string()),
            ("requests", self.requests.to_string()),
            ("acknowledged", self.acknowledged.to_string()),
            ("refused", self.refused.to_string()),
            ("in doubt", self.in_doubt.to_string()),
            ("recovered", self.recovered.to_string()),
            ("absent", self.absent.to_string()),
            ("canceled", self.canceled.to_string()),
            ("sent again", self.sent_again.to_string()),
            ("lost", self.lost.to_string()),
            ("doubled", self.doubled.to_string()),
            ("wrong", self.wrong.to_string()),
            ("violations", self.violations.to_string()),
        ]
    }

    /// To stderr, and to the file if there is one, under a heading if it is the first.
    pub fn print(&self) {
        let line = |of: fn(&(&'static str, String)) -> String| {
            let [kind, others @ ..] = self.columns();
            let others = others.map(|column| format!("{:>1$}", of(&column), column.0.len()));
            format!("{:21}  {}\n", of(&kind), others.join("  "))
        };
        let heading = line(|(name, _)| (*name).to_owned());
        let values = line(|(_, value)| value.clone());
        eprint!("{heading}{values}");
        if let Ok(path) = std::env::var(FILE) {
            let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
            let heading = if file.metadata().unwrap().len() == 0 { heading } else { String::new() };
            file.write_all(format!("{heading}{values}").as_bytes()).unwrap();
        }
    }

    pub fn assert_good(&self) {
        let bad = [self.lost, self.doubled, self.wrong, self.violations];
        assert_eq!(bad, [0; 4], "lost, doubled, wrong, violations; seed {}: {self:?}", self.seed);
        assert_eq!(self.requests, self.acknowledged + self.refused, "a request is without an answer");
        assert_eq!(self.in_doubt, self.recovered + self.absent);
    }
}
