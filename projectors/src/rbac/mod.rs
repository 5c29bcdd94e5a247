//! Who may do what: roles, permissions, assignments; who effectively may is a view on them.

mod assignments;
mod permissions;
mod roles;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<roles::Roles>::boxed(),
        Keyed::<permissions::Permissions>::boxed(),
        Keyed::<assignments::Assignments>::boxed(),
    ]
}
