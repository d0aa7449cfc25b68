//! What a customer does while the program dies: the same requests under the same keys, until everything has come to its end.

use std::sync::Mutex;

use entity::delivery::{self, DeliveryState};
use reqwest::Result;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::site::Site;

/// A task and how it ends, or a code that is redeemed.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// Of the snapshot of the books at its end.
    pub name: &'static str,
    prompt: &'static str,
    clips: u32,
    is_canceled: bool,
}

pub const FAILED: Story = Story { name: "failed", prompt: "[sandbox:fail]", clips: 1, is_canceled: false };
/// The provider's reply is lost: whoever submits it has to look for it.
pub const UNCLEAR: Story =
    Story { name: "unclear", prompt: "[sandbox:lost][sandbox:fail]", clips: 1, is_canceled: false };
pub const DELIVERED: Story =
    Story { name: "delivered", prompt: "a paper boat", clips: 1, is_canceled: false };
/// Two clips, of which one is delivered.
pub const HALF: Story =
    Story { name: "half", prompt: "a paper boat [sandbox:fail=1]", clips: 2, is_canceled: false };
pub const CANCELED: Story = Story { name: "canceled", prompt: "[sandbox:hang]", clips: 1, is_canceled: true };
pub const REDEEMED: Story = Story { name: "redeemed", prompt: "", clips: 0, is_canceled: false };

/// The code that is redeemed.
const CODE: &str = "PAPER-BOAT";

/// A story under way: what was told of it so far.
pub struct Telling<'a> {
    site: &'a Site,
    story: Story,
    /// The task's id, once it was told.
    task: Mutex<Option<Value>>,
    /// A key that may redeem.
    manager: Option<String>,
}

impl<'a> Telling<'a> {
    pub async fn of(story: Story, site: &'a Site) -> Telling<'a> {
        let manager = if story.clips == 0 { Some(promise(site).await) } else { None };
        Telling { site, story, task: Mutex::default(), manager }
    }

    /// Does all of it, from the beginning: what was done before must not be done again. An error when the program is away.
    pub async fn tell(&self, url: &str) -> Result<()> {
        match &self.manager {
            Some(manager) => self.redeem(url, manager).await,
            None => self.generate(url).await,
        }
    }

    async fn redeem(&self, url: &str, manager: &str) -> Result<()> {
        let request = tests::client().post(format!("{url}/api/credits/redeem")).bearer_auth(manager);
        let answer = request.json(&json!({ "code": CODE })).send().await?;
        let (status, body): (_, Value) = (answer.status(), answer.json().await?);
        assert_eq!((status.as_u16(), &body["credits"]), (200, &json!(50)), "{body:#}");
        Ok(())
    }

    async fn generate(&self, url: &str) -> Result<()> {
        let path = format!("{url}/api/ai/tasks/{}", self.submit(url).await?);
        if self.story.is_canceled {
            self.cancel(&path).await?;
        }
        while self.get(&path).await?["status"] == json!(0) {}
        self.site.receiver.called().await;
        self.recorded().await;
        Ok(())
    }

    /// What was acknowledged is there, under the id that was told.
    async fn submit(&self, url: &str) -> Result<String> {
        let body = json!({
            "model": "doubao-seedance-1-0-lite-t2v-250428", "inputMode": "text_to_video", "duration": 2,
            "resolution": "480p", "aspectRatio": "16:9", "prompt": self.story.prompt, "count": self.story.clips,
            "callbackUrl": self.site.callback_url(),
        });
        let request =
            tests::client().post(format!("{url}/api/ai/video/generate")).bearer_auth(&self.site.key);
        let answer = request.header("idempotency-key", "once").json(&body).send().await?;
        let (status, body): (_, Value) = (answer.status(), answer.json().await?);
        assert_eq!(status, 200, "{body:#}");
        let mut told = self.task.lock().unwrap();
        let id = told.get_or_insert_with(|| body["taskId"].clone());
        assert_eq!(*id, body["taskId"], "the key got another task");
        Ok(id.as_str().unwrap().to_owned())
    }

    /// Not before the provider has it: what waits in line is canceled without it.
    async fn cancel(&self, task: &str) -> Result<()> {
        while ["queued", "submitting", "reconciling"]
            .map(|state| json!(state))
            .contains(&self.look(task).await?["state"])
        {}
        let request = tests::client().post(format!("{task}/cancel")).bearer_auth(&self.site.key);
        let answer = request.send().await?;
        assert!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    }

    async fn look(&self, task: &str) -> Result<Value> {
        tests::client().get(task).bearer_auth(&self.site.key).send().await?.error_for_status()?.json().await
    }

    /// The same, when the task has ended or after a minute.
    async fn get(&self, task: &str) -> Result<Value> {
        let request = tests::client().get(task).bearer_auth(&self.site.key).header("prefer", "wait=60");
        request.send().await?.error_for_status()?.json().await
    }

    /// Waits until it is written that the receiver took its webhook.
    async fn recorded(&self) {
        let db = self.site.db().await;
        let open = delivery::Entity::find().filter(delivery::Column::State.eq(DeliveryState::Pending));
        while open.clone().one(db.read()).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
        db.close().await.unwrap();
    }
}

async fn promise(site: &Site) -> String {
    let promotion = ["admin", "promotion", "create", "--code", CODE, "--credits", "50", "--mode", "test"];
    site.run(&promotion).await;
    let key = ["admin", "key", "create", "--customer", &site.customer, "--mode", "test", "--name", "money"];
    site.run(&[&key[..], &["--management"]].concat()).await.trim().to_owned()
}
