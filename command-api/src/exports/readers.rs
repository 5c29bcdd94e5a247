//! Whether others may see all that is in a file that somebody asks for.

use std::collections::BTreeSet;

use events::identity::user;
use events::{Permission, TenantId, UnitId, UserId};
use platform::access::{Places, Standing};
use platform::dataset::Dataset;
use platform::principal::Principal;
use platform::problem::Problem;

use crate::app::App;

/// What a reader needs of a dataset besides the right to files.
fn needed(dataset: &Dataset) -> Vec<Permission> {
    [Some(Permission::ExportsFilesRequest), dataset.permission].into_iter().flatten().collect()
}

impl App {
    /// Where a caller may see rows of a dataset in a file.
    pub(super) async fn rows_of(
        &self,
        principal: &Principal,
        dataset: &'static Dataset,
    ) -> Result<Places, Problem> {
        self.rows_where(principal, &needed(dataset)).await
    }

    async fn rows_where(
        &self,
        principal: &Principal,
        needed: &[Permission],
    ) -> Result<Places, Problem> {
        let unreadable = |error| Problem::internal(&error);
        self.access.refresh(principal).await.map_err(unreadable)?;
        let standing = self.access.last_known(principal).await.map_err(unreadable)?;
        let standing =
            standing.filter(|it: &Standing| it.user.state.status == user::Status::Active);
        let mut places = Places::Everywhere;
        for permission in needed {
            let held = self.access.places(principal, standing.as_ref(), *permission).await;
            places = places.and(held.map_err(unreadable)?);
        }
        Ok(places)
    }

    /// Those of some people who may not see every row of a dataset in those places. Where everybody sees rows of their own, others
    /// have to be allowed everybody's.
    pub(super) async fn blind_to(
        &self,
        tenant: TenantId,
        (dataset, rows): (&'static Dataset, &Places),
        people: &[UserId],
    ) -> Result<Vec<UserId>, Problem> {
        let mut needed = needed(dataset);
        if let Some(owner) = &dataset.owner {
            let Some(everybodys) = owner.everybody else { return Ok(people.to_vec()) };
            needed.push(everybodys);
        }
        let mut blind = Vec::new();
        for user in people {
            let seen = self.rows_where(&Principal::somebody(tenant, *user), &needed).await?;
            if !covers(&seen, rows) {
                blind.push(*user);
            }
        }
        Ok(blind)
    }
}

/// Where the rows of a file are that was made of those units, or of the organisation as a whole.
pub(super) fn places_of(units: &[UnitId]) -> Places {
    if units.is_empty() {
        Places::Everywhere
    } else {
        Places::In(units.iter().copied().collect::<BTreeSet<_>>())
    }
}

fn covers(seen: &Places, rows: &Places) -> bool {
    match (seen, rows) {
        (Places::Everywhere, _) | (_, Places::Nowhere) => true,
        (Places::In(seen), Places::In(rows)) => rows.is_subset(seen),
        (Places::In(_) | Places::Nowhere, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;

    #[test]
    fn whoever_sees_all_of_the_places_sees_the_rows() {
        let units = |numbers: &[u128]| {
            places_of(&numbers.iter().map(|number| id(*number)).collect::<Vec<_>>())
        };
        assert!(covers(&Places::Everywhere, &units(&[])));
        assert!(covers(&Places::Everywhere, &units(&[1])));
        assert!(covers(&units(&[1, 2]), &units(&[2])));
        assert!(!covers(&units(&[1]), &units(&[1, 2])));
        assert!(!covers(&units(&[1]), &units(&[])));
        assert!(!covers(&Places::Nowhere, &units(&[1])));
    }
}
