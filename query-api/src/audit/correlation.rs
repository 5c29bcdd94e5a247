//! What followed from one request: its events, those of what reacted to them, and so on, each with what caused it.

use std::collections::HashMap;

use ::events::{Module, Permission};
use jiff::Timestamp;
use platform::dataset::{Bind, Statement};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use crate::answer::stamped;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::reads::TRAIL;

/// Entries of one tree; a request from which more follows is cut there.
const MOST: usize = 1_000;

/// What followed from one request, flat: parents before their children.
#[derive(Debug, Serialize, JsonSchema)]
struct Tree {
    correlation_id: String,
    items: Vec<Node>,
    /// Whether there is more than is shown.
    truncated: bool,
}

/// One entry of the trail and where it hangs.
#[derive(Debug, Serialize, JsonSchema)]
struct Node {
    tenant_seq: i64,
    event_id: Uuid,
    #[schemars(with = "String")]
    at: Timestamp,
    /// What happened.
    action: String,
    /// The command that it was asked by.
    command: Option<String>,
    /// Events of the same command have the same.
    request_id: Option<String>,
    actor_kind: Option<String>,
    actor_id: Option<String>,
    resource_type: String,
    resource_id: Option<String>,
    status: String,
    reason: Option<String>,
    /// The event that led to the command; nothing at a root.
    parent: Option<Uuid>,
    /// 0 at a root.
    depth: u32,
}

pub(super) fn tree() -> Endpoint {
    let route = Route::get("/audit-logs/correlation/{id}", Module::Audit, "audit_correlation")
        .summary("What followed from one request, each entry with the event that caused it")
        .needs(Permission::AuditTrailRead)
        .answers::<Tree>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let correlation_id = call.segment("id").to_owned();
        let mut statement = Statement::default();
        let id = statement.bind(Bind::Text(Some(correlation_id.clone())));
        statement.sql = format!(
            "select t.tenant_seq, t.event_id, t.at, t.action, t.command, t.request_id, t.actor_kind, \
             t.actor_id, t.resource_type, t.resource_id, t.status, t.reason, t.causation_id \
             from audit.trail t where t.correlation_id = ${id} order by t.tenant_seq limit {}",
            MOST + 1
        );
        let asked = call.ask(&["audit_trail"], &statement).await?;
        let truncated = asked.rows.len() > MOST;
        let items = asked.rows.iter().take(MOST).map(Found::from_row);
        let items = hung(items.collect::<Result<_, _>>()?);
        if items.is_empty() {
            return Err(Problem::absent("correlation"));
        }
        let filter = format!("correlation_id = \"{correlation_id}\"");
        call.app.reads.note(call.by(), TRAIL, &filter, items.len());
        Ok(stamped(&call, &asked, Tree { correlation_id, items, truncated }))
    })
}

/// An entry, and the event that its request says it follows from.
struct Found {
    node: Node,
    cause: Option<String>,
}

impl<'r> FromRow<'r, PgRow> for Found {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let node = Node {
            tenant_seq: row.try_get("tenant_seq")?,
            event_id: row.try_get("event_id")?,
            at: row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff(),
            action: row.try_get("action")?,
            command: row.try_get("command")?,
            request_id: row.try_get("request_id")?,
            actor_kind: row.try_get("actor_kind")?,
            actor_id: row.try_get("actor_id")?,
            resource_type: row.try_get("resource_type")?,
            resource_id: row.try_get("resource_id")?,
            status: row.try_get("status")?,
            reason: row.try_get("reason")?,
            parent: None,
            depth: 0,
        };
        Ok(Self { node, cause: row.try_get("causation_id")? })
    }
}

/// Each entry under what caused it, in the order of a walk: an entry, then all that followed from it. A cause that is not
/// among the entries, or that comes later, is none: what a client claims cannot make a circle.
fn hung(found: Vec<Found>) -> Vec<Node> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); found.len()];
    let (mut roots, mut nodes) = (Vec::new(), Vec::new());
    for (place, Found { mut node, cause }) in found.into_iter().enumerate() {
        match cause.and_then(|cause| places.get(&cause).copied()) {
            Some(parent) => {
                let above: &Option<Node> = &nodes[parent];
                node.parent = above.as_ref().map(|above| above.event_id);
                node.depth = above.as_ref().map_or(0, |above| above.depth + 1);
                children[parent].push(place);
            }
            None => roots.push(place),
        }
        places.insert(node.event_id.to_string(), place);
        nodes.push(Some(node));
    }
    let mut walked = Vec::with_capacity(nodes.len());
    let mut next: Vec<usize> = roots.into_iter().rev().collect();
    while let Some(place) = next.pop() {
        walked.extend(nodes[place].take());
        next.extend(children[place].iter().rev());
    }
    walked
}

#[cfg(test)]
mod tests {
    use ::events::testing::{at, id};

    use super::*;

    fn found(number: u128, cause: Option<u128>) -> Found {
        let node = Node {
            tenant_seq: i64::try_from(number).unwrap(),
            event_id: id(number),
            at: at("2026-01-01T12:00:00Z"),
            action: "exports.export.started".into(),
            command: None,
            request_id: None,
            actor_kind: None,
            actor_id: None,
            resource_type: "exports.export".into(),
            resource_id: None,
            status: "success".into(),
            reason: None,
            parent: None,
            depth: 0,
        };
        Found { node, cause: cause.map(|cause| id::<Uuid>(cause).to_string()) }
    }

    #[test]
    fn an_entry_stands_behind_and_below_what_caused_it() {
        let causes = [(1, None), (2, None), (3, Some(1)), (4, Some(2)), (5, Some(3)), (6, Some(1))];
        let nodes = hung(causes.map(|(number, cause)| found(number, cause)).into());
        let shown: Vec<_> = nodes.iter().map(|node| (node.tenant_seq, node.depth)).collect();
        assert_eq!(shown, [(1, 0), (3, 1), (5, 2), (6, 1), (2, 0), (4, 1)]);
        assert_eq!(nodes[2].parent, Some(id(3)));
    }

    #[test]
    fn a_cause_that_is_not_there_or_comes_later_makes_a_root_and_no_circle() {
        let causes = [(1, Some(2)), (2, Some(1)), (3, Some(3)), (4, Some(99))];
        let nodes = hung(causes.map(|(number, cause)| found(number, cause)).into());
        let shown: Vec<_> = nodes.iter().map(|node| (node.tenant_seq, node.depth)).collect();
        assert_eq!(shown, [(1, 0), (2, 1), (3, 0), (4, 0)]);
    }
}
