//! How well one key of a provider works. Written when it changes, not for every call; a key without a row works.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// Whether submissions are sent with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum HealthState {
    Ok,
    /// It failed again and again, or asked to be left alone: it is tried again when its rest is over.
    Resting,
    /// It has no money or no right: it is tried again now and then, but a person has to do something.
    Out,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provider_health")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub endpoint: String,
    pub state: HealthState,
    /// Faults since it last worked.
    pub failures: i64,
    /// Nothing is submitted before.
    pub rests_until: Option<Timestamp>,
    /// The newest fault: its class, and what was said.
    pub error_class: Option<String>,
    pub error_detail: Option<String>,
    pub error_at: Option<Timestamp>,
    pub changed_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
