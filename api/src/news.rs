//! News of accounts: whoever shows an account's tasks or credits while they change is told when to look again.
//!
//! News says only *that* something changed, never what: it may be late, doubled or false, and whoever hears it reads the
//! database. So nothing is lost with it but time: without news a listener looks every few seconds, and every second where
//! other processes write too and there is no way to hear of them. Never told inside a transaction.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity::AccountId;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

/// Listeners that an account may have in one process.
pub const MAX_LISTENERS: usize = 100;
/// How often a listener looks who hears of everything but what an operator's command did, or a commit whose outcome was lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often a listener looks who does not hear of other processes.
const LOOK_EVERY_DEAF: Duration = Duration::from_secs(1);
/// At most one look in this time, whatever happens: a burst of news is one look.
const GAP: Duration = Duration::from_millis(25);
/// Accounts that may wait to be named to other processes; with more of them everybody is told to look.
const MAX_UNTOLD: usize = 1_024;
/// Stands for every account.
const EVERYBODY: &str = "*";

/// The hub of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct News {
    listeners: Arc<Mutex<HashMap<AccountId, watch::Sender<()>>>>,
    /// What other processes are still to be told.
    untold: broadcast::Sender<AccountId>,
    /// Names this process in its messages, which come back to it.
    process: Uuid,
    /// Whether other processes may write to the database.
    is_shared: bool,
    /// Whether we hear of other processes.
    is_linked: Arc<AtomicBool>,
}

impl News {
    pub fn new(is_shared: bool, process: Uuid) -> Self {
        let (untold, _) = broadcast::channel(MAX_UNTOLD);
        News { listeners: Arc::default(), untold, process, is_shared, is_linked: Arc::default() }
    }

    /// Says that something about these accounts changed, here and in every process that is linked.
    pub fn tell(&self, accounts: impl IntoIterator<Item = AccountId>) {
        for account in accounts {
            self.wake(account);
            // Refused when no process is linked, which then looks by itself.
            let _nobody = self.untold.send(account);
        }
    }

    /// Listens for an account; `None` when it has too many listeners already.
    pub fn listen(&self, account: AccountId) -> Option<Listener> {
        let mut listeners = self.lock();
        let sender = listeners.entry(account).or_default();
        if sender.receiver_count() >= MAX_LISTENERS {
            return None;
        }
        let receiver = sender.subscribe();
        Some(Listener { news: self.clone(), account, receiver, next: Instant::now() })
    }

    /// How many listen for an account.
    pub fn listeners(&self, account: AccountId) -> usize {
        self.lock().get(&account).map_or(0, watch::Sender::receiver_count)
    }

    /// What is to be told to other processes, from now on.
    pub fn untold(&self) -> Untold {
        Untold { process: self.process, accounts: self.untold.subscribe() }
    }

    /// Takes in a message of a process, which may be this one. What can't be read is no news.
    pub fn hear(&self, message: &str) {
        let mut words = message.split(' ');
        if words.next() == Some(self.process.to_string().as_str()) {
            return;
        }
        for word in words {
            match Uuid::from_str(word) {
                Ok(account) => self.wake(AccountId(account)),
                Err(_) if word == EVERYBODY => self.wake_everybody(),
                Err(_) => {}
            }
        }
    }

    /// Notes whether other processes can be heard. When they can again, everybody looks what was missed.
    pub fn set_linked(&self, is_linked: bool) {
        self.is_linked.store(is_linked, Ordering::Relaxed);
        if is_linked {
            self.wake_everybody();
        }
    }

    pub fn is_linked(&self) -> bool {
        self.is_linked.load(Ordering::Relaxed)
    }

    fn look_every(&self) -> Duration {
        if self.is_shared && !self.is_linked() { LOOK_EVERY_DEAF } else { LOOK_EVERY }
    }

    fn wake(&self, account: AccountId) {
        if let Some(sender) = self.lock().get(&account) {
            sender.send_modify(|()| {});
        }
    }

