//! Routes of the upkeep of assets.

mod assets;
mod facts;
mod occurrences;
mod schedules;
mod tasks;

use crate::registry::Registry;

pub(crate) fn routes(registry: &mut Registry) {
    assets::routes(registry);
    schedules::routes(registry);
    occurrences::routes(registry);
    tasks::routes(registry);
}
