//! Who is calling: an argument of each handler, so that the check can't be forgotten, and made before the body is read.
//!
//! A key comes in `Authorization` or in `X-Api-Key`, never in the query: addresses end up in logs. A browser comes with the
//! cookie of its session. With a key the key alone decides, whatever the cookie is.

pub mod session;

mod key;

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use poem::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::error::ApiError;
use crate::app::App;
use crate::customer::caller::{
    BILLING_READ, BILLING_WRITE, Identity, KEYS_MANAGE, VIDEOS_READ, VIDEOS_WRITE,
};
use crate::video::Payer;

const API_KEY: &str = "X-Api-Key";

/// What the caller must be allowed for an operation.
pub trait Scope: Send + Sync + 'static {
    const NAME: &'static str;

    fn is_had_by(identity: &Identity) -> bool {
        identity.may(Self::NAME)
    }
}

/// Whoever it is: for operations that ask for no scope.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

#[derive(Clone, Copy, Debug)]
pub struct VideosWrite;
#[derive(Clone, Copy, Debug)]
pub struct VideosRead;
#[derive(Clone, Copy, Debug)]
pub struct BillingRead;
#[derive(Clone, Copy, Debug)]
pub struct BillingWrite;
#[derive(Clone, Copy, Debug)]
pub struct KeysManage;

impl Scope for Anyone {
    const NAME: &'static str = "";

    fn is_had_by(_: &Identity) -> bool {
        true
    }
}

impl Scope for VideosWrite {
    const NAME: &'static str = VIDEOS_WRITE;
}

impl Scope for VideosRead {
    const NAME: &'static str = VIDEOS_READ;
}

impl Scope for BillingRead {
    const NAME: &'static str = BILLING_READ;
}

impl Scope for BillingWrite {
    const NAME: &'static str = BILLING_WRITE;
}

impl Scope for KeysManage {
    const NAME: &'static str = KEYS_MANAGE;
}

/// Marks a request whose caller is only looked at again, because its answer lasts: it was counted when it came.
#[derive(Clone, Copy, Debug)]
pub struct Again;

/// Somebody who may do what the scope `S` allows. What they may still spend is not asked here.
#[derive(Clone, Debug)]
pub struct Caller<S> {
    identity: Arc<Identity>,
    scope: PhantomData<S>,
}

impl<S> Deref for Caller<S> {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl<S> Caller<S> {
    pub fn payer(&self) -> Payer {
        let Identity { account, mode, ref group, ref models, .. } = *self.identity;
        Payer { account, mode, key: self.key(), group: group.clone(), models: models.clone() }
    }
}

impl Caller<Anyone> {
    /// The same caller, where only what is asked for says what they must be allowed.
    pub fn allowed<S: Scope>(self) -> Result<Caller<S>, ApiError> {
        match S::is_had_by(&self.identity) {
            true => Ok(Caller { identity: self.identity, scope: PhantomData }),
            false => Err(ApiError::InsufficientScope(S::NAME)),
        }
    }
}

impl<'a, S: Scope> ApiExtractor<'a> for Caller<S> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_schemes(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        SCHEMES.to_vec()
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let identity = authenticate::<S>(request).await?;
        Ok(Caller { identity, scope: PhantomData })
    }
}

/// The names of the ways to say who one is in the API's description.
pub const SCHEMES: [&str; 3] = ["bearer", "apiKey", session::SCHEME];

/// Describes the ways to say who one is.
pub fn register_schemes(registry: &mut Registry) {
    let scheme = |ty, description| MetaSecurityScheme {
        ty,
        description: Some(description),
        name: None,
        key_in: None,
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    let bearer = scheme("http", "`Authorization: Bearer <key>`");
    registry.create_security_scheme("bearer", MetaSecurityScheme { scheme: Some("bearer"), ..bearer });
    let header = scheme("apiKey", "The key alone, in a header of its own");
    let header = MetaSecurityScheme { name: Some(API_KEY), key_in: Some("header"), ..header };
    registry.create_security_scheme("apiKey", header);
    session::register_scheme(registry);
}

/// The application that the request was given.
pub fn app(request: &Request) -> Result<&Arc<App>, ApiError> {
    request
        .data::<Arc<App>>()
        .ok_or_else(|| ApiError::internal(anyhow::anyhow!("the request has no application")))
}

/// The owner of the request's key, or else of its session, if they have the scope.
pub async fn authenticate<S: Scope>(request: &Request) -> Result<Arc<Identity>, ApiError> {
    let identity = match secret(request.headers())? {
        Some(secret) => key::identify(request, &secret).await?,
        // On the heap: it takes more room than everything for a key, and few come with a session.
        None => Arc::new(Box::pin(session::identity(request)).await?),
    };
    if S::is_had_by(&identity) { Ok(identity) } else { Err(ApiError::InsufficientScope(S::NAME)) }
}

/// The one key that the headers hold; `None` without any. Saying the same key twice is fine.
pub fn secret(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| text(value).map(without_scheme));
    let plain = headers.get_all(API_KEY).iter().map(text);
    let mut given = bearer.chain(plain).collect::<Result<BTreeSet<&str>, ApiError>>()?;
    let secret = given.pop_first().map(str::to_owned);
    if given.is_empty() { Ok(secret) } else { Err(ApiError::ConflictingCredentials) }
}

fn text(value: &HeaderValue) -> Result<&str, ApiError> {
    value.to_str().map(str::trim).map_err(|_| ApiError::Unauthorized)
}

/// `Bearer <key>`, the scheme in any case, or the key alone. Another scheme stays in front, and is no key then.
fn without_scheme(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim_start(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room<'a, F: Future>(_: impl FnOnce(&'a Request) -> F) -> usize {
        size_of::<F>()
    }

    /// It is done for each of the requests that wait.
    #[test]
    fn finding_out_who_calls_takes_little_room() {
        let room = room(authenticate::<VideosRead>);
        assert!(room <= 1_024, "{room} bytes");
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_key_is_read_from_either_header_in_any_usual_spelling() {
        for pair in [
            ("authorization", "Bearer sk-1"),
            ("authorization", "bearer   sk-1 "),
            ("authorization", "BEARER sk-1"),
            ("authorization", "sk-1"),
            ("x-api-key", " sk-1 "),
        ] {
            assert_eq!(secret(&headers(&[pair])).unwrap().as_deref(), Some("sk-1"), "{pair:?}");
        }
        assert_eq!(
            secret(&headers(&[("authorization", "Basic sk-1")])).unwrap().as_deref(),
            Some("Basic sk-1")
        );
        assert_eq!(secret(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn the_same_key_twice_is_one_and_two_keys_are_refused() {
        let same = headers(&[("authorization", "Bearer sk-1"), ("x-api-key", "sk-1")]);
        assert_eq!(secret(&same).unwrap().as_deref(), Some("sk-1"));
        for two in [
            [("authorization", "Bearer sk-1"), ("x-api-key", "sk-2")],
            [("authorization", "Bearer sk-1"), ("authorization", "Bearer sk-2")],
            [("x-api-key", "sk-1"), ("x-api-key", "sk-2")],
        ] {
            assert!(matches!(secret(&headers(&two)), Err(ApiError::ConflictingCredentials)), "{two:?}");
        }
    }

    #[test]
    fn what_is_not_text_is_no_key() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert!(matches!(secret(&headers), Err(ApiError::Unauthorized)));
    }
}
