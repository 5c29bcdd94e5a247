//! Routes of the upkeep of assets.

mod assets;
mod facts;
mod tasks;

use crate::registry::Registry;

pub(crate) fn routes(registry: &mut Registry) {
    assets::routes(registry);
    tasks::routes(registry);
}
