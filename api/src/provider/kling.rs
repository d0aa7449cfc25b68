//! Kling's own platform. Facts from its API description and documents, 2026.
//!
//! Each kind of work has a path of its own, and so an id of ours names its kind first (`image2video/8312…`). Our submit key is
//! its external id, unique in an account: by it a submission is found again whose answer was lost, and a second one with the
//! same key is refused.

mod answer;
mod body;
mod kind;
mod limits;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::instance::{Adapter, Opening, Setting};
use super::json::{first_text, text_at};
use super::signed;
use super::wire::{Call, Reply, Wire, segment};
use super::{
    Abilities, Callback, FailureCode, Found, Heard, Pace, Progress, Provider, ProviderError, Reconcile,
    Submission, UpstreamId, rate,
};
use crate::video::request::MediaRole;
pub(super) use body::mode;
use kind::Kind;
use token::Token;

pub const ADAPTER: Adapter = Adapter {
    name: "kling",
    key: "key",
    settings: &[
        Setting {
            name: "secret",
            is_required: false,
            about: "the secret key beside an access key as the key; or both in the key, as ACCESS|SECRET",
        },
        Setting {
            name: "webhook_secret",
            is_required: false,
            about: "the secret of the webhooks of its console (whsec_…); with it, callbacks without a valid signature are \
                    refused",
        },
    ],
    challenge: None,
    open,
};

#[derive(Debug)]
struct Kling {
    name: String,
    wire: Wire,
    token: Token,
    webhook_secret: Option<SecretString>,
}

fn open(opening: Opening) -> Result<Arc<dyn Provider>, String> {
    let token = match (opening.key.expose_secret().split_once('|'), opening.setting("secret")) {
        (Some((access, secret)), _) => Token::minted(access, secret.into(), opening.clock.clone()),
        (None, Some(secret)) => {
            Token::minted(opening.key.expose_secret(), secret.clone(), opening.clock.clone())
        }
        (None, None) => Token::Fixed(opening.key.clone()),
    };
    let webhook_secret = opening.setting("webhook_secret").cloned();
    Ok(Arc::new(Kling { name: opening.name, wire: opening.wire, token, webhook_secret }))
}

#[async_trait]
impl Provider for Kling {
    fn name(&self) -> &str {
        &self.name
    }

