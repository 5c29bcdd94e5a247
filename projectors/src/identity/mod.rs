//! Who there is: organisations and their units, users, sessions, invitations, issuers.

mod api_keys;
mod invitations;
mod issuer_endings;
mod issuers;
mod organizations;
mod session_endings;
mod sessions;
mod units;
mod users;

use platform::personal::Personal;

use crate::runtime::projection::{Keyed, Projection};

pub(crate) fn projections(personal: Option<&Personal>) -> Vec<Box<dyn Projection>> {
    vec![
        Keyed::<organizations::Organizations>::boxed(),
        Keyed::<units::Units>::boxed(),
        Keyed::<users::Users>::opening(personal),
        Keyed::<sessions::Sessions>::boxed(),
        Keyed::<session_endings::SessionEndings>::boxed(),
        Keyed::<api_keys::ApiKeys>::boxed(),
        Keyed::<invitations::Invitations>::opening(personal),
        Keyed::<issuers::Issuers>::boxed(),
        Keyed::<issuer_endings::IssuerEndings>::boxed(),
    ]
}
