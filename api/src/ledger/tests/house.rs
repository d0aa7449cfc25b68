//! A ledger of its own for each test, on each engine: SQLite in a temporary folder, and PostgreSQL in a new database of
//! the server that `REELMETER_TEST_POSTGRES_URL` names, if it is set.

use std::panic::AssertUnwindSafe;

use entity::grant::GrantClass;
use entity::job::{self, JobState};
use entity::{
    AccountId, Credits, CustomerId, GrantId, KeyId, Mode, TaskId, account, api_key, customer, grant,
};
use futures_util::FutureExt;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ActiveModelTrait, ConnectionTrait, Database, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::rows::{accept, attempt, delivered, settlement};
use crate::clock::Clock;
use crate::db::Db;
use crate::ledger::chain::Chain;
use crate::ledger::check::{self, Scope};
use crate::ledger::{
    Accept, Adjust, Cancel, Command, Done, Grant, Lane, Ledger, Outcome, Refund, Refusal, SettledBy,
    open_account,
};
use crate::metrics::Metrics;
use crate::news::News;
use crate::secret::Secret;

/// Runs a test on every engine, checks the whole book afterwards and leaves nothing behind, whether it passed or not.
pub async fn on_every_engine(test: impl AsyncFn(&House)) {
    on_every_engine_unchecked(async |house| {
        test(house).await;
        house.assert_clean().await;
    })
    .await;
}

/// The same for a test that checks the book itself.
pub async fn on_every_engine_unchecked(test: impl AsyncFn(&House)) {
    let folder = tempfile::tempdir().unwrap();
    pass(inside(&format!("sqlite:{}", folder.path().join("ledger.db").display()), &test).await);
    let Ok(server) = std::env::var("REELMETER_TEST_POSTGRES_URL") else { return };
    let name = format!("ledger_{}", Clock::system().new_id().simple());
    let admin = Database::connect(&server).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let outcome = inside(&format!("{base}/{name}"), &test).await;
    admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    pass(outcome);
}

