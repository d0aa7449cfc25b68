use super::*;

fn problems(text: &str) -> Vec<String> {
    match PriceBook::parse(text) {
        Err(BookError::Inconsistent(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

fn with_rates(rates: &str) -> String {
    format!("credit_usd = \"0.05\"\nstep = 1\n[[price]]\nmodel = \"m\"\nunit = \"second\"\nrates = [{rates}]")
}

#[test]
fn a_stored_book_reads_back_identical_with_the_same_hash() {
    let book = book();
    let read = PriceBook::from_json(&book.to_json()).unwrap();
    assert_eq!(read, book);
    assert_eq!(read.to_json(), book.to_json());
    assert_eq!(read.hash(), book.hash());
    assert_eq!(read.quote(1, &dims("teller"), ""), book.quote(1, &dims("teller"), ""));
}

#[test]
fn order_comments_and_trailing_zeros_do_not_change_the_hash_and_amounts_do() {
    let rates = |rates: &str| PriceBook::parse(&with_rates(rates)).unwrap().hash();
    let one = rates(r#"{ audio = true, credits = "1.50" }, { credits = "1" }"#);
    let two = rates("{ credits = \"1.0\" }, # cheap\n{ audio = true, credits = \"1.5\" }");
    assert_eq!(one, two);
    for other in [
        r#"{ audio = true, credits = "1.51" }, { credits = "1" }"#,
        r#"{ audio = false, credits = "1.5" }, { credits = "1" }"#,
        r#"{ credits = "1" }"#,
    ] {
        assert_ne!(rates(other), one, "{other}");
    }
}

#[test]
fn two_rates_that_could_apply_alike_are_refused() {
    for rates in [
        r#"{ credits = "1" }, { credits = "2" }"#,
        r#"{ audio = true, credits = "1" }, { audio = true, credits = "1" }"#,
        r#"{ audio = true, credits = "1" }, { resolution = "720p", credits = "2" }"#,
        r#"{ audio = true, duration = 5, credits = "1" }, { resolution = "720p", duration = 5, credits = "2" }"#,
        r#"{ group = "a", credits = "1" }, { mode = "text_to_video", credits = "2" }"#,
    ] {
        let problems = problems(&with_rates(rates));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("price of m: two rates apply alike"), "{problems:?}");
    }
    for rates in [
        r#"{ audio = true, credits = "1" }, { audio = false, credits = "2" }"#,
        r#"{ audio = true, credits = "1" }, { credits = "2" }"#,
        r#"{ audio = true, duration = 5, credits = "1" }, { resolution = "720p", duration = 6, credits = "2" }"#,
        r#"{ group = "a", credits = "1" }, { group = "b", credits = "2" }"#,
    ] {
        assert!(PriceBook::parse(&with_rates(rates)).is_ok(), "{rates}");
    }
}

#[test]
fn every_broken_rule_is_named() {
    for (from, to, words) in [
        ("step = 1", "step = 0", "step must be at least 1"),
        ("credit_usd = \"0.05\"", "credit_usd = \"cheap\"", "credit_usd: \"cheap\" is not an amount"),
        ("credits = \"46\"", "credits = \"-46\"", "price of teller: \"-46\" is not an amount"),
        ("credits = \"46\"", "credits = \"4_6e1\"", "is not an amount"),
        ("credits = \"46\"", "credits = \"0.00000000000000000000000000001\"", "is not an amount"),
        ("credits = \"46\"", "credits = \"0.0\"", "price of teller: nothing is free"),
        ("credits = \"46\"", "usd = \"46\"", "price of teller: prices are in credits"),
        ("credits = \"46\"", "audio = true", "price of teller: an amount is missing"),
        ("{ credits = \"46\" }", "", "price of teller: no rates"),
        ("\"teller\"", "\"walker\"", "price of walker: there twice"),
        ("provider = \"south\"", "provider = \"north\"", "cost of walker at north: there twice"),
        ("unknown = true", "", "cost of walker at south: give unknown, or unit"),
        ("unknown = true", "unknown = true\nunit = \"clip\"", "cost of walker at south: give unknown"),
        ("as_of = \"2026-08-06\"", "", "cost of walker at north: give unknown, or unit, source"),
        ("{ usd = \"0.05\" }", "{ credits = \"0.05\" }", "cost of walker at north: prices are in credits"),
        ("{ usd = \"0.05\" }", "{ group = \"a\", usd = \"0.05\" }", "knows nothing of our groups"),
    ] {
        assert!(BOOK.contains(from), "{from}");
        let found = problems(&BOOK.replacen(from, to, 1));
        assert!(found.iter().any(|problem| problem.contains(words)), "{to}: {found:?}");
    }
}

#[test]
fn numbers_for_amounts_and_unknown_keys_are_refused() {
    for (from, to) in [
        ("credits = \"46\"", "credits = 46"),
        ("credits = \"46\"", "credits = 46.5"),
        ("credits = \"46\"", "credits = \"46\", currency = \"eur\""),
        ("unit = \"mtoken\"", "unit = \"fortnight\""),
        ("resolution = \"1080p\"", "resolution = \"1081p\""),
        ("step = 1", "step = 1.5"),
        ("step = 1", "step = 1\nsale = true"),
        ("as_of = \"2026-08-06\"", "as_of = \"August\""),
    ] {
        assert!(BOOK.contains(from), "{from}");
        let outcome = PriceBook::parse(&BOOK.replacen(from, to, 1));
        assert!(matches!(outcome, Err(BookError::Syntax(_))), "{to}: {outcome:?}");
    }
    assert!(matches!(PriceBook::from_json("{}"), Err(BookError::Syntax(_))));
}
