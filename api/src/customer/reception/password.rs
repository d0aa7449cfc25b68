//! Changing a password, and choosing a new one by a link when the old one is forgotten.

use entity::{UserId, user};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter};
use secrecy::SecretString;
use web_session::Token;

use super::{Reception, Refused, SignedIn, Visit, throttle};
use crate::customer::{people, reset};
use crate::limit::subject_of;

impl Reception {
    /// Changes the password of somebody who knows the old one. Their other sessions end.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        current: SecretString,
        new: SecretString,
    ) -> Result<SignedIn, Refused> {
        let user = self.prove(who.person.id, current).await?;
        let hash = self.passwords.hash(new).await?;
        let tx = self.db.begin().await?;
        if !set_password(&tx, user.id, Some(&user.password_hash), hash).await? {
            return Err(Refused::InvalidCredentials);
        }
        reset::void_all(&tx, user.id, self.clock.now()).await?;
        tx.commit().await?;
        self.end_other_sessions(who).await?;
        self.renew(who).await
    }

    /// Sends a link, if there is somebody to send it to. That happens behind the caller's back, who learns nothing from
    /// the answer nor from the time that it takes.
    pub async fn forgot_password(&self, email: String, visit: &Visit) -> Result<(), Refused> {
        self.throttle(throttle::FORGOT, &subject_of(visit.address)).await?;
        self.throttle(throttle::FORGOT_EMAIL, &email).await?;
        let letter = self.letters.clone().try_acquire_owned().map_err(|_| Refused::Busy)?;
        let reception = self.clone();
        tokio::spawn(async move {
            if let Err(error) = reception.send_link(&email).await {
                tracing::error!(%error, "a reset link could not be sent");
            }
            drop(letter);
        });
        Ok(())
    }

    async fn send_link(&self, email: &str) -> anyhow::Result<()> {
        let user = people::user_by_email(self.db.read(), email).await?;
        let Some(user) = user.filter(|user| user.disabled_at.is_none()) else { return Ok(()) };
        let Some(mailer) = &self.mailer else {
            tracing::info!(
                user = %user.id,
                "somebody asked for a new password and no mail server is configured: \
                 `reelmeter admin user reset-link` prints a link"
            );
            return Ok(());
        };
        let tx = self.db.begin().await?;
        let token = reset::issue(&tx, user.id, self.clock.now()).await?;
        tx.commit().await?;
        Ok(mailer.send_reset(&user.email, &reset::link(&self.public_url, &token)).await?)
    }

    /// Chooses a new password by a link. Every session of the person ends, and their other links are worthless.
    pub async fn reset_password(
        &self,
        token: &Token,
        new: SecretString,
        visit: &Visit,
    ) -> Result<(), Refused> {
        self.throttle(throttle::RESET, &subject_of(visit.address)).await?;
        let user = reset::owner(self.db.read(), token, self.clock.now()).await?.ok_or(Refused::BadLink)?;
        let hash = self.passwords.hash(new).await?;
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        if !reset::take(&tx, token, now).await? || !set_password(&tx, user, None, hash).await? {
            return Err(Refused::BadLink);
        }
        reset::void_all(&tx, user, now).await?;
        tx.commit().await?;
        Ok(self.sessions.end_all(user.0, None).await?)
    }
}

/// False when there is no such person, or their password is not `old` any more.
async fn set_password(
    tx: &DatabaseTransaction,
    id: UserId,
    old: Option<&str>,
    new: String,
) -> Result<bool, DbErr> {
    let own = user::Column::Id.eq(id);
    let expected = match old {
        Some(old) => own.and(user::Column::PasswordHash.eq(old)),
        None => own,
    };
    let set = user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(new))
        .filter(expected)
        .exec(tx)
        .await?;
    Ok(set.rows_affected > 0)
}
