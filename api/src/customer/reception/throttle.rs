//! How often somebody may try. Counted before anything is looked at, for those who exist and those who don't.

use std::num::NonZeroU32;

use super::{Reception, Refused, Visit};
use crate::limit::{Policy, subject_of};

const QUARTER: u32 = 15 * 60;
const HOUR: u32 = 3_600;

pub const SIGN_IN: Policy = policy("sign in", 10, QUARTER);
const SIGN_IN_ADDRESS: Policy = policy("sign in, address", 60, QUARTER);
const SIGN_IN_EMAIL: Policy = policy("sign in, e-mail", 100, HOUR);
/// Passwords and codes of somebody who is signed in.
pub const PROOF: Policy = policy("proof", 10, QUARTER);
/// Codes that come with a right password.
pub const SECOND_PROOF: Policy = policy("second proof", 10, QUARTER);
pub const REGISTER: Policy = policy("register", 60, HOUR);
pub const FORGOT: Policy = policy("forgot", 20, HOUR);
pub const FORGOT_EMAIL: Policy = policy("forgot, e-mail", 5, HOUR);
pub const RESET: Policy = policy("reset", 30, QUARTER);
pub const BETA: Policy = policy("beta", 20, HOUR);
pub const REDEEM: Policy = policy("redeem invite", 20, HOUR);

const fn policy(name: &'static str, quota: u32, window_s: u32) -> Policy {
    match (NonZeroU32::new(quota), NonZeroU32::new(window_s)) {
        (Some(quota), Some(window_s)) => Policy { name, quota, window_s },
        _ => panic!("a policy allows something in some time"),
    }
}

impl Reception {
    pub(super) async fn throttle(&self, policy: Policy, subject: &str) -> Result<(), Refused> {
        let taken = self.limiter.take(policy, subject).await;
        let retry_after_s = taken.retry_after_s;
        if taken.is_allowed { Ok(()) } else { Err(Refused::Throttled { retry_after_s }) }
    }

    /// The address first: it bounds how many others one of them can make up.
    pub(super) async fn throttle_sign_in(&self, email: &str, visit: &Visit) -> Result<(), Refused> {
        self.throttle(SIGN_IN_ADDRESS, &subject_of(visit.address)).await?;
        self.throttle(SIGN_IN, &email_and_address(email, visit)).await?;
        self.throttle(SIGN_IN_EMAIL, email).await
    }

    /// Whoever got in may have mistyped as often as they like.
    pub(super) async fn forgive(&self, email: &str, visit: &Visit) {
        self.limiter.clear(SIGN_IN, &email_and_address(email, visit)).await;
    }
}

fn email_and_address(email: &str, visit: &Visit) -> String {
    format!("{} {email}", subject_of(visit.address))
}
