//! Events in, rows out: read models and the audit trail, each a pure fold of the log that can be rebuilt and proved.

pub mod model;
pub mod runtime;

mod audit;
mod backups;
mod collaboration;
mod exports;
mod files;
mod identity;
mod maintenance;
mod notifications;
mod rbac;
mod scheduling;
mod settings;
#[cfg(test)]
mod testing;
mod webhooks;

use std::sync::Arc;

use events::Module;
use platform::config::Settings;
use platform::lifecycle::Shutdown;
use platform::personal::Personal;
use platform::secrets::MasterKey;

use runtime::projection::Projection;
pub use runtime::{Proof, Rebuilt, Runner, TableDigest, WrongRow};

/// What an operator asks of projections.
pub mod admin {
    pub use crate::runtime::admin::{
        ParkedGroup, Status, digests, list, parked, prove, rebuild, retry,
    };
}

/// The projections of one module.
fn of(module: Module, personal: Option<&Personal>) -> Vec<Box<dyn Projection>> {
    match module {
        Module::Identity => identity::projections(personal),
        Module::Rbac => rbac::projections(),
        Module::Audit => audit::projections(),
        Module::Exports => exports::projections(),
        Module::Notifications => notifications::projections(),
        Module::Backups => backups::projections(),
        Module::Settings => settings::projections(),
        Module::Scheduling => scheduling::projections(),
        Module::Files => files::projections(),
        Module::Maintenance => maintenance::projections(),
        Module::Collaboration => collaboration::projections(),
        Module::Webhooks => webhooks::projections(),
    }
}

/// Every projection; this list, not what stands in the database, says what there is. They fold no event with something sealed
/// in it that they would have to open: see [`with_keys`].
pub fn all() -> Vec<Arc<dyn Projection>> {
    Module::ALL.iter().flat_map(|module| of(*module, None)).map(Arc::from).collect()
}

/// Every projection, with the installation's key to what is personal in events.
pub fn with_keys(settings: &Settings) -> anyhow::Result<Vec<Arc<dyn Projection>>> {
    let personal = Personal::new(MasterKey::parse(&settings.master_key)?);
    Ok(Module::ALL.iter().flat_map(|module| of(*module, Some(&personal))).map(Arc::from).collect())
}

/// The projections whose rows the audit trail compares before and after: it keeps sealed what is personal.
fn traced() -> Vec<Box<dyn Projection>> {
    let others = Module::ALL.iter().filter(|module| **module != Module::Audit);
    others.flat_map(|module| of(*module, None)).collect()
}

/// Feeds every projection until the signal; any number of processes may run it, one at a time leads.
pub async fn run(settings: Arc<Settings>, shutdown: Shutdown) -> anyhow::Result<()> {
    Runner::new(&settings, with_keys(&settings)?).await?.run(shutdown).await
}
