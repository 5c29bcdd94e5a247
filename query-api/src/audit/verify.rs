//! What the chain and the notary say of a part of the log: each event recomputed, and compared with what was signed.

use ::events::envelope::Recorded;
use ::events::{Module, Permission};
use platform::chain;
use platform::dataset::{Bind, Statement};
use platform::log::{COLUMNS, recorded};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use platform::transparency::{Hash, leaf};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;
use uuid::Uuid;

use super::checkpoints::{Notary, notary, origin};
use super::proofs;
use crate::answer::stamped;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::shape::query;

const RANGE: &[Parameter] = &[
    query("from", "the first position; 1 unless told"),
    query("to", "the last position; the head of the log unless told"),
];
const CHUNK_EVENTS: i64 = 4_096;
/// Events of one answer; `next` says where to go on.
const MOST_EVENTS: u64 = 100_000;

/// What was found in a range.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Verification {
    /// The log, as its checkpoints name it.
    origin: String,
    /// How many events of the organisation were recomputed.
    events: u64,
    /// The first of them, by its number within the organisation.
    first_seq: Option<i64>,
    /// The last of them.
    last_seq: Option<i64>,
    /// Whether each follows from the one before, and is what was signed.
    intact: bool,
    /// The first event that is not as it was recorded.
    fault: Option<Fault>,
    /// How many of the events were compared with what the notary signed.
    signed: u64,
    /// Of how many events the latest checkpoint is; nothing before the first.
    checkpoint: Option<u64>,
    /// Whether the notary goes on signing.
    notary: Option<Notary>,
    /// `from` of the next range; nothing at the end.
    next: Option<i64>,
}

/// An event that is not as it was recorded.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Fault {
    tenant_seq: i64,
    event_id: Uuid,
    /// `missing_before`, `chain`, or `signature`: not the leaf that was signed.
    kind: &'static str,
}

pub(super) fn range() -> Endpoint {
    let route = Route::get("/audit-logs/verify", Module::Audit, "audit_verify")
        .summary("What the chain and the notary say of a range of the log, at most 100,000 events")
        .needs(Permission::AuditTrailRead)
        .answers::<Verification>(200)
        .parameters(RANGE);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["from", "to"])?;
        let from = call.number("from")?.unwrap_or(1).max(1);
        let asked = call.head().await?;
        let to = call.number("to")?.unwrap_or(i64::MAX).min(asked.place.head);
        let tree = match proofs::Tree::latest(&call).await {
            Ok(tree) => Some(tree),
            Err(problem) if problem.status == 404 => None,
            Err(problem) => return Err(problem),
        };
        let mut found = Verification {
            origin: origin(&call, asked.place.epoch).to_string(),
            checkpoint: tree.as_ref().map(|tree| tree.size),
            notary: notary(&call).await?,
            ..Verification::default()
        };
        let mut before = before(&call, from).await?;
        let mut after = from - 1;
        while after < to && found.fault.is_none() && found.events < MOST_EVENTS {
            let Some(chunk) = chunk(&call, after, to).await? else {
                after = to;
                break;
            };
            let leaves = signed(&call, tree.as_ref(), &chunk).await?;
            after = chunk.last().map_or(to, |event| event.position);
            found.check(&mut before, &chunk, &leaves);
        }
        found.intact = found.fault.is_none();
        found.next = (after < to).then_some(after + 1);
        Ok(stamped(&call, &asked, found))
    })
}

/// What the first event of a range has to follow: the number and the chain of the one before it.
struct Before {
    tenant_seq: i64,
    chain: Vec<u8>,
}

async fn before(call: &Call, from: i64) -> Result<Before, Problem> {
    let mut statement = Statement::default();
    let from = statement.bind(Bind::Integer(from));
    statement.sql = format!(
        "select e.tenant_seq, e.chain from log.events e where e.position < ${from} \
         order by e.position desc limit 1"
    );
    let asked = call.ask(&[], &statement).await?;
    let Some(row) = asked.rows.first() else {
        return Ok(Before { tenant_seq: 0, chain: Vec::new() });
    };
    Ok(Before { tenant_seq: row.try_get("tenant_seq")?, chain: row.try_get("chain")? })
}

async fn chunk(call: &Call, after: i64, to: i64) -> Result<Option<Vec<Recorded>>, Problem> {
    let mut statement = Statement::default();
    let after = statement.bind(Bind::Integer(after));
    let to = statement.bind(Bind::Integer(to));
    statement.sql = format!(
        "select {COLUMNS} from log.events e where e.position > ${after} and e.position <= ${to} \
         order by e.position limit {CHUNK_EVENTS}"
    );
    let asked = call.ask(&[], &statement).await?;
    let events = asked.rows.iter().map(recorded).collect::<Result<Vec<_>, _>>()?;
    Ok((!events.is_empty()).then_some(events))
}

/// The leaves that were signed for the events, as far as they were.
async fn signed(
    call: &Call,
    tree: Option<&proofs::Tree>,
    events: &[Recorded],
) -> Result<Vec<Hash>, Problem> {
    let (Some(tree), Some(first), Some(last)) = (tree, events.first(), events.last()) else {
        return Ok(Vec::new());
    };
    let start = (first.tenant_seq - 1).max(0).cast_unsigned();
    let end = last.tenant_seq.cast_unsigned().min(tree.size);
    if start >= end || end - start > events.len() as u64 {
        return Ok(Vec::new()); // numbers are missing, which the chain tells
    }
    let leaves: Vec<_> = (start..end).map(|leaf| leaf..leaf + 1).collect();
    tree.hashes(call, &leaves).await
}

impl Verification {
    /// Recomputes events that follow on `before`; the first fault ends it.
    fn check(&mut self, before: &mut Before, events: &[Recorded], leaves: &[Hash]) {
        for (place, event) in events.iter().enumerate() {
            let covered = chain::covered(event);
            let kind = if event.tenant_seq != before.tenant_seq + 1 {
                Some("missing_before")
            } else if chain::extend(&before.chain, &covered)[..] != event.chain[..] {
                Some("chain")
            } else {
                let signed = leaves.get(place);
                self.signed += u64::from(signed.is_some());
                let ours = leaf(event.position, &covered, &event.chain);
                signed.is_some_and(|signed| *signed != ours).then_some("signature")
            };
            self.events += 1;
            self.first_seq.get_or_insert(event.tenant_seq);
            self.last_seq = Some(event.tenant_seq);
            if let Some(kind) = kind {
                let (tenant_seq, event_id) = (event.tenant_seq, event.event_id);
                self.fault = Some(Fault { tenant_seq, event_id, kind });
                return;
            }
            *before = Before { tenant_seq: event.tenant_seq, chain: event.chain.clone() };
        }
    }
}
