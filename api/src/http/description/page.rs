//! `/docs`: the document as a page to read and try. Everything comes from us, so it works without the internet and under a
//! policy that lets no other code in.

use anyhow::Context;

use super::routes::fingerprint;

/// Styles that the page sets itself, element by element, don't count as inline.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                          font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const HTML: &str = include_str!("page.html");
const START: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// The files of the page.
#[derive(Debug)]
pub struct Parts {
    pub html: String,
    pub script: String,
    pub style: String,
    pub start: String,
}

/// Cuts the framework's page, which has its style and script within, into files.
pub fn parts(page: &str) -> anyhow::Result<Parts> {
    let style = format!("{}\n{STYLE}", between(page, "<style", "</style>")?);
    let script = between(page, "<script", "</script>\n</head>")?.to_owned();
    let start = START.to_owned();
    let html = HTML
        .replace("{style}", &fingerprint(&style))
        .replace("{script}", &fingerprint(&script))
        .replace("{start}", &fingerprint(&start));
    Ok(Parts { html, script, style, start })
}

/// What is inside of an element.
fn between<'a>(page: &'a str, tag: &str, end: &str) -> anyhow::Result<&'a str> {
    let (_, rest) = page.split_once(tag).context("the page lacks a part")?;
    let (_, rest) = rest.split_once('>').context("the page lacks a part")?;
    let (inner, _) = rest.split_once(end).context("the page lacks a part")?;
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_cut_by_its_tags_and_names_its_parts_by_content() {
        let page = "<head><style charset=\"UTF-8\">a{}</style>\n<script charset=\"UTF-8\">f(\"</script>\")</script>\n</head>";
        let made = parts(page).unwrap();
        assert!(made.style.starts_with("a{}\n"), "{}", made.style);
        assert_eq!(made.script, "f(\"</script>\")");
        assert!(made.html.contains(&format!("docs/ui.js?{}", fingerprint(&made.script))), "{}", made.html);
        assert!(!made.html.contains('{'), "{}", made.html);
        assert!(parts("<head></head>").is_err());
    }
}
