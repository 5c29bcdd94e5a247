//! Proofs about the organisation's Merkle tree, from a few stored tiles each, and its leaves.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use ::events::{Module, Permission};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use platform::dataset::{Bind, Statement};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use platform::transparency::Hash;
use platform::transparency::proof::{consistency_path, inclusion_path};
use platform::transparency::tree::{Missing, TILE_WIDTH, TileId, Tiles};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;
use uuid::Uuid;

use super::checkpoints::origin;
use crate::answer::plain;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::shape::query;

const INCLUSION: &[Parameter] = &[
    query("tenant_seq", "the event's number within the organisation"),
    query("event_id", "the event's id, instead of its number"),
    query("size", "in the tree of so many events; the latest checkpoint's unless told"),
];
const SIZE: &[Parameter] =
    &[query("size", "in the tree of so many events; the latest checkpoint's unless told")];
const CONSISTENCY: &[Parameter] = &[
    query("from", "the earlier tree's size, 1 or greater"),
    query("to", "the later tree's size; the latest checkpoint's unless told"),
];
const LEAVES: &[Parameter] = &[
    query("from", "after so many leaves; 0 unless told"),
    query("to", "up to so many leaves; the latest checkpoint's unless told"),
];
/// Leaves of one answer: 256 tiles, 2 MiB.
const LEAVES_MOST: u64 = 65_536;

/// That the tree of `size` events has an event.
#[derive(Debug, Serialize, JsonSchema)]
struct Inclusion {
    /// The log, as its checkpoints name it.
    origin: String,
    size: u64,
    tenant_seq: u64,
    /// Its place in the tree, from 0.
    leaf_index: u64,
    /// SHA-256 (RFC 6962), in base64.
    leaf_hash: String,
    /// From the leaf's sibling upwards (RFC 9162, 2.1.3), in base64.
    proof: Vec<String>,
}

/// That the tree of `to` events begins with that of `from`.
#[derive(Debug, Serialize, JsonSchema)]
struct Consistency {
    /// The log, as its checkpoints name it.
    origin: String,
    from: u64,
    to: u64,
    /// As in RFC 9162, 2.1.4; in base64.
    proof: Vec<String>,
}

/// The tree as far as it is signed.
pub(super) struct Tree {
    pub(super) size: u64,
    epoch: i32,
}

impl Tree {
    pub(super) async fn latest(call: &Call) -> Result<Self, Problem> {
        let statement = Statement {
            sql: "select c.size from audit.checkpoints c \
                  where c.epoch = (select epoch from log.head) order by c.size desc limit 1"
                .into(),
            ..Statement::default()
        };
        let asked = call.ask(&[], &statement).await?;
        let row = asked.rows.first().ok_or_else(|| Problem::absent("checkpoint"))?;
        Ok(Self { size: row.try_get::<i64, _>("size")?.cast_unsigned(), epoch: asked.place.epoch })
    }

    /// A size that was asked for, the latest when none was.
    fn size(&self, call: &Call, name: &str) -> Result<u64, Problem> {
        let size = call.number(name)?.map_or(self.size, i64::cast_unsigned);
        if size <= self.size {
            return Ok(size);
        }
        let detail = format!("{name} is at most {}: so many events are signed", self.size);
        Err(Problem::parameter(name, detail))
    }

    async fn tiles(&self, call: &Call, needed: &BTreeSet<TileId>) -> Result<Tiles, Problem> {
        let mut tiles = Tiles::default();
        if needed.is_empty() {
            return Ok(tiles);
        }
        let mut statement = Statement::default();
        let epoch = statement.bind(Bind::Integer(self.epoch.into()));
        let mut list = String::new();
        for id in needed {
            // They are numbers of ours.
            let separator = if list.is_empty() { "" } else { ", " };
            let _never = write!(list, "{separator}({}, {})", id.level, id.tile);
        }
        statement.sql = format!(
            "select t.level, t.tile, t.hashes from audit.tree_tiles t \
             where t.epoch = ${epoch} and (t.level, t.tile) in ({list})"
        );
        for row in call.ask(&[], &statement).await?.rows {
            let (level, tile): (i16, i64) = (row.try_get("level")?, row.try_get("tile")?);
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            tiles.insert(TileId { level, tile: tile.cast_unsigned() }, row.try_get("hashes")?);
        }
        Ok(tiles)
    }

    pub(super) async fn hashes(
        &self,
        call: &Call,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Hash>, Problem> {
        let tiles = self.tiles(call, &Tiles::needed(ranges)).await?;
        let hashes: Result<_, Missing> = ranges.iter().map(|range| tiles.range(range)).collect();
        hashes.map_err(|missing| Problem::internal(&missing))
    }
}

pub(super) fn inclusion() -> Endpoint {
    let route = Route::get("/audit/proofs/inclusion", Module::Audit, "audit_proofs_inclusion")
        .summary("Proves that an event is in a signed tree (RFC 6962)")
        .needs(Permission::AuditTrailRead)
        .answers::<Inclusion>(200)
        .parameters(INCLUSION);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["tenant_seq", "event_id", "size"])?;
        included(&call, number(&call).await?).await
    })
}

