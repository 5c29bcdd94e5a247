//! Programs that hear of events, as part of what can happen.

use events::testing::{at, id};
use events::webhooks::Wanted;
use events::webhooks::endpoint::{DisableReason, Endpoint, Event};
use events::{EndpointId, TenantId, UserId};

use crate::support::Place;

/// One that hears of events, does not answer, and in every third round is deleted.
pub(crate) async fn hooked(place: &Place, tenant: TenantId, (round, user): (u128, UserId)) {
    let registered = Event::Registered {
        url: format!("https://hooks.acme.example/{round}"),
        events: Wanted::read("rbac.*").into_iter().collect(),
        description: None,
        owned_by: user,
        secret_id: id(190_000 + round),
    };
    let since = at("2026-01-01T00:00:00Z");
    let disabled = Event::Disabled { reason: DisableReason::Failing };
    let mut events = vec![registered, Event::FailingAnnounced { since }, disabled];
    if round.is_multiple_of(3) {
        events.push(Event::Deleted);
    }
    place.append::<Endpoint>(tenant, id::<EndpointId>(180_000 + round), events).await;
}