    fn wake_everybody(&self) {
        self.lock().values().for_each(|sender| sender.send_modify(|()| {}));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, watch::Sender<()>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears of one account while it lives.
#[derive(Debug)]
pub struct Listener {
    news: News,
    account: AccountId,
    receiver: watch::Receiver<()>,
    /// Not before then is there another look.
    next: Instant,
}

impl Listener {
    /// Waits until it is time to look: there are news since the last time, or there may be some that nobody told. Nothing
    /// is lost when this is dropped half-way.
    pub async fn look(&mut self) {
        sleep_until(self.next).await;
        // Told or not, it is time.
        let _in_time = timeout(self.news.look_every(), self.told()).await;
        self.next = Instant::now() + GAP;
    }

    /// Waits until somebody says that there are news.
    pub async fn told(&mut self) {
        if self.receiver.changed().await.is_err() {
            // The hub keeps the sender as long as we listen.
            std::future::pending().await
        }
    }
}

/// The entry goes with its last listener: an account that nobody watches costs nothing.
impl Drop for Listener {
    fn drop(&mut self) {
        let mut listeners = self.news.lock();
        // Our own receiver is still counted.
        if listeners.get(&self.account).is_some_and(|sender| sender.receiver_count() <= 1) {
            listeners.remove(&self.account);
        }
    }
}

/// What is to be told to other processes.
#[derive(Debug)]
pub struct Untold {
    process: Uuid,
    accounts: broadcast::Receiver<AccountId>,
}

impl Untold {
    /// Waits for news and answers with one message about all of it; `None` when there will be no more. Nothing is lost when
    /// this is dropped while it waits.
    pub async fn message(&mut self) -> Option<String> {
        let mut words = BTreeSet::new();
        match self.accounts.recv().await {
            Ok(account) => words.insert(account.0.simple().to_string()),
            Err(RecvError::Lagged(_)) => words.insert(EVERYBODY.to_owned()),
            Err(RecvError::Closed) => return None,
        };
        while let Ok(account) = self.accounts.try_recv() {
            words.insert(account.0.simple().to_string());
        }
        let words: Vec<String> = words.into_iter().collect();
        Some(format!("{} {}", self.process, words.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u128) -> AccountId {
        AccountId(Uuid::from_u128(n))
    }

    fn hub(n: u128) -> News {
        News::new(true, Uuid::from_u128(n))
    }

    async fn is_told(listener: &mut Listener) -> bool {
        timeout(Duration::from_millis(1), listener.told()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_listens_for_an_account_hears_of_it_and_a_burst_is_heard_once() {
        let news = hub(1);
        let (mut one, mut other) = (news.listen(account(1)).unwrap(), news.listen(account(2)).unwrap());
        news.tell([account(1), account(1), account(3)]);
        assert!(is_told(&mut one).await && !is_told(&mut one).await && !is_told(&mut other).await);
    }

    #[tokio::test]
    async fn an_account_has_so_many_listeners_and_none_is_forgotten() {
        let news = hub(1);
        let mut all: Vec<Listener> = (0..MAX_LISTENERS).map(|_| news.listen(account(1)).unwrap()).collect();
        assert!(news.listen(account(1)).is_none() && news.listen(account(2)).is_some());
        all.pop();
        assert!(news.listen(account(1)).is_some());
        drop(all);
        assert_eq!((news.listeners(account(1)), news.lock().len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_told_looks_by_the_clock_more_often_while_other_processes_are_not_heard() {
        let news = hub(1);
        let mut listener = news.listen(account(1)).unwrap();
        for (is_linked, expected) in [(false, LOOK_EVERY_DEAF), (true, LOOK_EVERY)] {
            news.set_linked(is_linked);
            if is_linked {
                listener.look().await;
            }
            let begun = Instant::now();
            listener.look().await;
            let waited = begun.elapsed();
            assert!(waited >= expected && waited < expected + 2 * GAP, "{waited:?}");
        }
    }

    #[tokio::test]
    async fn one_message_names_every_account_once_and_is_heard_by_the_others_only() {
        let (here, there) = (hub(1), hub(2));
        let mut untold = here.untold();
        here.tell([account(7), account(8), account(7)]);
        let message = untold.message().await.unwrap();
        assert_eq!(message.split(' ').count(), 3);
        let (mut near, mut far) = (here.listen(account(7)).unwrap(), there.listen(account(7)).unwrap());
        here.hear(&message);
        there.hear(&message);
        assert!(!is_told(&mut near).await && is_told(&mut far).await);
    }

    #[tokio::test]
    async fn after_more_news_than_can_be_named_everybody_looks() {
        let (here, there) = (hub(1), hub(2));
        let mut untold = here.untold();
        here.tell((0..2 * MAX_UNTOLD as u128).map(account));
        let mut far = there.listen(account(u128::MAX)).unwrap();
        there.hear(&untold.message().await.unwrap());
        assert!(is_told(&mut far).await);
    }

    #[tokio::test]
    async fn what_is_no_message_is_no_news() {
        let news = hub(1);
        let mut listener = news.listen(account(1)).unwrap();
        for message in ["", " ", "x y z", "00000000000000000000000000000001"] {
            news.hear(message);
        }
        assert!(!is_told(&mut listener).await);
    }
}
