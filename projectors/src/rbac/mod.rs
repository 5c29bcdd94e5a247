//! Who may do what: roles, permissions, assignments; who effectively may is a view on them.

mod assignments;
mod exclusive_sets;
mod permissions;
mod roles;
mod user_plant_access;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<roles::Roles>::boxed(),
        Keyed::<permissions::Permissions>::boxed(),
        Keyed::<assignments::Assignments>::boxed(),
        Keyed::<exclusive_sets::ExclusiveSets>::boxed(),
        Keyed::<user_plant_access::UserPlantAccess>::boxed(),
    ]
}
