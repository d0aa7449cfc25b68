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

impl UserRole {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            UserRole::Owner => "owner",
            UserRole::Developer => "developer",
            UserRole::Viewer => "viewer",
            UserRole::Billing => "billing",
        }
    }
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

impl StaffRole {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            StaffRole::Admin => "admin",
            StaffRole::Operator => "operator",
            StaffRole::Support => "support",
            StaffRole::Finance => "finance",
            StaffRole::PricingEditor => "pricing_editor",
            StaffRole::PricingApprover => "pricing_approver",
            StaffRole::Auditor => "auditor",
        }
    }
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
    /// Id of the master key that the second factor's secret is derived from, with `totp_nonce`.
    pub totp_key: Option<String>,
    pub totp_nonce: Option<Vec<u8>>,
    /// The second factor is asked for from here on.
    pub totp_confirmed_at: Option<Timestamp>,
    /// The newest time step whose code was used.
    pub totp_step: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
