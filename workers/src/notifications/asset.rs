//! What people are told of assets: that a warranty is to end.

use std::collections::BTreeSet;

use events::UserId;
use events::maintenance::asset::{Asset, Event, Level, Share, With};
use events::notifications::notification::Kind;

use super::tell::{Cause, Message, first_event, message_to, user_of};
use super::trigger::answering;
use crate::runtime::{Job, Office};

/// Those hear of it who answer for the asset: whoever registered it, or administrators where they are not there any more, and the
/// users with whom it is shared to manage it.
pub(super) async fn of_asset(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    // One event of many; the others are not asked for.
    let event: Event = serde_json::from_str(&cause.payload)?;
    let Event::WarrantyEndAnnounced { warranty_until, .. } = event else {
        return Ok(Vec::new());
    };
    let (tenant, id) = (job.tenant_id, &cause.stream_id);
    let asset = office.aggregates.refresh::<Asset>(tenant, id).await?.state;
    let (_, metadata) = first_event(office, job, cause).await?;
    let mut told: BTreeSet<_> = asset.shares.iter().filter_map(manager).collect();
    match user_of(&metadata)? {
        Some(user) => told.extend(answering(office, tenant, user).await?),
        None => told.extend(office.administrators(tenant).await?),
    }
    let title = format!("The warranty of “{}” ends on {warranty_until}", asset.name);
    let text = format!("What is to be claimed for {} has to be claimed by then.", asset.tag);
    let message = |user| message_to(user, Kind::WarrantyEnds, title.clone(), text.clone());
    Ok(told.into_iter().map(message).collect())
}

fn manager(share: &Share) -> Option<UserId> {
    match share.with {
        With::User(user) if share.level == Level::Manage => Some(user),
        With::User(_) | With::Unit(_) => None,
    }
}
