//! What a command needs besides the permission of its route: other permissions, its place, or that the record is the caller's.

use events::subject::Subject;
use events::{Decider, Permission, UnitId};
use platform::access::{self, Places, Standing, lacking, lacking_in};
use platform::problem::Problem;
use platform::routes::Access;

use crate::app::App;
use crate::pipeline::{Ask, Target};

/// Where a command acts, on a route whose permission may be held in a unit alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// In the organisation as a whole.
    Everywhere,
    /// In a unit.
    In(UnitId),
    /// In what a unit is part of.
    Above(UnitId),
    /// Wherever the permission is held: what comes of it stays there.
    Anywhere,
    /// At a record that the caller sees, by the permission or otherwise.
    At(Subject),
}

impl Spot {
    /// In the unit, or everywhere where there is none.
    pub(crate) fn of(unit: Option<UnitId>) -> Self {
        unit.map_or(Self::Everywhere, Self::In)
    }

    /// The unit that the permission may be held in instead of everywhere.
    fn unit(self, standing: Option<&Standing>) -> Option<UnitId> {
        match self {
            Self::Everywhere | Self::Anywhere | Self::At(_) => None,
            Self::In(unit) => Some(unit),
            Self::Above(unit) => standing?.organization.state.units.get(&unit)?.parent_id,
        }
    }
}

impl<D: Decider> Target<D> {
    /// Needing another permission there, as well as that of its route.
    pub(crate) fn needing(mut self, permission: Option<Permission>, spots: &[Spot]) -> Self {
        let needed = permission.into_iter();
        self.guards.extend(needed.flat_map(|needed| spots.iter().map(move |spot| (needed, *spot))));
        self
    }

    /// Being about a record: needing to see it.
    pub(crate) fn about(self, subject: Subject) -> Self {
        self.needing(Some(subject.kind.read_permission()), &[Spot::At(subject)])
    }

    /// Acting there.
    pub(crate) fn within(mut self, spots: impl IntoIterator<Item = Spot>) -> Self {
        self.spots.extend(spots);
        self
    }

    /// Needing the permission of its route where it acts; everywhere, unless route and command say otherwise.
    pub(crate) fn guarded(mut self, route: Access) -> Self {
        let spots = std::mem::take(&mut self.spots);
        match route {
            Access::InUnit(permission) if !spots.is_empty() => {
                self.guards.extend(spots.into_iter().map(|spot| (permission, spot)));
            }
            Access::InUnit(_)
            | Access::Shared(_)
            | Access::Needs(_)
            | Access::InPerson(_)
            | Access::Public
            | Access::SignedIn
            | Access::Bootstrap => self.needs.extend(route.permission()),
        }
        self
    }

    /// Whether the caller may do what goes beyond the route's permission.
    pub(crate) fn check(
        &self,
        ask: &Ask,
        standing: Option<&Standing>,
        state: &D,
    ) -> Result<(), Problem> {
        for permission in &self.needs {
            access::authorize(&ask.principal, standing, *permission)?;
        }
        for owner in &self.owners {
            if (owner.of)(state).is_some_and(|of| !ask.principal.actor.acts_as(of)) {
                access::authorize(&ask.principal, standing, owner.others_need)?;
            }
        }
        Ok(())
    }
}

impl App {
    /// Whether the caller holds each permission where it is enough. A route that lets in whoever holds its permission anywhere
    /// asks for it everywhere, where its command does not say where it acts.
    pub(crate) async fn check_guards(
        &self,
        ask: &Ask,
        standing: Option<&Standing>,
        guards: &[(Permission, Spot)],
    ) -> Result<(), Problem> {
        if let (Access::InUnit(permission), []) = (ask.access, guards) {
            return access::authorize(&ask.principal, standing, permission);
        }
        for (permission, spot) in guards {
            self.check_spot(ask, standing, (*permission, *spot)).await?;
        }
        Ok(())
    }

    async fn check_spot(
        &self,
        ask: &Ask,
        standing: Option<&Standing>,
        (permission, spot): (Permission, Spot),
    ) -> Result<(), Problem> {
        if spot == Spot::Anywhere {
            return self.check_somewhere(ask, standing, permission).await;
        }
        let by = &ask.principal;
        if let Spot::At(subject) = spot {
            let sees = self.access.may_read_of(by, standing, &subject).await;
            let sees = sees.map_err(|error| Problem::internal(&error))?;
            return if sees { Ok(()) } else { Err(lacking(by, permission)) };
        }
        let Some(unit) = spot.unit(standing) else {
            return access::authorize(by, standing, permission);
        };
        let permitted = self.access.permits_in(by, standing, (permission, unit)).await;
        let permitted = permitted.map_err(|error| Problem::internal(&error))?;
        if permitted { Ok(()) } else { Err(lacking_in(by, permission, unit)) }
    }

    /// Lets in whoever holds the permission anywhere, on a route that asks for it where its command acts.
    pub(crate) async fn check_somewhere(
        &self,
        ask: &Ask,
        standing: Option<&Standing>,
        permission: Permission,
    ) -> Result<(), Problem> {
        let places = self.access.places(&ask.principal, standing, permission).await;
        match places.map_err(|error| Problem::internal(&error))? {
            Places::Everywhere | Places::In(_) => Ok(()),
            Places::Nowhere => Err(lacking(&ask.principal, permission)),
        }
    }
}
