//! The organisation's policy in Casbin's CSV format, streamed: first the roles, then page by page who holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ::events::identity::user::{self, Status, User};
use ::events::rbac::casbin;
use ::events::rbac::user_access::{self, UserAccess};
use ::events::{Decider, Module, Permission, UserId};
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use platform::access::authorize;
use platform::dataset::{Bind, Statement};
use platform::lifecycle::detach;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use sqlx::Row as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::places::States;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::shape::query;

const USERS_AT_ONCE: i64 = 500;
const LINES_AT_ONCE: usize = 2_000;
const AS_OF: &[Parameter] =
    &[query("as_of", "a position of the log or an RFC 3339 time that has passed; now when absent")];

/// Accounts and roles of some users, by their ids.
type People = BTreeMap<String, (User, UserAccess)>;

pub(super) fn policy_csv() -> Endpoint {
    let route = Route::get("/rbac/policy.csv", Module::Rbac, "rbac_policy_csv")
        .summary(
            "Roles, permissions and who holds them, as Casbin reads it; see the page on Casbin",
        )
        .needs(Permission::RbacAssignmentsRead)
        .answers::<String>(200)
        .media_type("text/csv")
        .parameters(AS_OF);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["as_of"])?;
        authorize(&call.principal, call.standing.as_ref(), Permission::RbacRolesRead)?;
        let at = match call.parameter("as_of") {
            None => None,
            Some(text) => Some(call.moment("as_of", text).await?),
        };
        let (asked, states) = States::read(&call, at, &BTreeSet::new()).await?;
        let headers = asked.headers(&call, &asked.place.as_of());
        let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        detach(async move {
            if let Err(problem) = send(&call, &states, &sender).await {
                tracing::warn!(problem = problem.detail, "a policy is cut short");
                let cut = std::io::Error::other("the policy is cut short");
                let _client_is_gone = sender.send(Err(cut)).await;
            }
        });
        let body = Body::from_stream(ReceiverStream::new(receiver));
        let kind = (header::CONTENT_TYPE, "text/csv; charset=utf-8");
        let mut response: Response = ([kind], body).into_response();
        response.headers_mut().extend(headers);
        Ok(response)
    })
}

async fn send(
    call: &Call,
    states: &States,
    sender: &mpsc::Sender<Result<Bytes, std::io::Error>>,
) -> Result<(), Problem> {
    let (policy, organization) = (&*states.policy.state, &*states.organization.state);
    let lines = casbin::lines(policy, organization);
    for lines in lines.chunks(LINES_AT_ONCE) {
        if sender.send(Ok(written(lines))).await.is_err() {
            return Ok(()); // the client has gone
        }
    }
    let mut after = String::new();
    loop {
        let people = people(call, states.moment.position, &after).await?;
        let Some((last, _)) = people.last_key_value() else { return Ok(()) };
        after.clone_from(last);
        let mut lines = Vec::new();
        for (id, (account, access)) in &people {
            let user_id: UserId = id.parse().unwrap_or_default();
            // Whose account is closed may do nothing, whatever they hold.
            if account.status == Status::Active {
                let user = (user_id, &*account.handle, access);
                lines.extend(casbin::held_by(policy, organization, user, states.moment.time));
            }
        }
        if sender.send(Ok(written(&lines))).await.is_err() {
            return Ok(());
        }
    }
}

fn written(lines: &[casbin::Line]) -> Bytes {
    let mut text = String::with_capacity(lines.len() * 64);
    for line in lines {
        let _never = writeln!(text, "{line}");
    }
    text.into()
}

/// The accounts and roles of the next users in the order of their ids, as far as access hangs on them.
async fn people(call: &Call, position: i64, after: &str) -> Result<People, Problem> {
    let mut statement = Statement::default();
    let until = statement.bind(Bind::Integer(position));
    let after = statement.bind(Bind::Text(Some(after.to_owned())));
    statement.sql = format!(
        "select e.aggregate_type, e.aggregate_id, e.payload::text from log.events e \
         where e.position <= ${until} \
           and e.aggregate_type = any (array['identity.user', 'rbac.user_access']) \
           and e.aggregate_id = any (array(select s.aggregate_id from log.streams s \
               where s.aggregate_type = 'identity.user' and s.aggregate_id > ${after} \
               order by s.aggregate_id limit {USERS_AT_ONCE})) \
           and (e.aggregate_type = 'rbac.user_access' or e.event_type = any (array[\
               'identity.user.registered', 'identity.user.deactivated', 'identity.user.reactivated', \
               'identity.user.erased'])) \
         order by e.aggregate_id, e.aggregate_type, e.sequence"
    );
    let asked = call.ask(&[], &statement).await?;
    let mut people = People::new();
    for (row, payload) in asked.rows.iter().zip(call.payloads(&asked.rows, 2).await?) {
        let (kind, id): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let (account, access) = people.entry(id.to_owned()).or_default();
        let unreadable = |error: serde_json::Error| Problem::internal(&error);
        if kind == User::TYPE {
            account.evolve(&serde_json::from_str::<user::Event>(&payload).map_err(unreadable)?);
        } else {
            let event = serde_json::from_str::<user_access::Event>(&payload);
            access.evolve(&event.map_err(unreadable)?);
        }
    }
    Ok(people)
}
