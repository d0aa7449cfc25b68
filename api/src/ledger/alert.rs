//! What a customer asks to be told of their balance: below which amount, and from which one on all is well again.

use entity::{AccountId, Credits, account};

/// Sets what an account is watched for. `None` stops the watching.
#[derive(Clone, Debug)]
pub struct SetAlert {
    pub account: AccountId,
    pub thresholds: Option<Thresholds>,
}

/// Two thresholds, so that a balance that hovers about one of them is not told of again and again. Both are above zero, and
/// `recover` is at least `low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    low: Credits,
    recover: Credits,
}

impl Thresholds {
    /// `None` unless `0 < low <= recover`.
    pub fn new(low: Credits, recover: Credits) -> Option<Self> {
        (Credits::ZERO < low && low <= recover).then_some(Thresholds { low, recover })
    }

    /// A quarter more than `low`, rounded up to a whole credit; `None` when that is too large.
    pub fn usual_recover(low: Credits) -> Option<Credits> {
        const WHOLE: i64 = 1_000;
        let quarters = low.thousandths().checked_mul(5)?;
        let whole = quarters.checked_add(4 * WHOLE - 1)?.div_euclid(4 * WHOLE);
        Credits::from_whole(whole)
    }

    pub fn low(self) -> Credits {
        self.low
    }

    pub fn recover(self) -> Credits {
        self.recover
    }
}

/// What an account is watched for; `None` when it is not.
pub fn thresholds(account: &account::Model) -> Option<Thresholds> {
    Thresholds::new(account.alert_low?, account.alert_recover?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_recovery_is_a_quarter_above_rounded_up_to_a_whole_credit() {
        for (low, recover) in [(1, 1_000), (800, 1_000), (801, 2_000), (4_000, 5_000), (100_000, 125_000)] {
            let usual = Thresholds::usual_recover(Credits::from_thousandths(low));
            assert_eq!(usual, Some(Credits::from_thousandths(recover)), "{low}");
        }
        for low in [i64::MAX, i64::MAX / 5, i64::MAX / 5 - 1_000] {
            let low = Credits::from_thousandths(low);
            assert!(Thresholds::usual_recover(low).is_none_or(|recover| recover >= low), "{low}");
        }
        assert_eq!(Thresholds::usual_recover(Credits::from_thousandths(i64::MAX)), None);
    }

    #[test]
    fn thresholds_are_positive_and_in_order() {
        let new = |low, recover| {
            Thresholds::new(Credits::from_thousandths(low), Credits::from_thousandths(recover))
        };
        assert!(new(1, 1).is_some() && new(1, 2).is_some());
        for (low, recover) in [(0, 1), (-1, 1), (2, 1), (0, 0)] {
            assert_eq!(new(low, recover), None, "{low} {recover}");
        }
    }
}
