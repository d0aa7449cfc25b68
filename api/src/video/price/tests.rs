mod book;
mod check;
mod data;
mod settle;

use super::*;

const BOOK: &str = r#"
credit_usd = "0.05"
step = 1

[[price]]
model = "sora-2-text-to-video"
unit = "clip"
rates = [
  { duration = 5, resolution = "720p", credits = "12" },
  { duration = 10, resolution = "720p", credits = "24.00" },
]

[[price]]
model = "walker"
unit = "second"
rates = [
  { credits = "1.1" },
  { audio = true, credits = "2.2" },
  { audio = true, resolution = "1080p", credits = "3.3" },
  { audio = true, resolution = "1080p", group = "friends", credits = "0.1" },
  { audio = true, resolution = "1080p", video_input = true, mode = "video_to_video", credits = "4.4" },
]

[[price]]
model = "teller"
unit = "mtoken"
rates = [ { credits = "46" } ]

[[price]]
model = "crumb"
unit = "clip"
rates = [ { credits = "0.001" } ]

[[cost]]
model = "teller"
provider = "north"
unit = "mtoken"
source = "https://example.com/prices"
as_of = "2026-11-20"
rates = [ { usd = "2.5" } ]

[[cost]]
model = "walker"
provider = "north"
unit = "second"
source = "https://example.com/prices"
as_of = "2026-08-06"
rates = [ { usd = "0.05" }, { resolution = "1080p", usd = "0.07" } ]

[[cost]]
model = "walker"
provider = "south"
unknown = true
"#;

fn book() -> PriceBook {
    PriceBook::parse(BOOK).unwrap()
}

fn dims(model: &str) -> Dimensions<'_> {
    Dimensions {
        model,
        mode: InputMode::TextToVideo,
        duration_s: 5,
        resolution: Resolution::P720,
        width: 1280,
        height: 720,
        audio: false,
        video_input: false,
        count: 1,
    }
}

fn credits(dims: &Dimensions<'_>, group: &str) -> String {
    book().quote(1, dims, group).unwrap().credits.to_string()
}

