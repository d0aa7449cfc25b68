//! A person who signs in: a member of a customer, or a member of staff (then without a customer).

use sea_orm::entity::prelude::*;

use crate::{CustomerId, Timestamp, UserId};

/// What a member of a customer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum UserRole {
    Owner,
    Developer,
    Viewer,
    Billing,
}

/// What a member of staff may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum StaffRole {
    Admin,
    Operator,
    Support,
    Finance,
    PricingEditor,
    PricingApprover,
    Auditor,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    pub customer_id: Option<CustomerId>,
    pub email: String,
    pub password_hash: String,
    pub role: Option<UserRole>,
    pub staff_role: Option<StaffRole>,
    pub demo: bool,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
