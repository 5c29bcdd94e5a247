//! Questions about what happened: the trail, the events themselves, their live streams, and what proves them.

mod checkpoints;
mod correlation;
mod events;
mod proofs;
mod replay;
mod verify;

use ::events::Module::Audit;
use ::events::{Permission, UserId};
use platform::dataset::filter::Filter;
use platform::routes::{Access, Alias, Parameter, Route};

use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::list::list;
use crate::reads::{RESTORED, TRAIL};
use crate::shape::{AT, LIST, dataset, listing, page_of, query};
use crate::stream;

const ACTIVITIES: &[Parameter] = &[
    query("subject", "only what was done to this"),
    query("actor", "only what this user or service did"),
    query("filter", "which entries besides, in the filter grammar"),
    query("limit", "rows of a page: 50 unless told, at most 500"),
    query("after", "the cursor of another page, from `page.next` or `page.prev`"),
    AT,
];

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        trail(),
        trail_of_user(),
        activities(),
        archives(),
        restored(),
        correlation::tree(),
        verify::range(),
        events::page(),
        events::of_stream(),
        replay::replay(),
        checkpoints::list(),
        checkpoints::one(),
        checkpoints::keys(),
        proofs::inclusion(),
        proofs::of_entry(),
        proofs::consistency(),
        proofs::leaves(),
        stream::http::endpoint(),
        stream::ticket::endpoint(),
    ]
}

fn trail() -> Endpoint {
    const ALIASES: &[Alias] = &[Alias::new("/logs/audit-trail", "audit_trail_of_logs")];
    let route = Route::get("/audit-logs", Audit, "audit_trail")
        .summary("Everything that happened or was refused, newest first")
        .also(ALIASES);
    Endpoint::new(listing(route, TRAIL, |g| page_of(g, TRAIL)), |call| async move {
        list(&call, dataset(TRAIL), None).await
    })
}

fn archives() -> Endpoint {
    const NAME: &str = "audit.archives";
    let route = Route::get("/audit-logs/archives", Audit, "audit_archives")
        .summary("The months of the trail that are in files, and which of them were dropped");
    Endpoint::new(listing(route, NAME, |g| page_of(g, NAME)), |call| async move {
        list(&call, dataset(NAME), None).await
    })
}

fn restored() -> Endpoint {
    let route = Route::get("/audit-logs/restored", Audit, "audit_restored")
        .summary("Archived months of the trail that were brought back for reading");
    Endpoint::new(listing(route, RESTORED, |g| page_of(g, RESTORED)), |call| async move {
        list(&call, dataset(RESTORED), None).await
    })
}

fn trail_of_user() -> Endpoint {
    let route = Route::get("/audit-logs/user/{id}", Audit, "audit_trail_of_user")
        .summary("What a user did");
    let route = Route { response: Some(|g| page_of(g, TRAIL)), ..route };
    let route = route.access(Access::Needs(Permission::AuditTrailRead)).parameters(LIST);
    Endpoint::new(route, |call: Call| async move {
        let user: UserId = call.id("id", "user")?;
        list(&call, dataset(TRAIL), Some(Filter::equals("actor_id", user.to_string()))).await
    })
}

/// The parameters of a list under the names by which activities are asked for.
fn activities() -> Endpoint {
    const NAMES: [(&str, &str); 2] = [("subject", "resource_id"), ("actor", "actor_id")];
    let route = Route::get("/activity-streams", Audit, "audit_activities")
        .summary("What was done, by whom and to what: the trail by `subject` and `actor`");
    let route = Route { response: Some(|g| page_of(g, TRAIL)), ..route };
    let route = route.access(Access::Needs(Permission::AuditTrailRead)).parameters(ACTIVITIES);
    Endpoint::new(route, |mut call: Call| async move {
        call.translate(&NAMES);
        list(&call, dataset(TRAIL), None).await
    })
}
