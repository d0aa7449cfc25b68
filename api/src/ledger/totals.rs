//! Totals over the whole book, for whoever watches it: never a walk over the journal.

use entity::transfer::Place;
use entity::{Credits, Mode, Timestamp};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};

use super::book::place_name;

/// What the customers of a mode have together.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct Accounts {
    pub mode: Mode,
    pub available: Credits,
    pub held: Credits,
    pub debt: Credits,
}

/// The balance of one of our own accounts.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct Ours {
    pub mode: Mode,
    pub place: Place,
    pub amount: Credits,
}

/// Holds that are not settled.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct OpenHolds {
    pub mode: Mode,
    pub n: i64,
    pub oldest: Timestamp,
}

#[derive(Debug)]
pub struct Totals {
    pub accounts: Vec<Accounts>,
    pub ours: Vec<Ours>,
    pub open_holds: Vec<OpenHolds>,
    /// When the newest audit root was written.
    pub audit_root: Option<Timestamp>,
}

/// Our own accounts, in the order in which they are shown.
pub const OURS: [Place; 5] =
    [Place::Revenue, Place::Purchases, Place::Promotions, Place::Expired, Place::Adjustments];

impl Ours {
    pub fn name(&self) -> &'static str {
        place_name(self.place)
    }
}

// PostgreSQL's sums are wider than what they add up.
const ACCOUNTS: &str = "
SELECT mode, CAST(SUM(credited - debited - held) AS bigint) AS available,
    CAST(SUM(held) AS bigint) AS held, CAST(SUM(debt) AS bigint) AS debt
FROM account GROUP BY mode";

// Days, and what was not added up to its day yet.
const OUR_ACCOUNTS: &str =
    "SELECT mode, place, CAST(SUM(amount) AS bigint) AS amount FROM book_delta GROUP BY mode, place";

const OPEN: &str = "
SELECT a.mode, COUNT(*) AS n, MIN(h.accepted_at) AS oldest
FROM hold h JOIN account a ON a.id = h.account_id
WHERE h.state = 'open' GROUP BY a.mode";

const ROOT: &str = "SELECT MAX(at) AS at FROM audit_root";

pub async fn totals(db: &impl ConnectionTrait) -> Result<Totals, DbErr> {
    let sql = |text: &str| Statement::from_string(db.get_database_backend(), text);
    let root = db.query_one_raw(sql(ROOT)).await?;
    Ok(Totals {
        accounts: Accounts::find_by_statement(sql(ACCOUNTS)).all(db).await?,
        ours: Ours::find_by_statement(sql(OUR_ACCOUNTS)).all(db).await?,
        open_holds: OpenHolds::find_by_statement(sql(OPEN)).all(db).await?,
        audit_root: root.map(|row| row.try_get("", "at")).transpose()?.flatten(),
    })
}
