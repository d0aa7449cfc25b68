//! Registering: a customer and its owner, in one commit with the use of an invitation.

use entity::UserId;
use entity::user::UserRole;
use secrecy::SecretString;

use super::{Reception, Refused, SignedIn, Visit, throttle};
use crate::customer::people::{self, NewUser, Position, UserError};
use crate::customer::{access, invite};
use crate::limit::subject_of;

#[derive(Debug)]
pub struct Registration {
    /// As [`people::normalized`].
    pub email: String,
    pub password: SecretString,
    /// Of the customer; by default what stands before the @.
    pub name: Option<String>,
    pub invite: Option<SecretString>,
}

impl Reception {
    /// Makes a customer with an owner and signs them in. While in closed beta the invitation is looked at first: without a
    /// good one nobody learns who is registered.
    pub async fn register(&self, new: Registration, visit: &Visit) -> Result<SignedIn, Refused> {
        self.throttle(throttle::REGISTER, &subject_of(visit.address)).await?;
        match &new.invite {
            None if self.closed_beta => return Err(Refused::InviteRequired),
            Some(code) if !invite::is_good(self.db.read(), code, self.clock.now()).await? => {
                return Err(Refused::BadInvite);
            }
            _ => {}
        }
        let password_hash = self.passwords.hash(new.password.clone()).await?;
        let owner = self.create(new, password_hash).await?;
        self.begin(owner, visit).await
    }

    async fn create(&self, new: Registration, password_hash: String) -> Result<UserId, Refused> {
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        let name = new.name.as_deref().unwrap_or_else(|| local_part(&new.email));
        let customer = people::create(&tx, &self.clock, name, false).await?;
        if let Some(code) = &new.invite {
            if !invite::take(&tx, code, now).await? {
                return Err(Refused::BadInvite);
            }
            people::admit_waiting(&tx, customer.id, now).await?;
            access::answer_email(&tx, &new.email, now).await?;
        }
        let position = Position::Member(customer.id, UserRole::Owner);
        let owner = NewUser { email: new.email, password_hash, position, demo: false };
        let owner = people::insert_user(&tx, &self.clock, owner).await?;
        tx.commit().await?;
        Ok(owner)
    }
}

fn local_part(email: &str) -> &str {
    email.split_once('@').map_or(email, |(name, _)| name)
}

impl From<UserError> for Refused {
    fn from(error: UserError) -> Self {
        match error {
            UserError::EmailTaken => Refused::EmailTaken,
            UserError::Password(error) => Refused::Password(error),
            UserError::Db(error) => Refused::Db(error),
        }
    }
}
