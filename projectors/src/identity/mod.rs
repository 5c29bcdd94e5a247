//! Who there is: organisations and their units, users, sessions, invitations.

mod invitations;
mod organizations;
mod sessions;
mod units;
mod users;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<organizations::Organizations>::boxed(),
        Keyed::<units::Units>::boxed(),
        Keyed::<users::Users>::boxed(),
        Keyed::<sessions::Sessions>::boxed(),
        Keyed::<invitations::Invitations>::boxed(),
    ]
}
