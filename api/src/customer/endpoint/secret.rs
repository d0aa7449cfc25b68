//! Signing secrets, and the headers that carry the proof (Standard Webhooks 1.0).
//!
//! A secret is derived from the master key, whose it is and its number, so that there is nothing to store or to leak. Rotating
//! it counts the number up; for a while the secret before it signs as well.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use entity::{AccountId, Timestamp, endpoint, webhook_secret};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, ExprTrait, IntoActiveModel};
use secrecy::SecretString;
use standardwebhooks::Webhook;
use uuid::Uuid;

use crate::db::Db;
use crate::secret::Subkey;

/// The secret of an account, for what its requests ask to be told, or of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningSecret {
    owner: Uuid,
    n: i64,
    /// Until then the secret before it signs as well.
    pub previous_until: Option<Timestamp>,
}

impl SigningSecret {
    /// An account's own secret; `rotated` if it ever was.
    pub fn of_account(account: AccountId, rotated: Option<&webhook_secret::Model>) -> SigningSecret {
        let n = rotated.map_or(0, |row| row.n);
        let previous_until = rotated.and_then(|row| row.previous_until);
        SigningSecret { owner: account.0, n, previous_until }
    }

    pub fn of_endpoint(endpoint: &endpoint::Model) -> SigningSecret {
        let endpoint::Model { id, secret_n, previous_until, .. } = *endpoint;
        SigningSecret { owner: id.0, n: secret_n, previous_until }
    }

    /// As its owner puts it into their verifier.
    pub fn text(&self, keys: &[Subkey]) -> Option<SecretString> {
        let raw = self.raw(keys.first()?, self.n);
        Some(SecretString::from(format!("whsec_{}", BASE64_STANDARD.encode(raw))))
    }

    fn raw(&self, key: &Subkey, n: i64) -> [u8; 32] {
        let owner = self.owner.as_bytes();
        if n == 0 { key.sign(&[owner]) } else { key.sign(&[owner, &n.to_be_bytes()]) }
    }

    /// The headers of one try. Signed with every master key, newest first, and with the secret before this one while it
    /// counts, so that no rotation breaks a receiver.
    pub fn headers(
        &self,
        keys: &[Subkey],
        id: &str,
        at: Timestamp,
        body: &str,
    ) -> [(&'static str, String); 3] {
        let previous = self.previous_until.filter(|end| *end > at).and(self.n.checked_sub(1));
        let numbers = [Some(self.n), previous].into_iter().flatten();
        let raw = numbers.flat_map(|n| keys.iter().map(move |key| self.raw(key, n)));
        let signatures: Vec<String> =
            raw.filter_map(|secret| signature(&secret, id, at.seconds(), body)).collect();
        [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.seconds().to_string()),
            ("webhook-signature", signatures.join(" ")),
        ]
    }
}

/// One `v1,…` signature over id, time and body; none when the library can't sign, which is never for a 32-byte secret.
fn signature(secret: &[u8], id: &str, timestamp: i64, body: &str) -> Option<String> {
    Webhook::from_bytes(secret.to_vec()).and_then(|webhook| webhook.sign(id, timestamp, body.as_bytes())).ok()
}

/// An account's own secret.
pub async fn of_account(db: &impl ConnectionTrait, account: AccountId) -> Result<SigningSecret, DbErr> {
    let rotated = webhook_secret::Entity::find_by_id(account).one(db).await?;
    Ok(SigningSecret::of_account(account, rotated.as_ref()))
}

/// Gives an account another secret of its own. The old one signs for `overlap_s` more; one from before that does not any more.
pub async fn rotate(
    db: &Db,
    account: AccountId,
    overlap_s: u32,
    now: Timestamp,
) -> Result<SigningSecret, DbErr> {
    use webhook_secret::Column as C;
    let previous_until = overlap(overlap_s, now);
    let first = webhook_secret::Model { account_id: account, n: 1, previous_until };
    // Counted by the database, so that two at once make two secrets.
    let next = Expr::col((webhook_secret::Entity, C::N)).add(1);
    let counted_up =
        OnConflict::column(C::AccountId).value(C::N, next).update_column(C::PreviousUntil).to_owned();
    let tx = db.begin().await?;
    let insert = webhook_secret::Entity::insert(first.into_active_model()).on_conflict(counted_up);
    insert.exec_without_returning(&tx).await?;
    let secret = of_account(&tx, account).await?;
    tx.commit().await?;
    tracing::info!(%account, overlap_s, "a signing secret was rotated");
    Ok(secret)
}

/// Until when an old secret signs; `None` when not at all.
pub fn overlap(overlap_s: u32, now: Timestamp) -> Option<Timestamp> {
    (overlap_s > 0).then(|| now.plus_seconds(i64::from(overlap_s)))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn keys() -> Vec<Subkey> {
        crate::secret::Secret::parse(&format!("k1:{}", "5a".repeat(32))).unwrap().derive("webhook")
    }

    fn secret(owner: u128, n: i64, previous_until: Option<Timestamp>) -> SigningSecret {
        SigningSecret { owner: Uuid::from_u128(owner), n, previous_until }
    }

    /// What a receiver with this secret expects.
    fn expected(secret: &SigningSecret) -> String {
        let webhook = Webhook::new(secret.text(&keys()).unwrap().expose_secret()).unwrap();
        webhook.sign("evt_1", NOW.seconds(), b"{}").unwrap()
    }

    fn signed(secret: &SigningSecret) -> String {
        let [.., (_, signature)] = secret.headers(&keys(), "evt_1", NOW, "{}");
        signature
    }

    // The vector that the specification's reference libraries test with.
    #[test]
    fn the_signature_is_the_one_that_the_reference_libraries_make() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let made =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(made.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn every_owner_has_a_secret_of_its_own_that_verifies_what_it_is_sent() {
        let (ours, theirs) = (secret(1, 0, None), secret(2, 0, None));
        assert_eq!(signed(&ours), expected(&ours));
        assert_ne!(expected(&ours), expected(&theirs));
    }

    #[test]
    fn the_secret_before_signs_as_well_until_its_time_is_over() {
        let (old, new) = (secret(1, 0, None), secret(1, 1, Some(NOW.plus_seconds(1))));
        assert_eq!(signed(&new), format!("{} {}", expected(&new), expected(&old)));
        assert_ne!(expected(&new), expected(&old));
        for over in [None, Some(NOW)] {
            assert_eq!(signed(&secret(1, 1, over)), expected(&new));
        }
        assert_eq!((overlap(0, NOW), overlap(5, NOW)), (None, Some(NOW.plus_seconds(5))));
    }
}
