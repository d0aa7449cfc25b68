//! The words in a prompt that steer the sandbox: `[sandbox:slow=30]` and its relatives.
//!
//! They let an integration test ask for a slow, failing or partial generation without a second API. A word that is
//! misspelled or out of bounds is ordinary text: a prompt can never make a submission invalid.

use std::time::Duration;

const OPENING: &str = "[sandbox:";

/// Longest delay that `slow` may ask for: long enough to test time-outs, short enough to wait for.
const MAX_SLOW_S: u64 = 600;
/// Beyond this `short` could not shorten anything: no clip is longer.
const MAX_SHORT_S: u64 = 600;
const MAX_FLAKY: u8 = 10;
const MAX_CLIP_INDEX: u32 = 99;

/// What the words in one prompt ask for. The default asks for nothing: an ordinary render.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    /// Every clip fails, or only one.
    pub fail: Option<Fail>,
    /// The upstream's moderation refuses the job after accepting it.
    pub moderation: bool,
    /// The outcome is held back until this long after acceptance.
    pub slow: Duration,
    /// The job is accepted and never ends.
    pub hang: bool,
    /// Deliver at most this many seconds.
    pub short_s: Option<u32>,
    /// How many polls fail before the first one is answered.
    pub flaky: u8,
    /// The first submission is accepted, but its reply is lost.
    pub lost: bool,
}

/// Which clips of a job fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fail {
    All,
    /// The clip with this index, counted from 0 over the whole task.
    Clip(u32),
}

impl Directives {
    /// Reads every directive in `prompt`. If one is repeated, the last wins.
    pub fn parse(prompt: &str) -> Self {
        let mut found = Self::default();
        for rest in prompt.split(OPENING).skip(1) {
            if let Some((word, _)) = rest.split_once(']') {
                found.read(word);
            }
        }
        found
    }

    fn read(&mut self, word: &str) {
        match word.split_once('=') {
            None => self.read_flag(word),
            Some((name, value)) => self.read_setting(name, value),
        }
    }

    fn read_flag(&mut self, word: &str) {
        match word {
            "fail" => self.fail = Some(Fail::All),
            "moderation" => self.moderation = true,
            "hang" => self.hang = true,
            "lost" => self.lost = true,
            _ => {}
        }
    }

    fn read_setting(&mut self, name: &str, value: &str) {
        let Some(number) = whole_number(value) else {
            return;
        };
        match name {
            "fail" if number <= u64::from(MAX_CLIP_INDEX) => self.fail = Some(Fail::Clip(number as u32)),
            "slow" if number <= MAX_SLOW_S => self.slow = Duration::from_secs(number),
            "short" if (1..=MAX_SHORT_S).contains(&number) => self.short_s = Some(number as u32),
            "flaky" if number <= u64::from(MAX_FLAKY) => self.flaky = number as u8,
            _ => {}
        }
    }

    /// Whether the clip with this index must fail.
    pub fn fails(&self, clip: u32) -> bool {
        match self.fail {
            Some(Fail::All) => true,
            Some(Fail::Clip(index)) => index == clip,
            None => false,
        }
    }
}

/// Plain digits only: no sign, no space, and few enough not to overflow.
fn whole_number(text: &str) -> Option<u64> {
    let plain = (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Directives {
        Directives::default()
    }

    #[test]
    fn each_directive_is_read_and_everything_else_is_ordinary_text() {
        let cases = [
            ("a cat", nothing()),
            ("a cat [sandbox:fail]", Directives { fail: Some(Fail::All), ..nothing() }),
            ("[sandbox:fail=2] a cat", Directives { fail: Some(Fail::Clip(2)), ..nothing() }),
            ("[sandbox:moderation]", Directives { moderation: true, ..nothing() }),
            ("[sandbox:slow=600]", Directives { slow: Duration::from_secs(600), ..nothing() }),
            ("[sandbox:hang]", Directives { hang: true, ..nothing() }),
            ("[sandbox:short=3]", Directives { short_s: Some(3), ..nothing() }),
            ("猫[sandbox:flaky=10]猫", Directives { flaky: 10, ..nothing() }),
            ("[sandbox:lost]", Directives { lost: true, ..nothing() }),
            (
                "[sandbox:slow=5][sandbox:lost]",
                Directives { slow: Duration::from_secs(5), lost: true, ..nothing() },
            ),
            ("[sandbox:short=5] [sandbox:short=2]", Directives { short_s: Some(2), ..nothing() }),
            ("[sandbox:[sandbox:hang]", Directives { hang: true, ..nothing() }),
        ];
        for (prompt, expected) in cases {
            assert_eq!(Directives::parse(prompt), expected, "{prompt}");
        }
    }

    #[test]
    fn a_malformed_directive_is_ordinary_text() {
        let prompts = [
            "[sandbox:fail",
            "[sandbox:Fail]",
            "[sandbox: fail]",
            "[sandbox:fail=]",
            "[sandbox:fail=100]",
            "[sandbox:hang=1]",
            "[sandbox:slow]",
            "[sandbox:slow=601]",
            "[sandbox:slow=-1]",
            "[sandbox:slow=+1]",
            "[sandbox:slow=1.5]",
            "[sandbox:slow=99999999999999999999]",
            "[sandbox:short=0]",
            "[sandbox:flaky=11]",
            "[sandbox:lost=now]",
            "[sandbox:]",
            "[Sandbox:fail]",
            "sandbox:fail]",
        ];
        for prompt in prompts {
            assert_eq!(Directives::parse(prompt), nothing(), "{prompt}");
        }
    }

    #[test]
    fn failing_one_clip_spares_the_others() {
        let directives = Directives::parse("[sandbox:fail=1]");
        assert_eq!([0, 1, 2].map(|clip| directives.fails(clip)), [false, true, false]);
    }
}