fn pass(outcome: std::thread::Result<()>) {
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

async fn inside(url: &str, test: &impl AsyncFn(&House)) -> std::thread::Result<()> {
    let (house, lane) = House::open(url).await;
    let outcome = AssertUnwindSafe(test(&house)).catch_unwind().await;
    lane.stop().await;
    house.db.close().await.unwrap();
    outcome
}

/// An amount of whole credits.
pub fn credits(whole: i64) -> Credits {
    Credits::from_whole(whole).unwrap()
}

/// A ledger, and short words for what tests ask of it.
pub struct House {
    pub url: String,
    pub db: Db,
    pub clock: Clock,
    pub chain: Chain,
    pub ledger: Ledger,
}

impl House {
    async fn open(url: &str) -> (House, Lane) {
        let db = Db::connect(url).await.unwrap();
        Migrator::up(db.schema(), None).await.unwrap();
        let clock = at_noon();
        let chain = Chain::new(&Secret::parse(&"5a".repeat(32)).unwrap());
        let news = News::new(false, clock.new_id());
        let metrics = Metrics::default();
        let (ledger, lane) = Ledger::start(db.clone(), clock.clone(), chain.clone(), news, &metrics);
        (House { url: url.into(), db, clock, chain, ledger }, lane)
    }

    /// A new customer's account in test mode.
    pub async fn account(&self) -> AccountId {
        self.account_in(Mode::Test).await
    }

    pub async fn account_in(&self, mode: Mode) -> AccountId {
        let (id, customer_id) = (AccountId(self.clock.new_id()), CustomerId(self.clock.new_id()));
        let now = self.clock.now();
        let customer = customer::Model {
            id: customer_id,
            name: "Ada".into(),
            price_group: "default".into(),
            admitted_at: Some(now),
            demo: false,
            created_at: now,
        };
        let tx = self.db.begin().await.unwrap();
        customer.into_active_model().insert(&tx).await.unwrap();
        open_account(&tx, id, customer_id, mode, now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A new account with credits that never expire.
    pub async fn funded(&self, amount: Credits) -> AccountId {
        let account = self.account().await;
        self.grant(account, amount, GrantClass::Paid, None).await;
        account
    }

    pub async fn grant(
        &self,
        account: AccountId,
        amount: Credits,
        class: GrantClass,
        expires_in: Option<i64>,
    ) -> GrantId {
        let grant = self.given(account, amount, class, expires_in);
        let id = grant.id;
        self.done(Command::Grant(grant)).await;
        id
    }

    pub fn given(
        &self,
        account: AccountId,
        amount: Credits,
        class: GrantClass,
        expires_in: Option<i64>,
    ) -> Grant {
        let id = GrantId(self.clock.new_id());
        let expires_at = expires_in.map(|seconds| self.clock.now().plus_seconds(seconds));
        let priority = if class == GrantClass::Paid { 100 } else { 0 };
        let reference = format!("psp:test:{id}");
        Grant { id, account, class, amount, priority, expires_at, cost_basis: 8_000, reference }
    }

    /// A new API key; `cap_day` limits what it spends in a day.
    pub async fn key(&self, account: AccountId, cap_day: Option<Credits>) -> KeyId {
        let owner = self.row(account).await;
        let key = api_key::Model {
            id: KeyId(self.clock.new_id()),
            customer_id: owner.customer_id,
            account_id: account,
            mode: owner.mode,
            name: "key".into(),
            hash: self.clock.new_id().as_bytes().to_vec(),
            hint: "sk-rm_test_…".into(),
            scopes: "[]".into(),
            models: None,
            price_group: None,
            cap_day,
            cap_week: None,
            cap_month: None,
            cap_lifetime: None,
            demo: false,
            created_at: self.clock.now(),
            expires_at: None,
            revoked_at: None,
            ip_ranges: None,
            rate_per_minute: None,
            max_tasks: None,
            created_by: None,
            last_used_at: None,
            previous_hash: None,
            previous_until: None,
        };
        let id = key.id;
        let tx = self.db.begin().await.unwrap();
        key.into_active_model().insert(&tx).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A request for a task of that price, ready to be accepted.
    pub fn request(&self, account: AccountId, price: Credits) -> Accept {
        accept(TaskId(self.clock.new_id()), account, price, self.clock.now())
    }

    pub async fn accept(&self, account: AccountId, price: Credits) -> TaskId {
        self.accepted(self.request(account, price)).await
    }

    pub async fn accepted(&self, request: Accept) -> TaskId {
        match self.done(Command::Accept(Box::new(request))).await {
            Done::Accepted { task, replayed: false } => task,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// What a worker does once a provider took the task: attempt 1 is accepted, the job runs with fence 1.
    pub async fn run(&self, task: TaskId) {
        let tx = self.db.begin().await.unwrap();
        attempt(task, self.clock.now()).into_active_model().insert(&tx).await.unwrap();
        let job = job::Entity::find_by_id(task).one(&tx).await.unwrap().unwrap();
        let running = job::Model { state: JobState::Running, fence: 1, ..job };
        running.into_active_model().reset_all().update(&tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn settle(&self, account: AccountId, task: TaskId, outcome: Outcome) -> Done {
        self.done(settlement(account, task, SettledBy::Operator, outcome)).await
    }

    /// The task delivered its one clip and costs `capture`.
    pub async fn deliver(&self, account: AccountId, task: TaskId, capture: Credits) -> Done {
        self.settle(account, task, delivered(task, capture)).await
    }

    pub async fn cancel(&self, account: AccountId, task: TaskId) -> Done {
        self.done(Command::Cancel(Cancel { account, task, callback_url: None })).await
    }

    pub async fn refund(&self, account: AccountId, task: TaskId, amount: Credits) -> Result<Done, Refusal> {
        let reference = format!("admin:{}", self.clock.new_id());
        self.ledger.send(Command::Refund(Refund { account, task, amount, reference })).await
    }

    pub async fn adjust(&self, account: AccountId, amount: Credits) -> Done {
        let id = self.clock.new_id();
        let reference = format!("admin:{id}");
        let (reason, actor) = ("a test".into(), "ada".into());
        self.done(Command::Adjust(Adjust { id, account, amount, reason, actor, reference })).await
    }

    pub async fn done(&self, command: Command) -> Done {
        self.ledger.send(command).await.unwrap()
    }

    pub async fn row(&self, account: AccountId) -> account::Model {
        account::Entity::find_by_id(account).one(self.db.read()).await.unwrap().unwrap()
    }

    /// What the account has available, held and as debt.
    pub async fn balance(&self, account: AccountId) -> (Credits, Credits, Credits) {
        let row = self.row(account).await;
        (crate::ledger::book::available(&row), row.held, row.debt)
    }

    pub async fn lot(&self, grant: GrantId) -> grant::Model {
        grant::Entity::find_by_id(grant).one(self.db.read()).await.unwrap().unwrap()
    }

    pub async fn assert_clean(&self) {
        let report = check::check(&self.db, &self.chain, Scope::Everything).await.unwrap();
        assert!(report.is_clean(), "{}: {:#?}", self.url, report.violations);
    }
}

/// A clock that stands at a coming noon, so that no test runs over a midnight that it didn't ask for.
fn at_noon() -> Clock {
    let clock = Clock::system();
    let since_midnight = clock.now().seconds() - clock.now().day().seconds();
    clock.advance(36 * 3_600 - since_midnight);
    clock
}

/// An id that nothing has.
pub fn nobody() -> Uuid {
    Uuid::from_u128(1)
}
