//! Flags in prompts, such as `--dur 12`: the first way to tell Seedance's makers a clip's size and length, and still understood;
//! and Midjourney's own way, also for how many clips there are (`--bs 4`). A prompt must not change what was priced, so they are
//! taken out.

/// What is a flag even in the middle of a word.
const KNOWN: [&str; 14] = [
    "rs",
    "resolution",
    "rt",
    "ratio",
    "dur",
    "duration",
    "fps",
    "frames",
    "seed",
    "cf",
    "camerafixed",
    "camera_fixed",
    "wm",
    "watermark",
];

/// A prompt without flags and their values. Of words that are no known flag only those count that begin like one.
pub(super) fn without_flags(prompt: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(prompt.len()), prompt);
    while let Some(at) = rest.find("--") {
        let (before, dashed) = rest.split_at(at);
        kept.push_str(before);
        let is_apart = kept.chars().next_back().is_none_or(char::is_whitespace);
        match flag_len(dashed, is_apart) {
            Some(length) => rest = &dashed[length..],
            None => {
                kept.push('-');
                rest = &dashed[1..];
            }
        }
    }
    kept.push_str(rest);
    kept.trim().to_owned()
}

/// Bytes of the flag that a text starts with, its value among them.
fn flag_len(text: &str, is_apart: bool) -> Option<usize> {
    let after_dashes = text.strip_prefix("--")?;
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let value = after_dashes.trim_start_matches(is_letter);
    let word = &after_dashes[..after_dashes.len() - value.len()];
    let is_known = KNOWN.iter().any(|known| known.eq_ignore_ascii_case(word));
    if word.is_empty() || !(is_known || is_apart) {
        return None;
    }
    let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=' || c == ':');
    let after =
        if value.starts_with("--") { value } else { value.trim_start_matches(|c: char| !c.is_whitespace()) };
    Some(text.len() - after.len())
}

#[cfg(test)]
mod tests {
    use super::without_flags;

    #[test]
    fn a_prompt_can_t_change_what_was_priced() {
        for (prompt, left) in [
            ("a boat --dur 12", "a boat"),
            ("a boat --rs 1080p --rt 9:16 --dur 12 --fps 24 --wm false", "a boat"),
            ("--Duration=12 a boat", "a boat"),
            ("a boat--dur 12 sinks", "a boat sinks"),
            ("a boat ---dur 12", "a boat -"),
            ("a boat --camerafixed --dur 12", "a boat"),
            ("a boat\n--dur\n12", "a boat"),
            ("a boat --dur12", "a boat"),
            ("a boat --something new sinks", "a boat  sinks"),
            ("--dur", ""),
        ] {
            assert_eq!(without_flags(prompt), left, "{prompt}");
        }
    }

    #[test]
    fn dashes_that_are_no_flags_stay() {
        for prompt in [
            "a boat -- slowly -- sinks",
            "a boat--slowly--sinks",
            "a well-known boat",
            "--",
            "小船--缓缓",
            "",
        ] {
            assert_eq!(without_flags(prompt), prompt);
        }
    }
}
