//! The reception: registering, signing in, and everything that people change about how they sign in.
//!
//! Whoever is refused learns nothing about others: an unknown address and a wrong password look the same and take the same
//! time. Every guess is counted before it is looked at. Whatever changes a person's rights gives their session a new token.
//! Nothing here awaits a hash, Redis or the mail server inside a transaction.

mod factor;
mod invitation;
mod password;
mod register;
mod sign_in;
mod throttle;
mod work;

use std::net::IpAddr;
use std::sync::Arc;

use entity::{Mode, SessionId, UserId, user};
use sea_orm::{DbErr, EntityTrait};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use web_session::{NewSession, PasswordError, Session, SessionStore, StoreError, Token};

use super::mail::Mailer;
use super::person::{self, Person};
use crate::clock::Clock;
use crate::db::Db;
use crate::limit::Limiter;
use crate::secret::Subkey;
pub use register::Registration;
pub use sign_in::Credentials;
use work::Passwords;

/// Letters that are being written and sent at once.
const LETTERS: usize = 64;

/// What is needed to let people in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reception {
    db: Db,
    clock: Clock,
    limiter: Limiter,
    sessions: SessionStore,
    mailer: Option<Mailer>,
    totp: Arc<Vec<Subkey>>,
    passwords: Passwords,
    letters: Arc<Semaphore>,
    closed_beta: bool,
    public_url: String,
}

/// What a [`Reception`] is made of.
#[derive(Debug)]
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub limiter: Limiter,
    pub sessions: SessionStore,
    pub mailer: Option<Mailer>,
    /// Derived for [`super::second_factor::PURPOSE`].
    pub totp: Vec<Subkey>,
    pub closed_beta: bool,
    pub public_url: String,
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Visit {
    pub address: IpAddr,
    pub agent: String,
}

/// Somebody whose session is open, with its token in the clear.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub token: Token,
    pub session: Session,
    pub person: Person,
}

/// Why somebody was not let in, or what they asked for was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("too many attempts")]
    Throttled { retry_after_s: u32 },
    #[error("too many passwords are waiting to be hashed, or letters to be sent")]
    Busy,
    #[error("registration needs an invitation")]
    InviteRequired,
    #[error("the invitation is not good")]
    BadInvite,
    #[error("the e-mail address is in use")]
    EmailTaken,
    #[error("wrong e-mail address, password or code")]
    InvalidCredentials,
    #[error("a second factor is needed")]
    SecondFactorNeeded,
    #[error("the second factor is on already")]
    SecondFactorIsOn,
    #[error("the code is not the app's, or there is no app's secret yet")]
    BadCode,
    #[error("the reset link is no good")]
    BadLink,
    /// Ended meanwhile, from elsewhere.
    #[error("the session is over")]
    SessionOver,
    #[error("staff act for no customer")]
    NoCustomer,
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error(transparent)]
    Sessions(#[from] StoreError),
}

impl Reception {
    pub fn new(parts: Parts) -> Self {
        let Parts { db, clock, limiter, sessions, mailer, totp, closed_beta, public_url } = parts;
        let (passwords, letters) = (Passwords::default(), Arc::new(Semaphore::new(LETTERS)));
        let totp = Arc::new(totp);
        Reception { db, clock, limiter, sessions, mailer, totp, passwords, letters, closed_beta, public_url }
    }

    /// Who is behind a cookie; nobody when the session is over, or the person may not sign in any more.
    pub async fn find(&self, token: &Token) -> Result<Option<SignedIn>, Refused> {
        let now = self.clock.now().micros();
        let Some(session) = self.sessions.find(token, now).await? else { return Ok(None) };
        let Some(person) = person::find(self.db.read(), UserId(session.user)).await? else { return Ok(None) };
        if let Err(error) = self.sessions.touch(token, &session, now).await {
            tracing::warn!(%error, "it could not be noted that a session was seen");
        }
        Ok(Some(SignedIn { token: token.clone(), session, person }))
    }

    /// Begins a session. In test mode: nobody spends real credits before they say so.
    async fn begin(&self, user: UserId, visit: &Visit) -> Result<SignedIn, Refused> {
        let new = NewSession {
            id: self.clock.new_id(),
            user: user.0,
            mode: Mode::Test.as_str().to_owned(),
            address: visit.address.to_string(),
            agent: visit.agent.clone(),
        };
        let (token, session) = self.sessions.create(new, self.clock.now().micros()).await?;
        let person = person::find(self.db.read(), user).await?.ok_or(Refused::InvalidCredentials)?;
        Ok(SignedIn { token, session, person })
    }

    /// After somebody's rights have changed: a new token, and the person as they are now.
    async fn renew(&self, who: &SignedIn) -> Result<SignedIn, Refused> {
        let now = self.clock.now().micros();
        let token = self.sessions.rotate(&who.token, &who.session, now).await?.ok_or(Refused::SessionOver)?;
        let person = person::find(self.db.read(), who.person.id).await?.ok_or(Refused::SessionOver)?;
        Ok(SignedIn { token, session: who.session.clone(), person })
    }

    /// Ends the session of a cookie, if it is one.
    pub async fn leave(&self, token: &Token) -> Result<(), Refused> {
        if let Some(session) = self.sessions.find(token, self.clock.now().micros()).await? {
            self.sessions.end(session.user, session.id).await?;
        }
        Ok(())
    }

    pub async fn set_mode(&self, who: &SignedIn, mode: Mode) -> Result<SignedIn, Refused> {
        self.sessions.set_mode(&who.token, &who.session, mode.as_str()).await?;
        let session = Session { mode: mode.as_str().to_owned(), ..who.session.clone() };
        Ok(SignedIn { session, ..who.clone() })
    }

    /// A person's open sessions, the newest first.
    pub async fn sessions(&self, who: &SignedIn) -> Result<Vec<Session>, Refused> {
        Ok(self.sessions.list(who.session.user, self.clock.now().micros()).await?)
    }

    /// False when the person has no such session.
    pub async fn end_session(&self, who: &SignedIn, id: SessionId) -> Result<bool, Refused> {
        Ok(self.sessions.end(who.session.user, id.0).await?)
    }

    pub async fn end_other_sessions(&self, who: &SignedIn) -> Result<(), Refused> {
        Ok(self.sessions.end_all(who.session.user, Some(who.session.id)).await?)
    }

    /// Whether people need an invitation to register.
    pub fn is_closed_beta(&self) -> bool {
        self.closed_beta
    }

    /// Forgets sessions and reset links that are over.
    pub async fn tidy_up(&self) -> Result<(), Refused> {
        let now = self.clock.now();
        self.sessions.sweep(now.micros()).await?;
        let tx = self.db.begin().await?;
        super::reset::forget(&tx, now).await?;
        Ok(tx.commit().await?)
    }

    /// A person who is signed in proves anew that it is them.
    async fn prove(&self, who: UserId, password: SecretString) -> Result<user::Model, Refused> {
        self.throttle(throttle::PROOF, &who.to_string()).await?;
        let user = user::Entity::find_by_id(who).one(self.db.read()).await?;
        let user = self.passwords.check(user, password).await?;
        self.limiter.clear(throttle::PROOF, &who.to_string()).await;
        Ok(user)
    }
}
