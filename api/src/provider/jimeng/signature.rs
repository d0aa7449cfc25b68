//! Volcengine's signature, version 4.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "HMAC-SHA256";
const REGION: &str = "cn-north-1";
const SERVICE: &str = "cv";
const TERMINATOR: &str = "request";
const SIGNED: &str = "content-type;host;x-content-sha256;x-date";

#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub access_key: String,
    pub secret: SecretString,
}

/// What is signed, exactly as it is sent.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// As `20260901T100000Z`.
    pub date: String,
    pub host: String,
    pub path: String,
    /// Encoded and in the order of the names.
    pub query: String,
    pub content_type: &'static str,
    pub body: &'a [u8],
}

impl Request<'_> {
    pub(super) fn body_hash(&self) -> String {
        hex::encode(Sha256::digest(self.body))
    }

    fn day(&self) -> &str {
        self.date.split('T').next().unwrap_or_default()
    }

    fn scope(&self) -> String {
        format!("{}/{REGION}/{SERVICE}/{TERMINATOR}", self.day())
    }

    fn canonical(&self) -> String {
        let Request { date, host, path, query, content_type, .. } = self;
        let hash = self.body_hash();
        let headers =
            format!("content-type:{content_type}\nhost:{host}\nx-content-sha256:{hash}\nx-date:{date}\n");
        format!("POST\n{path}\n{query}\n{headers}\n{SIGNED}\n{hash}")
    }

    fn to_sign(&self) -> String {
        let canonical = hex::encode(Sha256::digest(self.canonical()));
        format!("{ALGORITHM}\n{}\n{}\n{canonical}", self.date, self.scope())
    }
}

impl Credentials {
    /// The header of that name.
    pub(super) fn authorization(&self, request: &Request<'_>) -> String {
        let signature = hex::encode(mac(&self.signing_key(request.day()), &request.to_sign()));
        let (access_key, scope) = (&self.access_key, request.scope());
        format!("{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={SIGNED}, Signature={signature}")
    }

    fn signing_key(&self, day: &str) -> Vec<u8> {
        let secret = self.secret.expose_secret().as_bytes().to_vec();
        [day, REGION, SERVICE, TERMINATOR].iter().fold(secret, |key, part| mac(&key, part))
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // Keys may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the vendor's own signer with its clock stopped.
    #[test]
    fn every_step_is_as_the_vendor_takes_it() {
        let body = br#"{"req_key":"jimeng_ti2v_v30_pro","prompt":"ink","seed":-1,"frames":121,"aspect_ratio":"16:9"}"#;
        let request = Request {
            date: "20260901T100000Z".to_owned(),
            host: "visual.volcengineapi.com".to_owned(),
            path: "/".to_owned(),
            query: "Action=CVSync2AsyncSubmitTask&Version=2022-08-31".to_owned(),
            content_type: "application/json",
            body,
        };
        let credentials = Credentials {
            access_key: "AKLTTESTACCESSKEY".to_owned(),
            secret: SecretString::from("U0tURVNUU0VDUkVU"),
        };
        let hashed = hex::encode(Sha256::digest(request.canonical()));
        let key = hex::encode(credentials.signing_key(request.day()));
        assert_eq!(request.body_hash(), "53daa6bb90d02d574d04e2ca7662dd67d3506c31c1c17af62031fc6451d5205a");
        assert_eq!(hashed, "f6908720f65df01e7ca7fb8542b91e8e90d7252fa5b1e7560c59517f8245c578");
        assert_eq!(key, "7da412b8dc9bb3ce46add91690751c64423926ef9fc57faa5a8b318c7fac8c4b");
        assert_eq!(
            credentials.authorization(&request),
            "HMAC-SHA256 Credential=AKLTTESTACCESSKEY/20260901/cn-north-1/cv/request, \
             SignedHeaders=content-type;host;x-content-sha256;x-date, \
             Signature=e4d12d57c3b1b3c7d0d59544088d80c850b762cc6462530195fbbf21c8b74110"
        );
    }
}
