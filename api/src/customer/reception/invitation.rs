//! Getting in while in closed beta: asking, and redeeming an invitation.

use secrecy::SecretString;

use super::{Reception, Refused, SignedIn, Visit, throttle};
use crate::customer::access::{self, Wish};
use crate::customer::{invite, people};
use crate::limit::subject_of;

impl Reception {
    /// Notes that somebody asks to be let in.
    pub async fn request_access(&self, wish: Wish, visit: &Visit) -> Result<(), Refused> {
        self.throttle(throttle::BETA, &subject_of(visit.address)).await?;
        let tx = self.db.begin().await?;
        access::request(&tx, wish, self.clock.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Admits the customer of somebody who registered without an invitation. Whoever is in already uses nothing up.
    pub async fn redeem_invite(&self, who: &SignedIn, code: SecretString) -> Result<SignedIn, Refused> {
        let customer = who.person.customer().ok_or(Refused::NoCustomer)?.id;
        self.throttle(throttle::REDEEM, &customer.to_string()).await?;
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        if people::admit_waiting(&tx, customer, now).await? && !invite::take(&tx, &code, now).await? {
            return Err(Refused::BadInvite);
        }
        tx.commit().await?;
        let person = crate::customer::person::find(self.db.read(), who.person.id).await?;
        Ok(SignedIn { person: person.ok_or(Refused::SessionOver)?, ..who.clone() })
    }
}