/// The same for who has an entry of the trail before them.
pub(super) fn of_entry() -> Endpoint {
    let route = Route::get("/audit-logs/{position}/proof", Module::Audit, "audit_trail_proof")
        .summary("Proves that the event behind an entry of the trail is in a signed tree")
        .needs(Permission::AuditTrailRead)
        .answers::<Inclusion>(200)
        .parameters(SIZE);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["size"])?;
        let position = call.segment("position").parse();
        let position: i64 = position.map_err(|_| Problem::absent("event"))?;
        let mut statement = Statement::default();
        let position = statement.bind(Bind::Integer(position));
        statement.sql =
            format!("select e.tenant_seq from log.events e where e.position = ${position}");
        let asked = call.ask(&[], &statement).await?;
        let row = asked.rows.first().ok_or_else(|| Problem::absent("event"))?;
        included(&call, row.try_get::<i64, _>("tenant_seq")?.cast_unsigned()).await
    })
}

async fn included(call: &Call, seq: u64) -> Result<Response, Problem> {
    let tree = Tree::latest(call).await?;
    let size = tree.size(call, "size")?;
    let index = seq.checked_sub(1).filter(|index| *index < size).ok_or_else(|| {
        let detail = format!("the tree has the events 1 to {size}; a later one may have it");
        Problem::parameter("tenant_seq", detail)
    })?;
    let mut ranges = vec![Range { start: index, end: index + 1 }];
    ranges.extend(inclusion_path(index, size));
    let hashes = tree.hashes(call, &ranges).await?;
    let (leaf, proof) = hashes.split_first().ok_or_else(|| Problem::absent("event"))?;
    Ok(plain(&Inclusion {
        origin: origin(call, tree.epoch).to_string(),
        size,
        tenant_seq: seq,
        leaf_index: index,
        leaf_hash: STANDARD.encode(leaf),
        proof: encoded(proof),
    }))
}

/// The number of the event asked for. Its id tells to the millisecond when it was made, shortly before it was recorded.
async fn number(call: &Call) -> Result<u64, Problem> {
    let by_id = call.parameter("event_id").map(str::parse::<Uuid>);
    let (id, seq) =
        (by_id.transpose().map_err(|_| Problem::absent("event"))?, call.number("tenant_seq")?);
    let id = match (id, seq) {
        (None, Some(seq)) => return Ok(seq.cast_unsigned()),
        (Some(id), None) => id,
        (Some(_), Some(_)) | (None, None) => {
            let detail = "send either tenant_seq or event_id";
            return Err(Problem::parameter("tenant_seq", detail));
        }
    };
    let made = id.get_timestamp().ok_or_else(|| Problem::absent("event"))?.to_unix().0;
    let mut statement = Statement::default();
    let made = statement.bind(Bind::Integer(i64::try_from(made).unwrap_or_default()));
    let id = statement.bind(Bind::Id(id));
    statement.sql = format!(
        "select a.tenant_seq from audit.trail a where a.event_id = ${id} \
         and a.at between to_timestamp(${made}) - interval '1 minute' \
         and to_timestamp(${made}) + interval '10 minutes' order by a.at, a.tenant_seq limit 1"
    );
    let asked = call.ask(&["audit_trail"], &statement).await?;
    let row = asked.rows.first().ok_or_else(|| Problem::absent("event"))?;
    Ok(row.try_get::<i64, _>("tenant_seq")?.cast_unsigned())
}

fn encoded(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
}

pub(super) fn consistency() -> Endpoint {
    let route = Route::get("/audit/proofs/consistency", Module::Audit, "audit_proofs_consistency")
        .summary("Proves that a signed tree begins with an earlier one (RFC 6962)")
        .needs(Permission::AuditTrailRead)
        .answers::<Consistency>(200)
        .parameters(CONSISTENCY);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["from", "to"])?;
        let tree = Tree::latest(&call).await?;
        let (from, to) = (tree.size(&call, "from")?, tree.size(&call, "to")?);
        if from == 0 || from > to {
            let detail = "from is 1 or greater, and at most to";
            return Err(Problem::parameter("from", detail));
        }
        let proof = tree.hashes(&call, &consistency_path(from, to)).await?;
        let origin = origin(&call, tree.epoch).to_string();
        Ok(plain(&Consistency { origin, from, to, proof: encoded(&proof) }))
    })
}

pub(super) fn leaves() -> Endpoint {
    let route = Route::get("/audit/leaves", Module::Audit, "audit_leaves")
        .summary(
            "The leaves of the signed tree, 32 bytes each and at most 65536 of them; with a checkpoint kept elsewhere they name the first altered event",
        )
        .needs(Permission::AuditTrailRead)
        .answers::<String>(200)
        .media_type("application/octet-stream")
        .parameters(LEAVES);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["from", "to"])?;
        let tree = Tree::latest(&call).await?;
        let to = tree.size(&call, "to")?;
        let from = call.number("from")?.unwrap_or_default().cast_unsigned();
        let to = to.min(from.saturating_add(LEAVES_MOST));
        let width = TILE_WIDTH as u64;
        let wanted = (from / width..to.div_ceil(width)).map(|tile| TileId { level: 0, tile });
        let tiles = tree.tiles(&call, &wanted.collect()).await?;
        let leaves = (from..to).map(|leaf| tiles.range(&(leaf..leaf + 1)));
        let leaves: Result<Vec<Hash>, Missing> = leaves.collect();
        let leaves = leaves.map_err(|missing| Problem::internal(&missing))?;
        let kind = (header::CONTENT_TYPE, "application/octet-stream");
        let response: Response = ([kind], leaves.into_flattened()).into_response();
        Ok(response)
    })
}
