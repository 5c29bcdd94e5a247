//! Questions about what happened: the trail, the events themselves, their live streams, and what proves them.

mod checkpoints;
mod events;
mod proofs;
mod replay;

use ::events::Module::Audit;
use ::events::{Permission, UserId};
use platform::routes::{Access, Route};

use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::list::{equals, list};
use crate::shape::{LIST, dataset, listing, page_of};
use crate::stream;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let trail = Route::get("/audit-logs", Audit, "audit_trail")
        .summary("Everything that happened or was refused, newest first");
    vec![
        Endpoint::new(
            listing(trail, "audit.trail", |g| page_of(g, "audit.trail")),
            |call| async move { list(&call, dataset("audit.trail"), None).await },
        ),
        trail_of_user(),
        events::page(),
        events::of_stream(),
        replay::replay(),
        checkpoints::list(),
        checkpoints::one(),
        checkpoints::keys(),
        proofs::inclusion(),
        proofs::consistency(),
        proofs::leaves(),
        stream::http::endpoint(),
        stream::ticket::endpoint(),
    ]
}

fn trail_of_user() -> Endpoint {
    let route = Route::get("/audit-logs/user/{id}", Audit, "audit_trail_of_user")
        .summary("What a user did");
    let route = Route { response: Some(|g| page_of(g, "audit.trail")), ..route };
    let route = route.access(Access::Needs(Permission::AuditTrailRead)).parameters(LIST);
    Endpoint::new(route, |call: Call| async move {
        let user: UserId = call.id("id", "user")?;
        list(&call, dataset("audit.trail"), Some(equals("actor_id", user.to_string()))).await
    })
}
