use super::*;
use crate::video::catalog::Catalog;

const CATALOG: &str = r#"
[[provider]]
name = "north"
mode = "live"
[[provider]]
name = "south"
mode = "live"
[[model]]
id = "walker"
aliases = ["old-walker"]
family = "walker"
modes = ["text_to_video", "reference_to_video"]
durations = [5, 10]
default_duration = 5
resolutions = ["720p", "1080p"]
default_resolution = "720p"
aspect_ratios = ["16:9", "21:9"]
default_aspect_ratio = "16:9"
audio = "optional"
max_images = 1
max_videos = 1
max_audios = 0
prompt_max = 100
routes = [
  { provider = "north", native_id = "w" },
  { provider = "south", native_id = "w" },
]
"#;

const PRICES: &str = r#"
credit_usd = "0.05"
step = 1
[[price]]
model = "walker"
unit = "second"
rates = [
  { resolution = "720p", credits = "2" },
  { resolution = "1080p", credits = "3" },
]
[[cost]]
model = "walker"
provider = "north"
unit = "second"
source = "https://example.com"
as_of = "2026-08-06"
rates = [ { usd = "0.05" }, { audio = true, usd = "0.08" } ]
[[cost]]
model = "walker"
provider = "south"
unknown = true
"#;

fn report(change: (&str, &str)) -> AuditReport {
    assert!(PRICES.contains(change.0), "{}", change.0);
    let book = PriceBook::parse(&PRICES.replacen(change.0, change.1, 1)).unwrap();
    audit(&Catalog::parse([("c", CATALOG)]).unwrap(), &book)
}

#[test]
fn a_book_that_fits_is_clean_and_shows_the_worst_margin() {
    let report = report(("", ""));
    assert!(report.is_clean() && report.warnings.is_empty(), "{report}");
    // 2 credits at 0.05 USD against 0.08 USD.
    assert_eq!(
        report.margins,
        [Margin {
            model: "walker".into(),
            provider: Some("north".into()),
            cheapest: Some(Credits::from_thousandths(10_000)),
            dearest: Some(Credits::from_thousandths(30_000)),
            lowest_percent: Some(amount("20")),
        }]
    );
    let table = report.to_string();
    assert!(table.contains("10–30") && table.contains("20 %"), "{table}");
    assert!(table.ends_with("0 problems, 0 warnings"));
}

#[test]
fn every_misfit_is_a_problem() {
    for (from, to, words) in [
        (
            r#"  { resolution = "1080p", credits = "3" },"#,
            "",
            "no price for walker text_to_video, 5 s, 1080p",
        ),
        (r#""1080p", credits"#, r#""1080p", video_input = false, credits"#, "with audio, video input"),
        (r#"credits = "3""#, r#"credits = "1.9""#, "walker text_to_video 1080p: cheaper than 720p"),
        (
            r#"{ resolution = "720p", credits"#,
            r#"{ resolution = "720p", duration = 10, credits = "0.5" }, { resolution = "720p", credits"#,
            "walker text_to_video 720p: 10 s is cheaper than 5 s",
        ),
        (
            "step = 1",
            "step = 1\n[[price]]\nmodel = \"runner\"\nunit = \"clip\"\nrates = [{ credits = \"1\" }]",
            "runner: a price for a model",
        ),
        (
            "step = 1",
            "step = 1\n[[price]]\nmodel = \"old-walker\"\nunit = \"clip\"\nrates = [{ credits = \"1\" }]",
            "old-walker: a price for a model",
        ),
        (r#"provider = "south""#, r#"provider = "west""#, "walker: a cost at west, which is no route"),
        (r#"provider = "south""#, r#"provider = "west""#, "walker: no cost card for south"),
    ] {
        let report = report((from, to));
        assert!(report.problems.iter().any(|problem| problem.contains(words)), "{words}: {report}");
    }
}

#[test]
fn a_combination_that_lacks_a_price_in_one_group_only_is_found() {
    let report = report((
        r#"{ resolution = "720p", credits = "2" }"#,
        r#"{ resolution = "720p", group = "friends", credits = "2" }"#,
    ));
    assert!(
        report.problems.iter().all(|problem| problem.contains("720p") && problem.ends_with("group default"))
    );
    // Two durations, and sound or none in text mode and in reference mode with and without a video.
    assert_eq!(report.problems.len(), 12, "{report}");
}

#[test]
fn selling_below_cost_or_at_an_unknown_cost_is_a_warning() {
    let below = report((r#"usd = "0.08""#, r#"usd = "0.11""#));
    assert!(below.is_clean());
    assert_eq!(below.warnings, ["walker: sold below cost at north, -10 %"]);
    let partly = report((r#"{ usd = "0.05" }, "#, ""));
    assert_eq!(partly.warnings, ["walker text_to_video 720p 5 s: unknown cost at north"]);
    assert_eq!(partly.margins[0].lowest_percent, Some(amount("20")));
    let known = PRICES.split("[[cost]]").nth(1).unwrap();
    let never = report((known, "\nmodel = \"walker\"\nprovider = \"north\"\nunknown = true\n"));
    assert_eq!(never.warnings, ["walker: unknown cost at north"]);
    assert_eq!(never.margins[0].lowest_percent, None);
}

#[test]
fn a_provider_that_bills_tokens_is_compared_at_the_largest_picture() {
    // 1680 × 720 × 24 × 5 / 1024 = 141,750 tokens, at 1 USD for a million.
    let report = report((
        "unit = \"second\"\nsource = \"https://example.com\"\nas_of = \"2026-08-06\"\nrates = [ { usd = \"0.05\" }, { audio = true, usd = \"0.08\" } ]",
        "unit = \"mtoken\"\nsource = \"https://example.com\"\nas_of = \"2026-08-06\"\nrates = [ { resolution = \"720p\", usd = \"1\" }, { resolution = \"1080p\", usd = \"0\" } ]",
    ));
    // (0.5 − 0.14175) / 0.5
    assert_eq!(report.margins[0].lowest_percent, Some(amount("71.6")), "{report}");
}