    /// How many tasks may run at once is a matter of what was bought; a small pack has five.
    fn abilities(&self) -> Abilities {
        Abilities {
            slots: 5,
            rate: Some(rate(10, 1)),
            pace: Pace::stretching(Duration::from_secs(5), Duration::from_secs(20)),
            can_cancel: false,
            reconcile: Reconcile::Keyed,
            needs_files: true,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        let unsupported = |reason| ProviderError::refused(FailureCode::Unsupported, reason, None);
        let kind = Kind::of(submission).map_err(unsupported)?;
        if kind.is_turbo() && self.token.is_minted() {
            return Err(unsupported("the newer models take an API key, and no access key with a secret"));
        }
        if let Some(reason) = limits::beyond(kind, submission) {
            return Err(unsupported(reason));
        }
        let source = match kind {
            Kind::Extend => Some(self.source_of(submission).await?),
            _ => None,
        };
        let body = body::body(kind, submission, source.as_deref()).map_err(unsupported)?;
        let reply = self.send(|wire| wire.post(&kind.path()).json(&body), true).await?;
        match answer::judged(&reply) {
            Ok(answer) => {
                let id = first_text(&answer, &["/data/task_id", "/data/id"]);
                id.map(|id| kind.id(&id)).ok_or_else(|| ProviderError::Broken(reply.excerpt()))
            }
            Err(refusal) if answer::may_hide_a_task(&reply) => {
                self.unless_taken(kind, submission, (&reply, refusal)).await
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn poll(&self, id: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        let (kind, task) =
            Kind::split(id).ok_or_else(|| ProviderError::Broken(format!("{} is no id", id.0)))?;
        let reply = self.look(kind, task).await?;
        if answer::is_gone(&reply) {
            return Ok(Progress::failed(FailureCode::Expired, reply.excerpt()));
        }
        let answer = answer::judged(&reply)?;
        let task = answer::task(&answer, &["/task_id", "/id"], task);
        let progress = task.and_then(|task| answer::progress(task, submission));
        progress.ok_or_else(|| ProviderError::Broken(reply.excerpt()))
    }

    async fn find(&self, submission: &Submission, _: &[UpstreamId]) -> Result<Found, ProviderError> {
        match Kind::of(submission) {
            Ok(kind) => self.find_by_key(kind, submission).await,
            Err(_) => Ok(Found::Absent),
        }
    }

    /// The kind is not told, and an id without one can't be asked about.
    fn hear(&self, callback: &Callback) -> Heard {
        match &self.webhook_secret {
            Some(secret) if !signed::standard(secret, callback) => Heard::Forged,
            _ => Heard::News(None),
        }
    }
}

impl Kling {
    async fn look(&self, kind: Kind, task: &str) -> Result<Reply, ProviderError> {
        match kind.is_turbo() {
            true => self.send(|wire| wire.get("tasks").query(&[("task_ids", task)]), false).await,
            false => self.send(|wire| wire.get(&format!("{}/{}", kind.path(), segment(task))), false).await,
        }
    }

    /// A task is read by our own id as by theirs.
    async fn find_by_key(&self, kind: Kind, submission: &Submission) -> Result<Found, ProviderError> {
        let key = submission.submit_key.as_str();
        let reply = match kind.is_turbo() {
            true => self.send(|wire| wire.get("tasks").query(&[("external_task_ids", key)]), false).await?,
            false => self.look(kind, key).await?,
        };
        if answer::is_gone(&reply) {
            return Ok(Found::Absent);
        }
        let answer = answer::judged(&reply)?;
        let names = ["/task_info/external_task_id", "/external_id"];
        let task = answer::task(&answer, &names, key);
        let ours = task.filter(|task| first_text(task, &names).as_deref() == Some(key));
        let id = ours.and_then(|task| first_text(task, &["/task_id", "/id"]));
        Ok(match id {
            Some(id) => Found::Accepted(kind.id(&id)),
            None if answer::is_empty_list(&answer) => Found::Absent,
            None => Found::Unsure,
        })
    }

    /// A refusal that may hide a task of our key: what was accepted before is not refused. Where that can't be seen, a refusal
    /// of the parameters is believed unless it speaks of the key; an error of theirs is not.
    async fn unless_taken(
        &self,
        kind: Kind,
        submission: &Submission,
        (reply, refusal): (&Reply, ProviderError),
    ) -> Result<UpstreamId, ProviderError> {
        let is_plain = matches!(refusal, ProviderError::Rejected(_)) && !answer::speaks_of_our_key(reply);
        match self.find_by_key(kind, submission).await {
            Ok(Found::Accepted(id)) => Ok(id),
            Ok(Found::Absent) if !matches!(refusal, ProviderError::Unknown(_)) => Err(refusal),
            _ if is_plain => Err(refusal),
            _ => Err(ProviderError::Unknown(reply.excerpt())),
        }
    }

    /// Asks with a token; once more with a new one, if the old one is refused for what it is.
    async fn send(&self, call: impl Fn(&Wire) -> Call, is_billed: bool) -> Result<Reply, ProviderError> {
        let mut reply = self.send_once(&call, is_billed).await?;
        if answer::refuses_token(&reply) && self.token.renew() {
            reply = self.send_once(&call, is_billed).await?;
        }
        Ok(reply)
    }

    async fn send_once(
        &self,
        call: &impl Fn(&Wire) -> Call,
        is_billed: bool,
    ) -> Result<Reply, ProviderError> {
        let token =
            self.token.get().map_err(|reason| ProviderError::refused(FailureCode::Auth, reason, None))?;
        let call = call(&self.wire).bearer(&token);
        if is_billed { call.submit().await } else { call.ask().await }
    }

    /// The video that an extension goes on from has an id of its own, which its task knows.
    async fn source_of(&self, submission: &Submission) -> Result<String, ProviderError> {
        let not_theirs = || {
            ProviderError::refused(FailureCode::Unsupported, "only what was made there can be extended", None)
        };
        let made_by = submission.one(MediaRole::SourceVideo).and_then(|video| video.made_by.as_ref());
        let made_by = made_by.filter(|made_by| made_by.provider == self.name).ok_or_else(not_theirs)?;
        let (kind, task) = Kind::split(&made_by.id).ok_or_else(not_theirs)?;
        let reply = self.look(kind, task).await?;
        if answer::is_gone(&reply) {
            return Err(not_theirs());
        }
        let answer = answer::judged(&reply).map_err(not_sent)?;
        text_at(&answer, "/data/task_result/videos/0/id").ok_or_else(not_theirs)
    }
}

/// An error of a question that comes before anything is sent that could be billed.
fn not_sent(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Unknown(reason) | ProviderError::Broken(reason) => ProviderError::unavailable(reason),
        refused => refused,
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::clock::Clock;
    use crate::provider::wire;

    fn kling(token: Token) -> Kling {
        let nowhere = Url::parse("http://127.0.0.1:9").unwrap();
        let wire = Wire::new(wire::client().unwrap(), nowhere);
        Kling { name: "kling".to_owned(), wire, token, webhook_secret: None }
    }

    #[test]
    fn without_a_secret_a_callback_is_a_hint() {
        let callback = Callback {
            path: "/callbacks/kling/t".to_owned(),
            headers: Default::default(),
            body: String::new(),
            received_at: 0,
        };
        assert_eq!(kling(Token::Fixed("key".into())).hear(&callback), Heard::News(None));
    }

    /// They would be refused as unauthorised, which says something wrong about the keys.
    #[tokio::test]
    async fn the_newer_models_are_not_asked_for_with_an_access_key() {
        let submission = Submission {
            submit_key: "key".to_owned(),
            native_id: "kling-3.0-turbo".to_owned(),
            model: "kling-3.0-turbo".to_owned(),
            mode: crate::video::catalog::InputMode::TextToVideo,
            prompt: "rain".to_owned(),
            negative_prompt: None,
            media: Vec::new(),
            duration_s: 5,
            resolution: "720p".to_owned(),
            aspect_ratio: "16:9".to_owned(),
            width: 1_280,
            height: 720,
            audio: true,
            seed: None,
            clip: 0,
            clips: 1,
            options: Default::default(),
            extra: Default::default(),
            callback_url: None,
        };
        let minted = kling(Token::minted("access", "secret".into(), Clock::system()));
        let refusal = minted.submit(&submission).await.unwrap_err();
        assert!(
            matches!(&refusal, ProviderError::Rejected(failure) if failure.code == FailureCode::Unsupported),
            "{refusal}"
        );
        let keyed = kling(Token::Fixed("key".into())).submit(&submission).await.unwrap_err();
        assert!(matches!(keyed, ProviderError::Unavailable { .. }), "{keyed}");
    }
}
