//! The one closed list of modules; every process matches it without a wildcard.

use crate::aggregate::Decider;
use crate::{
    audit, backups, collaboration, exports, files, identity, maintenance, notifications, rbac,
    scheduling, settings, webhooks,
};

/// A part of the back office, with the same name in every crate, table, route and subject.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::VariantArray,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
pub enum Module {
    /// Organisations, users, sessions, invitations.
    Identity,
    /// Roles, permissions, assignments.
    Rbac,
    /// The trail of what happened and what was refused.
    Audit,
    /// Files made from read models.
    Exports,
    /// Messages to people.
    Notifications,
    /// Backups and restores.
    Backups,
    /// Settings and feature flags.
    Settings,
    /// What recurs, and the days on which it does not.
    Scheduling,
    /// Files that people upload.
    Files,
    /// Assets and their upkeep.
    Maintenance,
    /// What people say to one another about records.
    Collaboration,
    /// Events told to programs elsewhere.
    Webhooks,
}

impl Module {
    /// Every module.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The module's name, as in tables, subjects and stream names.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Something done once for the type of every aggregate.
pub trait AggregateVisitor {
    /// Visits one aggregate's type.
    fn visit<D: Decider>(&mut self);
}

/// Visits every aggregate of a module.
pub fn visit_aggregates(module: Module, visitor: &mut impl AggregateVisitor) {
    match module {
        Module::Identity => {
            visitor.visit::<identity::organization::Organization>();
            visitor.visit::<identity::user::User>();
            visitor.visit::<identity::session::Session>();
            visitor.visit::<identity::api_key::ApiKey>();
            visitor.visit::<identity::invitation::Invitation>();
            visitor.visit::<identity::issuer::Issuer>();
            visitor.visit::<identity::presence::Presence>();
        }
        Module::Rbac => {
            visitor.visit::<rbac::policy::Policy>();
            visitor.visit::<rbac::user_access::UserAccess>();
        }
        Module::Audit => {
            visitor.visit::<audit::security_log::SecurityLog>();
            visitor.visit::<audit::ledger::Ledger>();
        }
        Module::Exports => {
            visitor.visit::<exports::export::Export>();
            visitor.visit::<exports::template::Template>();
            visitor.visit::<exports::batch::Batch>();
            visitor.visit::<exports::cleanup::Cleanup>();
        }
        Module::Notifications => visitor.visit::<notifications::notification::Notification>(),
        Module::Backups => visitor.visit::<backups::backup::Backup>(),
        Module::Settings => visitor.visit::<settings::configuration::Configuration>(),
        Module::Scheduling => {
            visitor.visit::<scheduling::trigger::Trigger>();
            visitor.visit::<scheduling::blackout_calendar::BlackoutCalendar>();
        }
        Module::Files => visitor.visit::<files::file::File>(),
        Module::Maintenance => {
            visitor.visit::<maintenance::asset::Asset>();
            visitor.visit::<maintenance::task::Task>();
            visitor.visit::<maintenance::plan::Plan>();
        }
        Module::Collaboration => visitor.visit::<collaboration::thread::Thread>(),
        Module::Webhooks => visitor.visit::<webhooks::endpoint::Endpoint>(),
    }
}
