//! What clients of one account do at random: mostly ask for tasks, and for more than the account can pay.

use std::sync::Mutex;

use entity::clip::ClipState;
use entity::grant::GrantClass;
use entity::{AccountId, Credits, KeyId, TaskId};

use super::super::house::credits;
use super::super::rows::{clip, failed, settlement};
use super::witness::Witness;
use crate::ledger::{Adjust, Cancel, Command, Outcome, Refund, SettledBy};

pub struct Shop {
    account: AccountId,
    key: KeyId,
    /// What was accepted, or asked for in vain: every client may end or repeat it.
    asked: Mutex<Vec<Command>>,
    /// Refunds take turns: each may open grants of the lane's own, which are told apart by their instant.
    refunds: tokio::sync::Mutex<()>,
}

const HOUR: i64 = 3_600;

impl Shop {
    pub async fn open(witness: &Witness<'_>) -> Shop {
        let account = witness.house.account().await;
        let key = witness.house.key(account, Some(credits(40))).await;
        let shop = Shop { account, key, asked: Mutex::default(), refunds: tokio::sync::Mutex::default() };
        shop.grant(witness, 30, GrantClass::Paid, None).await;
        shop
    }

    pub async fn errand(&self, witness: &Witness<'_>) {
        let some = |most: i64| rand::random_range(1..=most);
        match rand::random_range(0..100) {
            0..40 => self.accept(witness, Credits::from_thousandths(some(9_000))).await,
            40..46 => self.ask_again(witness).await,
            46..66 => self.settle(witness).await,
            66..74 => self.cancel(witness).await,
            74..82 => self.refund(witness).await,
            82..90 => self.grant(witness, some(8), GrantClass::Promotional, Some(some(3) * HOUR)).await,
            90..94 => self.adjust(witness, some(4) * if rand::random() { 1 } else { -1 }).await,
            94..97 => drop(witness.ask(Command::Expire(self.account)).await),
            _ => witness.house.clock.advance(HOUR / 3),
        }
    }

    pub async fn accept(&self, witness: &Witness<'_>, price: Credits) {
        let mut accept = witness.house.request(self.account, price);
        accept.task.key_id = rand::random::<bool>().then_some(self.key);
        accept.task.idempotency_key = Some(accept.task.id.to_string());
        let command = Command::Accept(Box::new(accept));
        self.asked.lock().unwrap().push(command.clone());
        drop(witness.ask(command).await);
    }

    async fn ask_again(&self, witness: &Witness<'_>) {
        let earlier = self.any();
        if let Some(command) = earlier {
            drop(witness.ask(command).await);
        }
    }

    async fn settle(&self, witness: &Witness<'_>) {
        let Some((task, price)) = self.any_task() else { return };
        let part = Credits::from_thousandths(rand::random_range(0..=price.thousandths()));
        let outcome = match rand::random_range(0..4) {
            0 => failed(),
            1 => Outcome::Expired,
            _ => Outcome::Delivered { capture: part, clips: vec![clip(task, 0, ClipState::Delivered)] },
        };
        drop(witness.ask(settlement(self.account, task, SettledBy::Operator, outcome)).await);
    }

    async fn cancel(&self, witness: &Witness<'_>) {
        let Some((task, _)) = self.any_task() else { return };
        drop(witness.ask(Command::Cancel(Cancel { account: self.account, task, callback_url: None })).await);
    }

    async fn refund(&self, witness: &Witness<'_>) {
        let Some((task, price)) = self.any_task() else { return };
        let amount = Credits::from_thousandths(rand::random_range(1..=price.thousandths()));
        let turn = self.refunds.lock().await;
        // One of a few names, so that some are taken.
        let reference = format!("admin:{task}-{}", rand::random_range(0..3));
        drop(witness.ask(Command::Refund(Refund { account: self.account, task, amount, reference })).await);
        drop(turn);
    }

    async fn grant(&self, witness: &Witness<'_>, whole: i64, class: GrantClass, expires_in: Option<i64>) {
        let grant = witness.house.given(self.account, credits(whole), class, expires_in);
        drop(witness.ask(Command::Grant(grant)).await);
    }

    async fn adjust(&self, witness: &Witness<'_>, whole: i64) {
        let id = witness.house.clock.new_id();
        let (amount, reference) = (credits(whole), format!("admin:{id}"));
        let (account, reason, actor) = (self.account, "a test".into(), "ada".into());
        let adjust = Adjust { id, account, amount, reason, actor, reference };
        drop(witness.ask(Command::Adjust(adjust)).await);
    }

    fn any(&self) -> Option<Command> {
        let asked = self.asked.lock().unwrap();
        (!asked.is_empty()).then(|| asked[rand::random_range(0..asked.len())].clone())
    }

    fn any_task(&self) -> Option<(TaskId, Credits)> {
        match self.any()? {
            Command::Accept(accept) => Some((accept.task.id, accept.task.credits)),
            _ => None,
        }
    }
}
