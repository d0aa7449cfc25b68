//! A service account, and the tokens that it is given.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use crate::clock::Clock;
use crate::provider::instance::Opening;
use crate::provider::json::{int_at, text_at};
use crate::provider::wire::{Reply, Wire};
use crate::provider::{FailureCode, ProviderError};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const LIFETIME_S: i64 = 3_600;
/// A token this near to its end is not used any more, in seconds.
const SPARE_S: i64 = 300;

/// What is read of the file.
#[derive(Deserialize)]
struct Stored {
    client_email: String,
    private_key: String,
    project_id: String,
    token_uri: Url,
}

#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'static str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

pub struct Account {
    email: String,
    project: String,
    key: EncodingKey,
    /// Whom a token is asked of, as the account's file names them.
    audience: String,
    wire: Wire,
    clock: Clock,
    last: Mutex<Option<(SecretString, i64)>>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.email)
    }
}

impl Account {
    pub fn open(opening: &Opening) -> Result<Account, String> {
        let path = opening.key.expose_secret();
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        // What is wrong may hold a part of the key.
        let stored: Stored = serde_json::from_str(&text)
            .map_err(|_| format!("{path} is not the file of a service account"))?;
        let key = EncodingKey::from_rsa_pem(stored.private_key.as_bytes());
        let key = key.map_err(|_| format!("the private key in {path} can't be read"))?;
        let address = match opening.text("token_url") {
            Some(text) => Url::parse(text).map_err(|error| format!("token_url: {error}"))?,
            None => stored.token_uri.clone(),
        };
        Ok(Account {
            email: stored.client_email,
            project: stored.project_id,
            key,
            audience: stored.token_uri.into(),
            wire: opening.wire.to(address),
            clock: opening.clock.clone(),
            last: Mutex::default(),
        })
    }

    pub fn project(&self) -> &str {
        &self.project
    }

    /// A token that lives long enough for a call. Those who ask at once wait for the same one.
    pub async fn token(&self) -> Result<SecretString, ProviderError> {
        let now = self.clock.now().seconds();
        let mut last = self.last.lock().await;
        if let Some((token, ends)) = &*last
            && now < ends - SPARE_S
        {
            return Ok(token.clone());
        }
        let (token, lives) = self.ask(now).await?;
        *last = Some((token.clone(), now + lives));
        Ok(token)
    }

    /// A token that was refused is not used again.
    pub async fn heed(&self, reply: &Reply) {
        if reply.status == 401 {
            *self.last.lock().await = None;
        }
    }

    async fn ask(&self, now: i64) -> Result<(SecretString, i64), ProviderError> {
        let (iss, aud) = (self.email.as_str(), self.audience.as_str());
        let claims = Claims { iss, scope: SCOPE, aud, iat: now, exp: now + LIFETIME_S };
        let assertion = encode(&Header::new(Algorithm::RS256), &claims, &self.key);
        let broken =
            |_| ProviderError::refused(FailureCode::Auth, "no assertion can be made of the key", None);
        let assertion = assertion.map_err(broken)?;
        // Nothing is billed for it.
        let reply =
            self.wire.post("").form(&[("grant_type", GRANT), ("assertion", &assertion)]).ask().await?;
        if matches!(reply.status, 400 | 401 | 403) {
            return Err(reply.refused(FailureCode::Auth));
        }
        let answer = reply.json_or_null();
        let token = text_at(&answer, "/access_token").filter(|_| reply.is_success());
        let token = token.ok_or_else(|| ProviderError::unavailable(reply.excerpt()))?;
        Ok((SecretString::from(token), int_at(&answer, "/expires_in").unwrap_or(LIFETIME_S)))
    }
}
