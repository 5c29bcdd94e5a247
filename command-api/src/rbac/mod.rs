//! Routes of access: roles, permissions, who inherits from whom, who holds what.

mod assignments;
pub(crate) mod effect;
mod ends;
mod exclusive;
mod permissions;
mod roles;
mod templates;
mod units;

use crate::registry::Registry;

pub(crate) fn routes(registry: &mut Registry) {
    roles::routes(registry);
    permissions::routes(registry);
    assignments::routes(registry);
    exclusive::routes(registry);
    units::routes(registry);
    templates::routes(registry);
    ends::routes(registry);
}
