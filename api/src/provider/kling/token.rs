//! What a call is authorised by: a key as it is, or a token that an access key and its secret mint.

use std::sync::{Mutex, PoisonError};

use jsonwebtoken::{EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::clock::Clock;

/// Seconds that a token lives, and that its clock may be behind.
const LIFETIME_S: i64 = 1_800;
const SKEW_S: i64 = 5;
/// A token this near to its end is not used any more.
const SPARE_S: i64 = 300;

#[derive(Debug)]
pub enum Token {
    Fixed(SecretString),
    Minted(Box<Mint>),
}

#[derive(Debug)]
pub struct Mint {
    access: String,
    secret: SecretString,
    clock: Clock,
    last: Mutex<Option<(SecretString, i64)>>,
}

/// In the order of their documents.
#[derive(Debug, Serialize, serde::Deserialize)]
struct Claims {
    iss: String,
    exp: i64,
    nbf: i64,
}

impl Token {
    pub fn minted(access: &str, secret: SecretString, clock: Clock) -> Token {
        Token::Minted(Box::new(Mint { access: access.to_owned(), secret, clock, last: Mutex::default() }))
    }

    pub fn get(&self) -> Result<SecretString, &'static str> {
        match self {
            Token::Fixed(key) => Ok(key.clone()),
            Token::Minted(mint) => mint.get(),
        }
    }

    pub fn is_minted(&self) -> bool {
        matches!(self, Token::Minted(_))
    }

    /// Forgets a token that was refused; false for a key, which stays what it is.
    pub fn renew(&self) -> bool {
        let Token::Minted(mint) = self else { return false };
        *mint.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        true
    }
}

impl Mint {
    fn get(&self) -> Result<SecretString, &'static str> {
        let now = self.clock.now().seconds();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, ends)) = &*last
            && now < ends - SPARE_S
        {
            return Ok(token.clone());
        }
        let claims = Claims { iss: self.access.clone(), exp: now + LIFETIME_S, nbf: now - SKEW_S };
        let key = EncodingKey::from_secret(self.secret.expose_secret().as_bytes());
        let token =
            encode(&Header::default(), &claims, &key).map_err(|_| "no token can be made of the keys")?;
        let token = SecretString::from(token);
        *last = Some((token.clone(), claims.exp));
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    /// The token of a fixed time, as their own steps make it.
    const VECTOR: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJBS1RFU1QwMDAxIiwiZXhwIjoxNzcwMDAxODAwLCJuYmYiOjE3Njk5OTk5OTV9.qf8dTs6nMxS7oo26mNoKEbuy0DndToJEEeo4c94pMFA";

    fn read(token: &str) -> Claims {
        let mut validation = Validation::default();
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        decode(token, &DecodingKey::from_secret(b"SKTEST0002"), &validation).unwrap().claims
    }

    #[test]
    fn a_token_is_what_their_steps_make() {
        let Claims { iss, exp, nbf } = read(VECTOR);
        assert_eq!((iss.as_str(), exp, nbf), ("AKTEST0001", 1_770_001_800, 1_769_999_995));
        let clock = Clock::system();
        let token = Token::minted("AKTEST0001", "SKTEST0002".into(), clock.clone());
        let made = token.get().unwrap();
        let claims = read(made.expose_secret());
        assert_eq!((claims.iss.as_str(), claims.exp - claims.nbf), ("AKTEST0001", exp - nbf));
        // The claims are written in their order.
        let payload = made.expose_secret().split('.').nth(1).unwrap().to_owned();
        assert!(payload.starts_with(&VECTOR.split('.').nth(1).unwrap()[..32]), "{payload}");
    }

    #[test]
    fn a_token_is_used_until_it_is_near_its_end_or_refused() {
        let clock = Clock::system();
        let token = Token::minted("a", "s".into(), clock.clone());
        let get = || token.get().unwrap().expose_secret().to_owned();
        let first = get();
        clock.advance(LIFETIME_S - SPARE_S - 10);
        assert_eq!(get(), first);
        clock.advance(20);
        let second = get();
        assert_ne!(second, first);
        clock.advance(1);
        assert!(token.renew() && get() != second);
        assert!(!Token::Fixed("key".into()).renew());
    }
}
