//! Signed links: whoever has the URL may fetch one clip, or one upload, until a time, without an API key.
//!
//! The signature covers everything that decides what is served and until when. Removing a key's id from the settings
//! revokes every link that it signed. The clock is the caller's.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// First line of what is signed: keeps these signatures apart from all others made with the same secret.
const VERSION: &str = "reelmeter-link/v1";
/// The same for a link to an upload.
const FILE_VERSION: &str = "reelmeter-file/v1";
const SECRET_BYTES_MIN: usize = 16;
const KEY_ID_BYTES_MAX: usize = 32;

/// What of a clip is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    Video,
    Thumbnail,
    Spritesheet,
}

impl Variant {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Thumbnail => "thumbnail",
            Self::Spritesheet => "spritesheet",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Variant {
    type Err = LinkError;

    fn from_str(name: &str) -> Result<Self, LinkError> {
        [Self::Video, Self::Thumbnail, Self::Spritesheet]
            .into_iter()
            .find(|variant| variant.as_str() == name)
            .ok_or(LinkError::Invalid)
    }
}

/// Which bytes a link is for. The task is in the URL's path, the rest in its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipRef {
    pub task: Uuid,
    /// Counted from 0.
    pub clip: u32,
    pub variant: Variant,
}

/// The query parameters that prove a link, as they came.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// Unix seconds; the first second in which the link is dead.
    pub exp: u64,
    pub kid: &'a str,
    pub sig: &'a str,
}

/// Why a link is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not ours, changed, or signed with a key that was removed.
    #[error("invalid link")]
    Invalid,
    /// Ours, but its time is over. Only said of a true link, so a guess learns nothing.
    #[error("expired link")]
    Expired,
}

/// Why a key can't sign links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key id is 1 to {KEY_ID_BYTES_MAX} of A-Z a-z 0-9 _ -")]
    Id,
    #[error("a secret has at least {SECRET_BYTES_MIN} bytes")]
    Secret,
}

/// A named signing key. Holds the keyed hash, not the secret, so it can't be printed by accident.
#[derive(Clone)]
pub struct LinkKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl LinkKey {
    /// A key id stands in the URL and in the signed text as it is, hence its small alphabet.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, KeyError> {
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !plain || id.is_empty() || id.len() > KEY_ID_BYTES_MAX {
            return Err(KeyError::Id);
        }
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::Secret);
        }
        let mac = Hmac::new_from_slice(secret).map_err(|_| KeyError::Secret)?;
        Ok(Self { id: id.to_owned(), mac })
    }

    fn mac_of(&self, what: Linked<'_>, exp: u64) -> Hmac<Sha256> {
        let id = &self.id;
        let text = match what {
            Linked::Clip(ClipRef { task, clip, variant }) => {
                format!("{VERSION}\n{id}\n{task}\n{clip}\n{variant}\n{exp}")
            }
            Linked::File(file) => format!("{FILE_VERSION}\n{id}\n{file}\n{exp}"),
        };
        self.mac.clone().chain_update(text)
    }
}

/// What a link can be for.
#[derive(Clone, Copy)]
enum Linked<'a> {
    Clip(&'a ClipRef),
    File(Uuid),
}

/// Signs with the newest key, verifies with all.
#[derive(Debug, Clone)]
pub struct LinkSigner {
    newest: LinkKey,
    older: Vec<LinkKey>,
}

impl LinkSigner {
    /// To rotate, put the new key first and keep the old one until its last link has expired.
    pub fn new(newest: LinkKey, older: Vec<LinkKey>) -> Self {
        Self { newest, older }
    }

    /// The query string of a link that works before `expires_at_s` (Unix seconds).
    pub fn sign(&self, clip: ClipRef, expires_at_s: u64) -> String {
        let signed = self.signed(Linked::Clip(&clip), expires_at_s);
        format!("clip={}&variant={}&{signed}", clip.clip, clip.variant)
    }

