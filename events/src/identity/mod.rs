//! Who there is: organisations with their units, the users in them, their sessions, who is invited, and whose word is taken.
//!
//! An organisation is a tenant: the id of its stream is the tenant's id, and every record of every
//! module belongs to exactly one. Users belong to one organisation and are known in it by their
//! handle and, where they have one, their e-mail address. A session is what a sign-in opens, and their
//! presence is which of them are open. An invitation lets somebody become a user, with the roles that
//! it promises. An issuer is somebody else whose word an organisation takes for who a user is.

pub mod api_key;
pub mod currencies;
pub mod invitation;
pub mod issuer;
pub mod organization;
pub mod presence;
pub mod session;
pub mod user;

use crate::aggregate::{Actor, ActorKind};
use crate::ids::UserId;

impl Actor {
    /// The user who acts, directly or through a service.
    pub fn user(&self) -> Option<UserId> {
        match self.kind {
            ActorKind::User => self.id.parse().ok(),
            ActorKind::Service => self.on_behalf_of,
            ActorKind::System => None,
        }
    }

    /// Whether the caller is this user, or a service that acts for them.
    pub fn acts_as(&self, user: UserId) -> bool {
        match self.kind {
            ActorKind::User => self.id == user.to_string(),
            ActorKind::Service | ActorKind::System => self.on_behalf_of == Some(user),
        }
    }
}
