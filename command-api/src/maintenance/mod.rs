//! Routes of the upkeep of assets.

mod assets;
mod facts;

use crate::registry::Registry;

pub(crate) fn routes(registry: &mut Registry) {
    assets::routes(registry);
}
