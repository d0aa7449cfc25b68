//! What was found, one line each.

use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::output::{self, harmless};

#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    name: &'static str,
    status: &'static str,
    message: String,
    /// What to do.
    hint: Option<String>,
    exit: Option<Exit>,
}

impl Report {
    pub fn ok(&mut self, name: &'static str, message: String) {
        self.add(name, "ok", message, None, None);
    }

    pub fn warning(&mut self, name: &'static str, message: String, hint: String) {
        self.add(name, "warning", message, Some(hint).filter(|hint| !hint.is_empty()), None);
    }

    pub fn failed(&mut self, name: &'static str, failure: Failure) {
        self.add(name, "failed", failure.message.clone(), failure.hint.clone(), Some(failure.exit));
    }

    /// What came out, or a line about why nothing did.
    pub fn of<T>(&mut self, name: &'static str, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.failed(name, failure)).ok()
    }

    fn add(
        &mut self,
        name: &'static str,
        status: &'static str,
        message: String,
        hint: Option<String>,
        exit: Option<Exit>,
    ) {
        self.findings.push(Finding { name, status, message, hint, exit });
    }

    pub fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            let checks: Vec<Value> = self.findings.iter().map(Finding::document).collect();
            let is_ok = self.findings.iter().all(|finding| finding.exit.is_none());
            return output::json(&json!({ "ok": is_ok, "checks": checks }));
        }
        self.findings.iter().try_for_each(|finding| output::line(&finding.line()))
    }

    /// The first failure decides.
    pub fn verdict(&self) -> Result<(), Failure> {
        let failed: Vec<&Finding> = self.findings.iter().filter(|finding| finding.exit.is_some()).collect();
        let Some((first, exit)) = failed.first().and_then(|first| Some((first, first.exit?))) else {
            return Ok(());
        };
        let failure = Failure::new(exit, format!("{}: {}", first.name, first.message));
        Err(match &first.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        })
    }
}

impl Finding {
    fn document(&self) -> Value {
        json!({ "name": self.name, "status": self.status, "message": self.message, "hint": self.hint })
    }

    fn line(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!(". {hint}")).unwrap_or_default();
        let text = harmless(&format!("{}{hint}", self.message)).replace('\n', " ");
        format!("{:<8}  {:<7}  {text}", self.name, self.status)
    }
}
