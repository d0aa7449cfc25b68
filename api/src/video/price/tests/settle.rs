use proptest::prelude::*;

use super::*;

/// An explanation as it would be stored: this many credits for clips of this many seconds.
fn quoted(credits: i64, asked_seconds: u32, count: u16, step: u32) -> Explanation {
    Explanation {
        credits: Credits::from_thousandths(credits * 1_000),
        asked_seconds,
        count,
        step,
        ..book().quote(1, &dims("walker"), "").unwrap().explanation
    }
}

#[test]
fn what_was_delivered_is_paid_for() {
    const WHOLE: Option<u64> = Some(10_000);
    for (delivered, due) in [
        (&[WHOLE][..], "20"),
        (&[Some(11_000)], "20"),
        (&[Some(9_700)], "20"),
        // Below the tolerance, 20 × 9.699 / 10 = 19.398 is rounded up.
        (&[Some(9_699)], "20"),
        (&[Some(9_499)], "19"),
        (&[Some(9_500)], "19"),
        (&[Some(5_000)], "10"),
        (&[Some(5_001)], "11"),
        (&[Some(1)], "1"),
        (&[Some(0)], "0"),
        (&[None], "0"),
        (&[], "0"),
        (&[WHOLE, WHOLE], "20"),
        (&[None, WHOLE], "0"),
        (&[Some(u64::MAX)], "20"),
    ] {
        let paid = settle_price(&quoted(20, 10, 1, 1), delivered);
        assert_eq!(paid.to_string(), due, "{delivered:?}");
    }
}

#[test]
fn a_long_clip_has_three_percent_of_tolerance() {
    let ten_seconds = quoted(1_000, 10, 1, 1);
    assert_eq!(settle_price(&ten_seconds, &[Some(9_700)]).to_string(), "1000");
    assert_eq!(settle_price(&ten_seconds, &[Some(9_699)]).to_string(), "970");
}

#[test]
fn a_short_clip_has_a_quarter_of_a_second_of_tolerance() {
    let one_second = quoted(100, 1, 1, 1);
    assert_eq!(settle_price(&one_second, &[Some(750)]).to_string(), "100");
    assert_eq!(settle_price(&one_second, &[Some(749)]).to_string(), "75");
}

#[test]
fn several_clips_are_added_up_and_rounded_once() {
    let three = quoted(10, 5, 3, 1);
    let whole = Some(5_000);
    // 10 × 1/3 and 10 × 2/3, and 10 × 0.8 / 3.
    assert_eq!(settle_price(&three, &[whole, None, None]).to_string(), "4");
    assert_eq!(settle_price(&three, &[None, whole, whole]).to_string(), "7");
    assert_eq!(settle_price(&three, &[Some(4_000)]).to_string(), "3");
    assert_eq!(settle_price(&three, &[whole; 3]).to_string(), "10");
    assert_eq!(settle_price(&three, &[whole; 9]).to_string(), "10");
}

#[test]
fn the_price_of_a_part_is_rounded_up_to_the_step_and_stays_within_the_quote() {
    let stepped = quoted(20, 10, 1, 5);
    assert_eq!(settle_price(&stepped, &[Some(5_001)]).to_string(), "15");
    assert_eq!(settle_price(&stepped, &[Some(9_000)]).to_string(), "20");
    let odd = quoted(7, 10, 1, 5);
    assert_eq!(settle_price(&odd, &[Some(9_000)]).to_string(), "7");
}

#[test]
fn an_explanation_that_makes_no_sense_settles_all_the_same() {
    let whole = [Some(u64::MAX), None, Some(0)];
    let zero = Credits::ZERO;
    assert_eq!(settle_price(&quoted(20, 0, 1, 1), &whole), zero);
    assert_eq!(settle_price(&quoted(20, 10, 0, 1), &whole), zero);
    assert_eq!(settle_price(&quoted(-20, 10, 1, 1), &whole), zero);
    assert_eq!(settle_price(&quoted(20, 10, 1, 0), &[Some(5_000)]).to_string(), "10");
    let largest = Explanation {
        credits: Credits::from_thousandths(i64::MAX),
        ..quoted(0, u32::MAX, u16::MAX, u32::MAX)
    };
    let all = vec![Some(u64::MAX); usize::from(u16::MAX)];
    assert_eq!(settle_price(&largest, &all), largest.credits);
}

fn clips() -> impl Strategy<Value = Vec<Option<u64>>> {
    prop::collection::vec(prop::option::of(0..12_000_u64), 0..6)
}

proptest! {
    #[test]
    fn a_settled_price_is_a_multiple_of_the_step_within_the_quote(
        steps in 1..1_000_i64, step in 1..20_u32, seconds in 1..15_u32, count in 1..5_u16, made in clips(),
    ) {
        let why = quoted(steps * i64::from(step), seconds, count, step);
        let due = settle_price(&why, &made);
        prop_assert!(due >= Credits::ZERO && due <= why.credits);
        prop_assert_eq!(due.thousandths() % (i64::from(step) * 1_000), 0);
        let nothing = made.iter().take(usize::from(count)).flatten().all(|ms| *ms == 0);
        prop_assert_eq!(due == Credits::ZERO, nothing);
    }

    #[test]
    fn delivering_more_never_costs_less(
        credits in 1..1_000_i64, seconds in 1..15_u32, count in 1..5_u16, made in clips(),
        index in 0..6_usize, more_ms in 0..5_000_u64,
    ) {
        let why = quoted(credits, seconds, count, 1);
        let mut longer = made.clone();
        if let Some(clip) = longer.get_mut(index) {
            *clip = Some(clip.unwrap_or(0) + more_ms);
        }
        prop_assert!(settle_price(&why, &longer) >= settle_price(&why, &made));
    }

    #[test]
    fn a_whole_delivery_costs_the_whole_quote(
        credits in 1..1_000_i64, seconds in 1..60_u32, count in 1..5_u16, missing_ms in 0..=250_u64,
    ) {
        let why = quoted(credits, seconds, count, 1);
        let made = vec![Some(u64::from(seconds) * 1_000 - missing_ms); usize::from(count)];
        prop_assert_eq!(settle_price(&why, &made), why.credits);
    }

    #[test]
    fn a_quote_covers_the_exact_price_by_less_than_a_step(
        cents in 1..100_000_i64, step in 1..50_u32, duration_s in 1..30_u32, count in 1..5_u16,
    ) {
        let text = BOOK
            .replace("step = 1", &format!("step = {step}"))
            .replace("credits = \"1.1\"", &format!("credits = \"{}\"", Decimal::new(cents, 2)));
        let book = PriceBook::parse(&text).unwrap();
        let quote = book.quote(1, &Dimensions { duration_s, count, ..dims("walker") }, "").unwrap();
        let price = Decimal::new(quote.credits.thousandths(), 3);
        let exact = Decimal::new(cents, 2) * Decimal::from(duration_s) * Decimal::from(count);
        prop_assert_eq!(exact, quote.explanation.exact);
        prop_assert!(price >= exact && price - exact < Decimal::from(step));
    }
}
