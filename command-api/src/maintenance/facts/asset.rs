//! What decisions about assets lean on: how far the caller is let in, the unit it is to belong to, and whether those are there whom it
//! is to be shared with.

use events::identity::user::{Status, User};
use events::maintenance::asset::{
    self, Asset, Command, Facts, Place, SHARES_MAX_COUNT, Share, With,
};
use platform::problem::Problem;

use super::{place, reach};
use crate::facts::{LoadFacts, Sources};

impl LoadFacts<Asset> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        state: &Asset,
        command: &Command,
    ) -> Result<Self, Problem> {
        let known = (state.status != asset::Status::Absent).then_some(state);
        let mut facts = Self { reach: reach(sources, known).await?, ..Self::default() };
        match command {
            Command::Register(register) => facts.place = place(sources, register.unit_id).await?,
            Command::Move { unit_id } => facts.place = place(sources, *unit_id).await?,
            Command::SetSharing { shares, .. } => {
                facts.strangers = strangers(sources, state, shares).await?;
            }
            Command::Change(_)
            | Command::RecordUsage(_)
            | Command::ResetCounter { .. }
            | Command::AnnounceWarrantyEnd
            | Command::Retire => {}
        }
        Ok(facts)
    }
}

/// Those of the newly named who are not there. Whoever names too many is refused for that, whoever the others are.
async fn strangers(
    sources: &mut Sources<'_>,
    asset: &Asset,
    shares: &[Share],
) -> Result<Vec<With>, Problem> {
    let mut strangers = Vec::new();
    for with in asset.newcomers(shares).take(SHARES_MAX_COUNT) {
        let is_there = match with {
            With::User(user) => {
                sources.now::<User>(&user.to_string()).await?.state.status == Status::Active
            }
            With::Unit(unit) => place(sources, Some(unit)).await? == Place::Open,
        };
        if !is_there {
            strangers.push(with);
        }
    }
    Ok(strangers)
}
