//! Binding quotes: a price that a customer was told, signed so that it need not be stored.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use entity::{AccountId, Credits, Mode, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::price::Explanation;
use crate::secret::{Secret, Subkey};

/// How long a quote binds us, in seconds.
pub const LIFETIME_SECONDS: i64 = 900;

/// What a quote promises: this account gets this request, once, for this many credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    pub id: Uuid,
    pub account: Uuid,
    pub mode: Mode,
    /// Hex of the request's content hash, the quote's own field left out.
    pub request: String,
    pub credits: Credits,
    pub explanation: Explanation,
    /// Microseconds since 1970.
    pub expires_at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// Not one of ours, of another account or mode, or for another request.
    #[error("the quote does not fit this request")]
    Mismatch,
    #[error("the quote has expired")]
    Expired,
}

/// Signs quotes, and reads them back.
#[derive(Debug)]
pub struct QuoteSigner {
    keys: Vec<Subkey>,
}

impl QuoteSigner {
    pub fn new(secret: &Secret) -> Self {
        QuoteSigner { keys: secret.derive("quote") }
    }

    /// The token that the customer sends as `quoteId`.
    pub fn sign(&self, promise: &Promise) -> Result<String, serde_json::Error> {
        let body = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(promise)?);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.keys[0].sign(&[body.as_bytes()]));
        Ok(format!("quote_{body}.{signature}"))
    }

    /// What was promised, if it was to this account, for this content, and still binds.
    pub fn read(
        &self,
        token: &str,
        (account, mode): (AccountId, Mode),
        content: &[u8],
        now: Timestamp,
    ) -> Result<Promise, QuoteError> {
        let promise = self.verified(token).ok_or(QuoteError::Mismatch)?;
        let fits =
            promise.account == account.0 && promise.mode == mode && promise.request == hex::encode(content);
        if !fits {
            return Err(QuoteError::Mismatch);
        }
        if promise.expires_at <= now.micros() {
            return Err(QuoteError::Expired);
        }
        Ok(promise)
    }

    fn verified(&self, token: &str) -> Option<Promise> {
        let (body, signature) = token.strip_prefix("quote_")?.split_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let good = self.keys.iter().any(|key| key.sign(&[body.as_bytes()]).ct_eq(&signature[..]).into());
        let body = BASE64_URL_SAFE_NO_PAD.decode(body).ok()?;
        if good { serde_json::from_slice(&body).ok() } else { None }
    }
}
