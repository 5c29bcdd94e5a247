//! The roles of one user, as folded from what happened.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::events::Event;
use crate::ids::{RoleId, UnitId};
use crate::rbac::assignment::Assignment;
use crate::rbac::unit_access::UnitAccess;

/// The roles of one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserAccess {
    assignments: Vec<Assignment>,
    #[serde(default)]
    units: Vec<UnitAccess>,
    /// The assignments whose end was announced.
    #[serde(default)]
    announced: Vec<Assignment>,
}

impl UserAccess {
    /// The assignments, in the order in which they were made; expired ones stay until a timer or a
    /// new assignment clears them, and never authorise.
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// The assignment of a role in a unit.
    pub fn find(&self, role_id: RoleId, unit_id: Option<UnitId>) -> Option<&Assignment> {
        self.assignments.iter().find(|held| held.is_of(role_id, unit_id))
    }

    /// The one unit in which the user has roles now; none where those are several, or in the whole organisation alone.
    pub fn home(&self, now: Timestamp) -> Option<UnitId> {
        let live = self.assignments.iter().filter(|held| held.is_live(now));
        let units: BTreeSet<UnitId> = live.filter_map(|held| held.unit_id).collect();
        units.first().copied().filter(|_| units.len() == 1)
    }

    /// Access to units, in the order in which it was granted; expired access stays until a timer or
    /// a new grant clears it, and never authorises.
    pub fn units(&self) -> &[UnitAccess] {
        &self.units
    }

    /// The access to a unit itself.
    pub fn unit(&self, unit_id: UnitId) -> Option<&UnitAccess> {
        self.units.iter().find(|held| held.unit_id == unit_id)
    }

    /// Whether the present end of an assignment was announced.
    pub fn is_announced(&self, held: &Assignment) -> bool {
        self.announced.contains(held)
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::RoleAssigned { role_id, unit_id, expires_at } => {
                let (role_id, unit_id, expires_at) = (*role_id, *unit_id, *expires_at);
                self.assignments.push(Assignment { role_id, unit_id, expires_at });
            }
            Event::RoleRemoved { role_id, unit_id, .. }
            | Event::RoleAssignmentExpired { role_id, unit_id } => {
                self.assignments.retain(|held| !held.is_of(*role_id, *unit_id));
                self.announced.retain(|held| !held.is_of(*role_id, *unit_id));
            }
            Event::RoleExtended { role_id, unit_id, expires_at } => {
                self.end_at(*role_id, *unit_id, *expires_at);
            }
            Event::RoleShortened { role_id, unit_id, expires_at } => {
                self.end_at(*role_id, *unit_id, Some(*expires_at));
            }
            Event::RoleEndAnnounced { role_id, unit_id, expires_at } => {
                let (role_id, unit_id, expires_at) = (*role_id, *unit_id, Some(*expires_at));
                self.announced.push(Assignment { role_id, unit_id, expires_at });
            }
            Event::UnitAccessGranted { unit_id, level, expires_at } => {
                let (unit_id, level, expires_at) = (*unit_id, *level, *expires_at);
                self.units.retain(|held| held.unit_id != unit_id);
                self.units.push(UnitAccess { unit_id, level, expires_at });
            }
            Event::UnitAccessRevoked { unit_id, .. } | Event::UnitAccessExpired { unit_id } => {
                self.units.retain(|held| held.unit_id != *unit_id);
            }
        }
    }

    fn end_at(
        &mut self,
        role_id: RoleId,
        unit_id: Option<UnitId>,
        expires_at: Option<jiff::Timestamp>,
    ) {
        self.announced.retain(|held| !held.is_of(role_id, unit_id));
        for held in &mut self.assignments {
            if held.is_of(role_id, unit_id) {
                held.expires_at = expires_at;
            }
        }
    }
}
