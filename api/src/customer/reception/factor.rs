//! Turning the second factor on and off.

use entity::user;
use sea_orm::EntityTrait;
use secrecy::{ExposeSecret, SecretString};

use super::{Reception, Refused, SignedIn, throttle};
use crate::customer::second_factor;

impl Reception {
    /// Begins: answers with the secret for the app. Nothing is asked for before it is confirmed.
    pub async fn begin_second_factor(
        &self,
        who: &SignedIn,
        password: SecretString,
    ) -> Result<[u8; 20], Refused> {
        let user = self.prove(who.person.id, password).await?;
        let key = self.totp.first().ok_or(Refused::BadCode)?;
        let tx = self.db.begin().await?;
        let secret = second_factor::begin(&tx, user.id, key).await?.ok_or(Refused::SecondFactorIsOn)?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Turns it on with a first code; the recovery codes are shown this once.
    pub async fn confirm_second_factor(
        &self,
        who: &SignedIn,
        code: SecretString,
    ) -> Result<(SignedIn, Vec<SecretString>), Refused> {
        self.throttle(throttle::PROOF, &who.person.id.to_string()).await?;
        let now = self.clock.now();
        let user = user::Entity::find_by_id(who.person.id).one(self.db.read()).await?;
        let user = user.ok_or(Refused::SessionOver)?;
        if user.totp_confirmed_at.is_some() {
            return Err(Refused::SecondFactorIsOn);
        }
        let step = second_factor::step(&self.totp, &user, code.expose_secret(), now);
        let step = step.ok_or(Refused::BadCode)?;
        let tx = self.db.begin().await?;
        let codes = second_factor::confirm(&tx, &user, step, now).await?.ok_or(Refused::SecondFactorIsOn)?;
        tx.commit().await?;
        Ok((self.renew(who).await?, codes))
    }

    /// Turns it off. Takes the password, and a code if it was on: a stolen session is not enough.
    pub async fn remove_second_factor(
        &self,
        who: &SignedIn,
        password: SecretString,
        code: Option<SecretString>,
    ) -> Result<SignedIn, Refused> {
        // Cleared by a right password; a wrong code has to count, too.
        self.throttle(throttle::SECOND_PROOF, &who.person.id.to_string()).await?;
        let user = self.prove(who.person.id, password).await?;
        self.check_code(&user, code.as_ref()).await?;
        let tx = self.db.begin().await?;
        second_factor::remove(&tx, user.id).await?;
        tx.commit().await?;
        self.limiter.clear(throttle::SECOND_PROOF, &who.person.id.to_string()).await;
        self.renew(who).await
    }
}
