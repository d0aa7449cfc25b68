//! An invariant as one question to the database: a query that returns those who break it.

use entity::{AccountId, GrantId, KeyId, TaskId};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Statement, Value};
use uuid::Uuid;

use super::{MOST_OF_ONE_KIND, Report, Scope, Violation};

/// A query, the same text on both engines, whose rows are violations: `id` says whose and `detail` what.
///
/// It may read `scope`, the account rows that this pass looks at.
#[derive(Debug)]
pub struct Rule {
    pub invariant: &'static str,
    pub subject: Subject,
    pub sql: &'static str,
}

/// What the `id` of a rule's row names.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    Account,
    Grant,
    Key,
    Task,
    /// No row: the text itself says it.
    Text,
}

impl Rule {
    /// Adds whoever breaks the rule to the report.
    pub async fn check(
        &self,
        db: &DatabaseTransaction,
        scope: Scope,
        report: &mut Report,
    ) -> Result<(), DbErr> {
        let sql = format!(
            "WITH scope AS (SELECT * FROM account WHERE last_at >= $1) {} LIMIT {MOST_OF_ONE_KIND}",
            self.sql
        );
        let statement =
            Statement::from_sql_and_values(db.get_database_backend(), sql, [Value::from(scope.since())]);
        for row in db.query_all_raw(statement).await? {
            report.add(Violation {
                invariant: self.invariant,
                subject: self.subject.of(&row)?,
                detail: row.try_get("", "detail")?,
            });
        }
        Ok(())
    }
}

impl Subject {
    fn of(self, row: &QueryResult) -> Result<String, DbErr> {
        let id = || row.try_get::<Uuid>("", "id");
        Ok(match self {
            Subject::Account => AccountId(id()?).to_string(),
            Subject::Grant => GrantId(id()?).to_string(),
            Subject::Key => KeyId(id()?).to_string(),
            Subject::Task => TaskId(id()?).to_string(),
            Subject::Text => row.try_get("", "id")?,
        })
    }
}
