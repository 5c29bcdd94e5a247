//! Routes of access: roles, permissions, who inherits from whom, who holds what.

mod assignments;
pub(crate) mod effect;
mod permissions;
mod roles;

use crate::registry::Registry;

pub(crate) fn routes(registry: &mut Registry) {
    roles::routes(registry);
    permissions::routes(registry);
    assignments::routes(registry);
}
