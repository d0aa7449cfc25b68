//! Signing in: password, second factor, a fresh session.

use entity::user;
use sea_orm::EntityTrait;
use secrecy::{ExposeSecret, SecretString};

use super::{Reception, Refused, SignedIn, Visit};
use crate::customer::{people, second_factor};

#[derive(Debug)]
pub struct Credentials {
    /// As [`people::normalized`].
    pub email: String,
    pub password: SecretString,
    /// Of the app, or a recovery code.
    pub code: Option<SecretString>,
}

impl Reception {
    pub async fn sign_in(&self, given: Credentials, visit: &Visit) -> Result<SignedIn, Refused> {
        self.throttle_sign_in(&given.email, visit).await?;
        let user = people::user_by_email(self.db.read(), &given.email).await?;
        let user = self.passwords.check(user, given.password).await?;
        self.check_code(&user, given.code.as_ref()).await?;
        let signed_in = self.begin(user.id, visit).await?;
        self.still_as_checked(&user, &signed_in).await?;
        self.forgive(&given.email, visit).await;
        Ok(signed_in)
    }

    /// Whoever changes a password ends all sessions after that. One that began between our look at the old password and
    /// then would be overlooked: so we look again now that it is there to be found.
    async fn still_as_checked(&self, checked: &user::Model, signed_in: &SignedIn) -> Result<(), Refused> {
        let now = user::Entity::find_by_id(checked.id).one(self.db.read()).await?;
        if now.is_some_and(|now| is_unchanged(checked, &now)) {
            return Ok(());
        }
        self.leave(&signed_in.token).await?;
        Err(Refused::InvalidCredentials)
    }

    /// The second factor, of whoever has one. Every code is good once.
    pub(super) async fn check_code(
        &self,
        user: &user::Model,
        code: Option<&SecretString>,
    ) -> Result<(), Refused> {
        if user.totp_confirmed_at.is_none() {
            return Ok(());
        }
        let code = code.ok_or(Refused::SecondFactorNeeded)?.expose_secret();
        let now = self.clock.now();
        let step = second_factor::step(&self.totp, user, code, now);
        let tx = self.db.begin().await?;
        let is_good = match step {
            Some(step) => second_factor::take_step(&tx, user.id, step).await?,
            None => second_factor::take_recovery_code(&tx, user.id, code, now).await?,
        };
        tx.commit().await?;
        if is_good { Ok(()) } else { Err(Refused::InvalidCredentials) }
    }
}

fn is_unchanged(before: &user::Model, now: &user::Model) -> bool {
    before.password_hash == now.password_hash
        && before.disabled_at == now.disabled_at
        && before.totp_confirmed_at == now.totp_confirmed_at
}