    /// The same of a link to an upload, which is in the URL's path.
    pub fn sign_file(&self, file: Uuid, expires_at_s: u64) -> String {
        self.signed(Linked::File(file), expires_at_s)
    }

    fn signed(&self, what: Linked<'_>, expires_at_s: u64) -> String {
        let sig = self.newest.mac_of(what, expires_at_s).finalize().into_bytes();
        format!("exp={expires_at_s}&kid={}&sig={}", self.newest.id, BASE64_URL_SAFE_NO_PAD.encode(sig))
    }

    /// Whether `proof` is for `clip` and still good at `now_s` (Unix seconds). Compares in constant time.
    pub fn verify(&self, clip: &ClipRef, proof: &Proof<'_>, now_s: u64) -> Result<(), LinkError> {
        self.verify_linked(Linked::Clip(clip), proof, now_s)
    }

    /// The same of a link to an upload.
    pub fn verify_file(&self, file: Uuid, proof: &Proof<'_>, now_s: u64) -> Result<(), LinkError> {
        self.verify_linked(Linked::File(file), proof, now_s)
    }

    fn verify_linked(&self, what: Linked<'_>, proof: &Proof<'_>, now_s: u64) -> Result<(), LinkError> {
        let sig = BASE64_URL_SAFE_NO_PAD.decode(proof.sig).map_err(|_| LinkError::Invalid)?;
        let signed = std::iter::once(&self.newest)
            .chain(&self.older)
            .filter(|key| key.id == proof.kid)
            .any(|key| key.mac_of(what, proof.exp).verify_slice(&sig).is_ok());
        match signed {
            false => Err(LinkError::Invalid),
            true if now_s >= proof.exp => Err(LinkError::Expired),
            true => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LinkError::{Expired, Invalid};

    const CLIP: ClipRef = ClipRef { task: Uuid::from_u128(7), clip: 2, variant: Variant::Video };

    fn key(id: &str, byte: u8) -> LinkKey {
        LinkKey::new(id, &[byte; 32]).unwrap()
    }

    fn signer() -> LinkSigner {
        LinkSigner::new(key("k1", 1), vec![])
    }

    fn parts(query: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    fn verify(signer: &LinkSigner, clip: &ClipRef, query: &str, now_s: u64) -> Result<(), LinkError> {
        let parts = parts(query);
        let get =
            |name: &str| parts.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap();
        verify_parts(signer, clip, (get("exp").parse().unwrap(), get("kid"), get("sig")), now_s)
    }

    fn verify_parts(
        signer: &LinkSigner,
        clip: &ClipRef,
        (exp, kid, sig): (u64, &str, &str),
        now_s: u64,
    ) -> Result<(), LinkError> {
        signer.verify(clip, &Proof { exp, kid, sig }, now_s)
    }

    #[test]
    fn a_link_works_until_the_second_it_expires() {
        let query = signer().sign(CLIP, 1000);
        assert_eq!(verify(&signer(), &CLIP, &query, 999), Ok(()));
        assert_eq!(verify(&signer(), &CLIP, &query, 1000), Err(Expired));
        assert_eq!(verify(&signer(), &CLIP, &query, u64::MAX), Err(Expired));
    }

    #[test]
    fn the_query_carries_all_that_the_task_in_the_path_does_not() {
        let names: Vec<_> = parts(&signer().sign(CLIP, 1000)).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["clip", "variant", "exp", "kid", "sig"]);
    }

    #[test]
    fn the_signed_form_is_fixed_forever() {
        // Computed apart from this code: openssl dgst -sha256 -mac HMAC over the canonical lines.
        assert_eq!(
            signer().sign(CLIP, 1000),
            "clip=2&variant=video&exp=1000&kid=k1&sig=9F79T7kv1czBi3t9HN_c8Z0XPXR0gEKWGOoBpswRJMw"
        );
    }

    #[test]
    fn a_link_for_one_clip_opens_no_other() {
        let query = signer().sign(CLIP, 1000);
        for other in [
            ClipRef { task: Uuid::from_u128(8), ..CLIP },
            ClipRef { clip: 3, ..CLIP },
            ClipRef { variant: Variant::Thumbnail, ..CLIP },
        ] {
            assert_eq!(verify(&signer(), &other, &query, 0), Err(Invalid), "{other:?}");
        }
    }

    #[test]
    fn a_link_to_a_file_opens_no_other_and_no_clip() {
        let (file, other) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let query = signer().sign_file(file, 1000);
        assert!(query.starts_with("exp=1000&kid=k1&sig="), "{query}");
        let sig = parts(&query).pop().unwrap().1;
        let proof = Proof { exp: 1000, kid: "k1", sig: &sig };
        assert_eq!(signer().verify_file(file, &proof, 999), Ok(()));
        assert_eq!(signer().verify_file(file, &proof, 1000), Err(Expired));
        assert_eq!(signer().verify_file(other, &proof, 0), Err(Invalid));
        assert_eq!(signer().verify(&CLIP, &proof, 0), Err(Invalid));
    }

    #[test]
    fn a_changed_time_or_signature_is_invalid_not_expired() {
        let query = signer().sign(CLIP, 1000);
        let sig = parts(&query).pop().unwrap().1;
        assert_eq!(verify_parts(&signer(), &CLIP, (1001, "k1", &sig), 0), Err(Invalid));
        assert_eq!(verify_parts(&signer(), &CLIP, (5, "k1", &sig), 900), Err(Invalid));
        for bad in ["", "!", &sig[1..], &format!("{sig}A"), &format!("{sig}="), &sig.to_lowercase()] {
            assert_eq!(verify_parts(&signer(), &CLIP, (1000, "k1", bad), 0), Err(Invalid), "{bad}");
        }
    }

    #[test]
    fn rotation_signs_with_the_new_key_and_still_takes_the_old() {
        let old = signer().sign(CLIP, 1000);
        let rotated = LinkSigner::new(key("k2", 2), vec![key("k1", 1)]);
        assert!(rotated.sign(CLIP, 1000).contains("kid=k2"));
        assert_eq!(verify(&rotated, &CLIP, &rotated.sign(CLIP, 1000), 0), Ok(()));
        assert_eq!(verify(&rotated, &CLIP, &old, 0), Ok(()));
    }

    #[test]
    fn removing_a_key_revokes_its_links_even_when_its_name_comes_back() {
        let old = signer().sign(CLIP, 1000);
        assert_eq!(verify(&LinkSigner::new(key("k2", 2), vec![]), &CLIP, &old, 0), Err(Invalid));
        assert_eq!(verify(&LinkSigner::new(key("k1", 2), vec![]), &CLIP, &old, 0), Err(Invalid));
    }

    #[test]
    fn a_key_with_a_strange_name_or_a_short_secret_is_refused() {
        for id in ["", "a b", "a&b", "a\nb", "é", &"x".repeat(33)] {
            assert_eq!(LinkKey::new(id, &[0; 32]).err(), Some(KeyError::Id), "{id:?}");
        }
        assert_eq!(LinkKey::new("k", &[0; 15]).err(), Some(KeyError::Secret));
        assert!(LinkKey::new("k-1_B", &[0; 16]).is_ok());
    }

    #[test]
    fn a_key_prints_its_name_only() {
        assert_eq!(format!("{:?}", key("k1", 1)), "LinkKey { id: \"k1\", .. }");
    }

    #[test]
    fn every_variant_reads_back_from_its_name() {
        for variant in [Variant::Video, Variant::Thumbnail, Variant::Spritesheet] {
            assert_eq!(variant.as_str().parse(), Ok(variant));
        }
        assert_eq!("Video".parse::<Variant>(), Err(Invalid));
    }
}
