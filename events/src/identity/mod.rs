//! Who there is: organisations with their units, the users in them, and their sessions.
//!
//! An organisation is a tenant: the id of its stream is the tenant's id, and every record of every
//! module belongs to exactly one. Users belong to one organisation and are known in it by their
//! handle and, where they have one, their e-mail address. A session is what a sign-in opens.

pub mod currencies;
pub mod organization;
pub mod session;
pub mod user;

use crate::aggregate::{Actor, ActorKind};
use crate::ids::UserId;

impl Actor {
    /// Whether the caller is this user, or a service that acts for them.
    pub fn acts_as(&self, user: UserId) -> bool {
        match self.kind {
            ActorKind::User => self.id == user.to_string(),
            ActorKind::Service | ActorKind::System => self.on_behalf_of == Some(user),
        }
    }
}
