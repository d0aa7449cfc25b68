//! What the sender calls our fields, so that errors speak of what was sent.

use std::collections::BTreeMap;

use super::Sent;
use crate::video::request::FieldErrors;

/// By our own name, the sender's. Ours where nothing else is known.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<&'static str, String>);

impl Names {
    pub fn say(&mut self, ours: &'static str, theirs: impl Into<String>) {
        self.0.insert(ours, theirs.into());
    }

    /// Says what was sent in place of what this vocabulary calls it.
    pub fn respell(&mut self, sent: &Sent) {
        for name in self.0.values_mut() {
            if let Some(sent) = sent.get(name) {
                name.clone_from(sent);
            }
        }
    }

    /// The errors, under the names that were sent.
    pub fn translate(&self, errors: FieldErrors) -> FieldErrors {
        errors.renamed(|field| self.0.get(field).map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_filed_under_what_was_sent() {
        let mut names = Names::default();
        names.say("duration", "seconds");
        let mut errors = FieldErrors::default();
        errors.push("duration", "Too long");
        errors.push("prompt", "Required");
        let translated = names.translate(errors);
        assert_eq!(translated.of("seconds"), ["Too long"]);
        assert_eq!(translated.of("prompt"), ["Required"]);
    }
}
