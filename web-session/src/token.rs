//! The value of a cookie or of a link: 256 random bits, which only their holder knows.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const BYTES: usize = 32;
/// 256 bits in base64url.
const CHARS: usize = 43;
const CSRF_LABEL: &[u8] = b"csrf";

/// A secret of full entropy. Debug shows nothing of it, and it can't be displayed.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    pub fn random() -> Self {
        Token(SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; BYTES]>())))
    }

    /// Reads what has the shape of a token; anything else is none, which is told without a look-up.
    pub fn parse(text: &str) -> Option<Self> {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let has_shape = text.len() == CHARS && text.bytes().all(is_base64url);
        has_shape.then(|| Token(SecretString::from(text)))
    }

    /// What is stored. A token has full entropy, so a slow hash would protect nothing.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.expose().as_bytes()).to_vec()
    }

    /// What a page sends along to prove that it could read our answers. Derived, so nothing is stored; it changes with the
    /// token, and doesn't tell it.
    pub fn csrf(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.csrf_mac().finalize().into_bytes())
    }

    /// Whether this is the CSRF token of this very session, compared in constant time.
    pub fn is_csrf(&self, given: &str) -> bool {
        self.csrf().as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// The token in the clear, for a cookie or a link and nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn csrf_mac(&self) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(self.expose().as_bytes());
        mac.expect("HMAC takes keys of any length").chain_update(CSRF_LABEL)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_differs_from_the_next_and_can_t_be_printed() {
        let token = Token::random();
        assert_eq!(Token::parse(token.expose()).unwrap().hash(), token.hash());
        assert_ne!(Token::random().hash(), token.hash());
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn what_has_another_shape_is_no_token() {
        let good = "A".repeat(CHARS);
        assert!(Token::parse(&good).is_some());
        for text in
            ["".to_owned(), "A".repeat(42), "A".repeat(44), good.replacen('A', "=", 1), "é".repeat(43)]
        {
            assert!(Token::parse(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_csrf_token_is_its_own_session_s_only() {
        let (one, other) = (Token::random(), Token::random());
        assert!(one.is_csrf(&one.csrf()));
        assert!(!one.is_csrf(&other.csrf()) && !one.is_csrf("") && !one.is_csrf(one.expose()));
    }
}