fn amount(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn five_seconds_of_sora_2_cost_12_credits() {
    let quote = book().quote(7, &dims("sora-2-text-to-video"), DEFAULT_GROUP).unwrap();
    assert_eq!(quote.credits, Credits::from_thousandths(12_000));
    let why = quote.explanation;
    assert_eq!((why.formula, why.price_version, why.asked_seconds, why.count), (1, 7, 5, 1));
    assert_eq!((why.unit, why.unit_price, why.quantity), (Unit::Clip, amount("12"), Decimal::ONE));
    assert_eq!((why.exact, why.step, why.credits), (amount("12"), 1, quote.credits));
    assert_eq!(why.text, "12 credits/clip × 1 clip = 12 credits");
}

#[test]
fn seconds_and_clips_multiply_and_are_rounded_once_at_the_end() {
    let walker = |duration_s, count| Dimensions { duration_s, count, ..dims("walker") };
    // 1.1 each second: three clips of 3 s are 9.9, not three times 4.
    for (duration_s, count, price) in [(5, 1, "6"), (10, 1, "11"), (3, 3, "10"), (1, 1, "2"), (10, 4, "44")] {
        assert_eq!(credits(&walker(duration_s, count), ""), price, "{duration_s} s × {count}");
    }
    let quote = book().quote(1, &walker(3, 3), "").unwrap();
    assert_eq!(quote.explanation.text, "3 s × 1.1 credits/s × 3 clips = 9.9 credits, rounded up to 10");
    assert_eq!(quote.explanation.exact, amount("9.9"));
}

#[test]
fn the_matching_rate_with_the_most_conditions_applies() {
    let loud = Dimensions { audio: true, duration_s: 10, ..dims("walker") };
    let large = Dimensions { resolution: Resolution::P1080, ..loud };
    let edit = Dimensions { video_input: true, mode: InputMode::VideoToVideo, ..large };
    assert_eq!(credits(&Dimensions { audio: false, ..large }, "default"), "11");
    assert_eq!(credits(&loud, "default"), "22");
    assert_eq!(credits(&large, "default"), "33");
    assert_eq!(credits(&large, "friends"), "1");
    assert_eq!(credits(&edit, "friends"), "44");
    let why = book().quote(1, &large, "friends").unwrap().explanation;
    assert_eq!(why.matched.to_string(), "1080p audio=true group=friends");
}

#[test]
fn tokens_come_from_pixels_and_seconds_and_are_rounded_up() {
    // 1280 × 720 × 24 × 5 / 1024 = 108,000 tokens; × 46 / 1,000,000 = 4.968 credits.
    let quote = book().quote(1, &dims("teller"), "").unwrap();
    assert_eq!((quote.explanation.quantity, quote.explanation.exact), (amount("0.108"), amount("4.968")));
    assert_eq!(quote.credits.to_string(), "5");
    assert_eq!(
        quote.explanation.text,
        "0.108 M tokens × 46 credits/M × 1 clip = 4.968 credits, rounded up to 5"
    );
    // 854 × 480 × 24 × 1 / 1024 = 9607.5
    let small = Dimensions { width: 854, height: 480, duration_s: 1, ..dims("teller") };
    assert_eq!(book().quote(1, &small, "").unwrap().explanation.quantity, amount("0.009608"));
}

#[test]
fn the_lowest_price_is_one_step_and_every_price_a_multiple_of_it() {
    let stepped = |step: u32| PriceBook::parse(&BOOK.replace("step = 1", &format!("step = {step}"))).unwrap();
    let price = |book: &PriceBook, model| book.quote(1, &dims(model), "").unwrap().credits.to_string();
    assert_eq!(price(&stepped(1), "crumb"), "1");
    assert_eq!(price(&stepped(5), "crumb"), "5");
    assert_eq!(price(&stepped(5), "sora-2-text-to-video"), "15");
    assert_eq!(credits(&Dimensions { duration_s: 0, ..dims("walker") }, ""), "1");
    assert_eq!(price(&stepped(6), "sora-2-text-to-video"), "12");
}

#[test]
fn a_combination_without_a_rate_has_no_price() {
    let large = Dimensions { resolution: Resolution::P1080, ..dims("sora-2-text-to-video") };
    for wanted in [large, dims("nobody")] {
        assert!(matches!(book().quote(1, &wanted, "default"), Err(PriceError::NoPrice(_))));
    }
    let error = book().quote(1, &large, "default").unwrap_err();
    let words = "no price for sora-2-text-to-video text_to_video, 5 s, 1080p, without audio, group default";
    assert_eq!(error.to_string(), words);
}

#[test]
fn a_price_that_is_too_large_or_too_fine_is_an_error_and_never_wrong() {
    let priced_at = |credits: &str| {
        let text = BOOK.replace("credits = \"1.1\"", &format!("credits = \"{credits}\""));
        let dims = Dimensions { duration_s: 7, count: 3, ..dims("walker") };
        PriceBook::parse(&text).unwrap().quote(1, &dims, "").map(|quote| quote.credits)
    };
    for credits in [
        "79228162514264337593543950335",
        "9223372036854775",
        "1.1234567890123456789012345678",
        "7.9228162514264337593543950335",
    ] {
        assert!(matches!(priced_at(credits), Err(PriceError::Overflow(_))), "{credits}");
    }
    let fine = priced_at("0.000000000000000000000000001").unwrap();
    assert_eq!(fine, Credits::from_thousandths(1_000));
    assert_eq!(priced_at("400000000000000").unwrap(), Credits::from_thousandths(8_400_000_000_000_000_000));
    let huge = Dimensions { width: u32::MAX, height: u32::MAX, duration_s: u32::MAX, ..dims("teller") };
    assert!(matches!(book().quote(1, &huge, ""), Err(PriceError::Overflow(_))));
}

#[test]
fn a_stored_explanation_reads_back_identical() {
    let large = Dimensions { resolution: Resolution::P1080, audio: true, ..dims("walker") };
    let why = book().quote(3, &large, "friends").unwrap().explanation;
    let json = serde_json::to_value(&why).unwrap();
    assert_eq!(serde_json::from_value::<Explanation>(json.clone()).unwrap(), why);
    assert_eq!(json["unitPrice"], "0.1");
    assert_eq!(json["credits"], 1);
    assert_eq!(
        json["matched"],
        serde_json::json!({"resolution": "1080p", "audio": true, "group": "friends"})
    );
}

#[test]
fn the_cost_of_a_route_is_known_or_said_to_be_unknown() {
    let large = Dimensions { resolution: Resolution::P1080, count: 2, ..dims("walker") };
    assert_eq!(book().cost_usd("north", &dims("walker")), Some(amount("0.25")));
    assert_eq!(book().cost_usd("north", &large), Some(amount("0.7")));
    assert_eq!(book().cost_usd("south", &large), None);
    assert_eq!(book().cost_card("walker", "south"), Some(&CostCard::Unknown));
    assert_eq!(book().cost_card("walker", "west"), None);
    assert_eq!(book().tokens_cost_usd("north", &dims("teller"), 108_000), Some(amount("0.27")));
    assert_eq!(book().tokens_cost_usd("north", &dims("walker"), 108_000), None, "charged by the second");
    assert_eq!(book().seconds_cost_usd("north", &dims("walker"), amount("4.5")), Some(amount("0.225")));
    assert_eq!(book().seconds_cost_usd("north", &dims("teller"), amount("4.5")), None, "charged by tokens");
}

#[test]
fn tokens_that_are_told_in_the_end_have_a_price_beside_the_rates() {
    let card = "unit = \"second\"\nmtoken_usd = \"17.5\"\nsource = \"https://example.com/prices\"\nas_of = \"2026-08-06\"";
    let book =
        PriceBook::parse(&BOOK.replacen(&card.replace("mtoken_usd = \"17.5\"\n", ""), card, 1)).unwrap();
    assert_eq!(book.tokens_cost_usd("north", &dims("walker"), 40_000), Some(amount("0.7")));
    assert_eq!(book.cost_usd("north", &dims("walker")), Some(amount("0.25")));
    assert_eq!(PriceBook::from_json(&book.to_json()).unwrap(), book);
}
