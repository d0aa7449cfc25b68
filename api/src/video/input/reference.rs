//! What a text that stands for a medium is: read by its form alone.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use entity::{TaskId, UploadId};

use super::super::rules::web_address;
use super::super::upload::Terms;
use crate::media::check_url;
use crate::media::sniff::ALLOWED;

/// A medium by its form.
#[derive(Debug, PartialEq, Eq)]
pub enum Reference {
    /// An address that may be fetched from.
    Web,
    /// A file inside the text.
    File(Bytes),
    Upload(UploadId),
    Task(TaskId),
}

/// Texts shorter than this are no file: no picture is so small, and a word could be taken for base64.
const BASE64_MIN_CHARS: usize = 64;

impl Reference {
    /// What a text is, or what it should have been.
    pub fn read(text: &str, terms: &Terms) -> Result<Reference, String> {
        if let Ok(id) = text.parse() {
            return Ok(Reference::Upload(id));
        }
        if let Ok(id) = text.parse() {
            return Ok(Reference::Task(id));
        }
        if text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:")) {
            return data_url(text).map(Reference::File);
        }
        if text.len() >= BASE64_MIN_CHARS
            && let Some(bytes) = decode(text)
        {
            return Ok(Reference::File(bytes));
        }
        web(text, terms).map(|()| Reference::Web)
    }
}

/// Whether a text is meant as a web address, good or not.
pub fn is_web(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"))
}

fn web(text: &str, terms: &Terms) -> Result<(), String> {
    let url = web_address(text).map_err(|message| match is_web(text) {
        true => message.to_owned(),
        false => format!(
            "Must be an https URL, a data: URL or base64 of a file ({ALLOWED}), the id of an upload, or the id of a completed task"
        ),
    })?;
    if url.scheme() == "http" && !terms.http {
        return Err("Must be https".to_owned());
    }
    check_url(&url, &terms.allow).map_err(|refused| format!("Can't be fetched: {refused}"))
}

/// `data:<type>;base64,<file>`. The type is not believed.
fn data_url(text: &str) -> Result<Bytes, String> {
    let (head, file) = text.split_once(',').unwrap_or_default();
    let is_base64 = head.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    let decoded = if is_base64 { decode(file) } else { None };
    decoded.ok_or_else(|| "Must be data:<type>;base64,<file in base64>".to_owned())
}

const FORGIVING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Base64 in either alphabet, with or without padding, in lines or in one piece; `None` when it is none.
pub fn decode(text: &str) -> Option<Bytes> {
    let mut text = text.trim().as_bytes();
    let joined: Vec<u8>;
    if text.iter().any(u8::is_ascii_whitespace) {
        joined = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        text = &joined;
    }
    let alphabet = if text.iter().any(|byte| matches!(byte, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    let decoded = GeneralPurpose::new(alphabet, FORGIVING).decode(text).ok()?;
    Some(decoded.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(http: bool) -> Terms {
        let allow = crate::media::Allow::new(&[("files.internal", 9_000)]);
        Terms { max_image_bytes: 1, max_video_bytes: 1, max_audio_bytes: 1, kept_s: 1, http, allow }
    }

    fn refused(text: &str) -> String {
        Reference::read(text, &terms(false)).expect_err(text)
    }

    #[test]
    fn web_addresses_are_absolute_and_public() {
        let longest = format!("https://example.com/{}", "a".repeat(2_028));
        for url in ["https://example.com", "HTTPS://example.com/a?b=c#d", "https://例え.jp/猫", &longest] {
            assert_eq!(Reference::read(url, &terms(false)), Ok(Reference::Web), "{url}");
        }
        for url in
            ["https://", "https:example.com", "https:/example.com", "https://exa mple.com/a", "https://[::1"]
        {
            assert_eq!(refused(url), "Must be an absolute http or https URL", "{url}");
        }
        assert_eq!(refused(&format!("{longest}a")), "Must be at most 2048 characters");
        for (url, why) in [
            ("https://me:secret@example.com/", "user name or password"),
            ("https://10.0.0.1/a.png", "not on the public internet"),
            ("https://[::ffff:169.254.169.254]/", "not on the public internet"),
            ("https://example.com:22/", "port 22 is not allowed"),
            ("https://files.internal/", "port 443 is not allowed"),
        ] {
            assert!(refused(url).starts_with("Can't be fetched: ") && refused(url).contains(why), "{url}");
        }
        assert_eq!(Reference::read("https://files.internal:9000/", &terms(false)), Ok(Reference::Web));
    }

    #[test]
    fn plain_http_is_taken_where_it_is_allowed() {
        assert_eq!(refused("http://example.com/a.png"), "Must be https");
        assert_eq!(Reference::read("http://example.com/a.png", &terms(true)), Ok(Reference::Web));
    }

    #[test]
    fn what_is_nothing_is_told_what_it_could_be() {
        for text in [
            "",
            "a.png",
            "/a.png",
            "ftp://example.com/a",
            "file:///etc/passwd",
            "file:0",
            "javascript:1",
            "upl_x",
            "AAAA",
        ] {
            assert!(
                refused(text).starts_with("Must be an https URL, a data: URL or base64 of a file (PNG"),
                "{text}"
            );
        }
    }

    #[test]
    fn files_inside_a_text_are_read_in_every_usual_spelling() {
        let bytes: Vec<u8> = (0..96).map(|n| n * 2 + 60).collect();
        let standard = base64::prelude::BASE64_STANDARD.encode(&bytes);
        let url_safe = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(&bytes);
        assert!(standard.contains('+') && url_safe.contains('-'));
        let in_lines = standard.as_bytes().chunks(40).map(|line| std::str::from_utf8(line).unwrap());
        let in_lines = in_lines.collect::<Vec<_>>().join("\r\n");
        let data = format!("data:image/png;base64,{standard}");
        let shouted = format!("DATA:;BASE64,{url_safe}");
        for text in [&standard, &url_safe, &in_lines, &data, &shouted] {
            let read = Reference::read(text, &terms(false));
            assert_eq!(read, Ok(Reference::File(bytes.clone().into())), "{text}");
        }
        for text in ["data:", "data:image/png,abc", "data:image/png;base64", "data:;base64,é", "data:🐈"] {
            assert_eq!(refused(text), "Must be data:<type>;base64,<file in base64>", "{text}");
        }
    }

    #[test]
    fn ids_are_ids_in_every_spelling() {
        let ulid = "01J9XA5M2R9W4QZC4PYJF3N7ND";
        let task: TaskId = format!("tsk_{ulid}").parse().unwrap();
        let lower = ulid.to_lowercase();
        for text in [task.to_string(), format!("video_{lower}"), format!("task_{lower}"), task.0.to_string()]
        {
            assert_eq!(Reference::read(&text, &terms(false)), Ok(Reference::Task(task)), "{text}");
        }
        let upload: UploadId = format!("upl_{ulid}").parse().unwrap();
        assert_eq!(Reference::read(&upload.to_string(), &terms(false)), Ok(Reference::Upload(upload)));
    }
}
