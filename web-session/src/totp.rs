//! Codes of an authenticator app: six digits, SHA-1, a new one every 30 seconds (RFC 6238), the one before and the one after
//! are good as well. SHA-1 because some apps take no other and don't say so.

use totp_rs::{Algorithm, Builder, Totp, TotpError};

const DIGITS: u8 = 6;
const STEP_SECONDS: u64 = 30;
/// Steps that a clock may be off.
const SKEW: u16 = 1;

/// The time step whose code this is, if it is one. A step must be taken once only, which is the caller's to remember.
pub fn verify(secret: &[u8], code: &str, now_s: u64) -> Option<u64> {
    let totp = builder(secret).build().ok()?;
    totp.check(code.trim(), now_s)
}

/// The code of an instant, as an app shows it.
pub fn code(secret: &[u8], now_s: u64) -> Result<String, TotpError> {
    Ok(builder(secret).build()?.generate(now_s).to_string())
}

/// The secret as people type it into an app.
pub fn base32(secret: &[u8]) -> Result<String, TotpError> {
    Ok(builder(secret).build()?.secret().to_base32())
}

/// What a QR code for an app holds.
pub fn url(secret: &[u8], issuer: &str, person: &str) -> Result<String, TotpError> {
    named(secret, issuer, person)?.to_url()
}

fn named(secret: &[u8], issuer: &str, person: &str) -> Result<Totp, TotpError> {
    // A colon separates issuer and person.
    builder(secret).with_issuer(Some(issuer)).with_account_name(person.replace(':', "_")).build()
}

fn builder(secret: &[u8]) -> Builder {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(SKEW)
        .with_step_duration(STEP_SECONDS)
        .with_secret(secret.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 6238, appendix B, the last six of the eight digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        for (now_s, expected) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(code(SECRET, now_s).unwrap(), expected);
            assert_eq!(verify(SECRET, expected, now_s), Some(now_s / 30));
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_or_late_and_names_its_step() {
        let now_s = 1_000_000_020;
        let own = code(SECRET, now_s).unwrap();
        for (at, found) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let step = verify(SECRET, &own, now_s.saturating_add_signed(at));
            assert_eq!(step, found.then_some(now_s / 30), "{at}");
        }
        for wrong in ["", "12345", "1234567", "abcdef", "+12345", "000000"] {
            assert_eq!(verify(SECRET, wrong, now_s), None, "{wrong}");
        }
    }

    #[test]
    fn an_app_is_told_by_text_or_by_url() {
        assert_eq!(base32(SECRET).unwrap(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let url = url(SECRET, "Reelmeter", "a:b@example.com").unwrap();
        assert!(url.starts_with("otpauth://totp/Reelmeter:a_b%40example.com?"), "{url}");
        assert!(
            url.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") && url.contains("issuer=Reelmeter"),
            "{url}"
        );
    }
}
