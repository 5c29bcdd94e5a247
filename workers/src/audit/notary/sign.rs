//! One checkpoint of one organisation: what was signed before is what is there, every link since then holds, and then it is signed.

use events::envelope::Recorded;
use platform::chain;
use platform::log::{COLUMNS, recorded};
use platform::transparency::checkpoint::{Checkpoint, Origin};
use platform::transparency::proof::{includes, inclusion_path};
use platform::transparency::tree::{Edge, Tile, TileId, Tiles, edge_tiles};
use platform::transparency::{self, Hash};
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, FromRow, PgConnection, Row as _};
use uuid::Uuid;

use super::EVENTS_MOST;
use super::seal::Seal;

/// Events read at once.
const CHUNK_EVENTS: i64 = 1_000;

/// Why an organisation's log is not signed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Refusal {
    /// The first event that is not as it was recorded, where that can be told.
    pub(super) tenant_seq: Option<i64>,
    /// Its id, if it is there.
    pub(super) event_id: Option<Uuid>,
    /// What is wrong.
    pub(super) reason: String,
}

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// There must be none.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There will be one.
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
}

/// Somewhere in what was signed, but not at a place that can be told from here.
fn refused_somewhere<T: Into<String>>(reason: T) -> Trouble {
    Trouble::Refused(Refusal { tenant_seq: None, event_id: None, reason: reason.into() })
}

fn refused(tenant_seq: i64, reason: impl Into<String>) -> Trouble {
    let refusal = Refusal { tenant_seq: Some(tenant_seq), event_id: None, reason: reason.into() };
    Trouble::Refused(refusal)
}

fn refused_event(event: &Recorded, tenant_seq: i64, reason: impl Into<String>) -> Trouble {
    let (tenant_seq, event_id) = (Some(tenant_seq), Some(event.event_id));
    Trouble::Refused(Refusal { tenant_seq, event_id, reason: reason.into() })
}

/// The tree and the chain as they are signed, and as they grow.
struct Signed {
    size: i64,
    position: i64,
    chain: Vec<u8>,
    edge: Edge,
    full: Vec<Tile>,
}

/// What was signed last.
#[derive(FromRow)]
struct Last {
    size: i64,
    position: i64,
    note: String,
}

/// Where the log says that it ends.
#[derive(FromRow, Default)]
struct Head {
    tenant_seq: i64,
    chain: Vec<u8>,
}

/// Signs a checkpoint of at most [`EVENTS_MOST`] further events; how many it covers. All that is read stands in one snapshot.
pub(super) async fn sign(
    connection: &mut PgConnection,
    seal: &Seal,
    origin: &Origin,
) -> Result<i64, Trouble> {
    let mut transaction = connection.begin().await?;
    sqlx::query("set transaction isolation level repeatable read")
        .execute(&mut *transaction)
        .await?;
    let mut signed = signed(&mut transaction, seal, origin).await?;
    let head: Option<Head> =
        sqlx::query_as("select tenant_seq, chain from log.tenants where tenant_id = $1")
            .bind(origin.tenant.0)
            .fetch_optional(&mut *transaction)
            .await?;
    let head = head.unwrap_or_default();
    if head.tenant_seq < signed.size {
        let (end, size) = (head.tenant_seq, signed.size);
        let what = format!("the log ends with event {end}, but {size} events were signed");
        return Err(refused(end + 1, what));
    }
    let until = head.tenant_seq.min(signed.size + EVENTS_MOST);
    signed.extend(&mut transaction, origin, until).await?;
    if signed.size == head.tenant_seq && signed.chain != head.chain {
        return Err(refused_somewhere("the head of the chain is not that of the last event"));
    }
    keep(&mut transaction, seal, origin, &signed).await?;
    transaction.commit().await?;
    Ok(signed.size)
}

/// The log as it was signed last: the note is ours, the tree kept has its root, and the last event is the one that it covers.
async fn signed(
    connection: &mut PgConnection,
    seal: &Seal,
    origin: &Origin,
) -> Result<Signed, Trouble> {
    let last: Option<Last> = sqlx::query_as(LAST)
        .bind(origin.tenant.0)
        .bind(origin.epoch)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(last) = last else {
        let (chain, edge) = (Vec::new(), Edge::default());
        return Ok(Signed { size: 0, position: 0, chain, edge, full: Vec::new() });
    };
    let wrong = refused_somewhere::<String>;
    let text = seal.open(&last.note, origin).map_err(|error| wrong(error.to_string()))?;
    let checkpoint: Checkpoint =
        text.parse().map_err(|error| wrong(format!("the last checkpoint: {error}")))?;
    let size = checkpoint.size;
    if checkpoint.origin != *origin || i64::try_from(size) != Ok(last.size) {
        return Err(wrong("the last checkpoint is that of another log or size".into()));
    }
    let path = inclusion_path(size.saturating_sub(1), size);
    let needed = edge_tiles(size).into_iter().chain(Tiles::needed(&path));
    let tiles = stored(connection, origin, needed).await?;
    let edge = Edge::resume(size, &tiles).map_err(|missing| wrong(missing.to_string()))?;
    if edge.root() != checkpoint.root {
        return Err(wrong("the stored tree does not have the root that was signed".into()));
    }
    let proof: Result<Vec<Hash>, _> = path.iter().map(|range| tiles.range(range)).collect();
    let proof = proof.map_err(|missing| wrong(missing.to_string()))?;
    let sql =
        format!("select {COLUMNS} from log.events e where e.tenant_id = $1 and e.position = $2");
    let row = sqlx::query(&sql)
        .bind(origin.tenant.0)
        .bind(last.position)
        .fetch_optional(&mut *connection)
        .await?;
    let event = recorded(&row.ok_or_else(|| refused_somewhere("the last event signed is gone"))?)?;
    let leaf = transparency::leaf(event.position, &chain::covered(&event), &event.chain);
    if !includes(&leaf, size.saturating_sub(1), size, &proof, &checkpoint.root) {
        let what = format!(
            "event {}, the last one signed, is another, or the history up to it was rewritten after it was \
             signed; `annals verify` with an auditor's leaves names the first",
            last.size
        );
        return Err(refused_somewhere(what));
    }
    let Last { size, position, .. } = last;
    Ok(Signed { size, position, chain: event.chain, edge, full: Vec::new() })
}

impl Signed {
    /// Takes in the events up to the number `until`, each of which must follow from the one before it.
    async fn extend(
        &mut self,
        connection: &mut PgConnection,
        origin: &Origin,
        until: i64,
    ) -> Result<(), Trouble> {
        let sql = format!(
            "select {COLUMNS} from log.events e where e.tenant_id = $1 and e.position > $2 \
             order by e.position limit $3"
        );
        while self.size < until {
            let rows: Vec<PgRow> = sqlx::query(&sql)
                .bind(origin.tenant.0)
                .bind(self.position)
                .bind(CHUNK_EVENTS.min(until - self.size))
                .fetch_all(&mut *connection)
                .await?;
            if rows.is_empty() {
                return Err(refused(self.size + 1, format!("event {} is missing", self.size + 1)));
            }
            for row in &rows {
                self.take(&recorded(row)?)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &Recorded) -> Result<(), Trouble> {
        let expected = self.size + 1;
        if event.tenant_seq > expected {
            return Err(refused(expected, format!("event {expected} is missing")));
        }
        if event.tenant_seq < expected {
            let what = format!("it stands where event {expected} should, or was inserted");
            return Err(refused_event(event, expected, what));
        }
        let covered = chain::covered(event);
        if chain::extend(&self.chain, &covered)[..] != event.chain {
            let what = "it was altered: it does not fit the chain";
            return Err(refused_event(event, expected, what));
        }
        let leaf = transparency::leaf(event.position, &covered, &event.chain);
        self.full.extend(self.edge.push(leaf));
        self.chain.clone_from(&event.chain);
        (self.size, self.position) = (expected, event.position);
        Ok(())
    }
}

/// Stores the tree as it has grown, and the checkpoint.
async fn keep(
    connection: &mut PgConnection,
    seal: &Seal,
    origin: &Origin,
    signed: &Signed,
) -> Result<(), Trouble> {
    let root = signed.edge.root();
    let checkpoint = Checkpoint { origin: origin.clone(), size: signed.edge.size(), root };
    let note = seal.sign(&checkpoint).map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
    let tiles: Vec<Tile> = signed.full.iter().cloned().chain(signed.edge.unfinished()).collect();
    sqlx::query(KEEP_TILES)
        .bind(origin.tenant.0)
        .bind(origin.epoch)
        .bind(tiles.iter().map(|tile| i16::from(tile.id.level)).collect::<Vec<_>>())
        .bind(tiles.iter().map(|tile| tile.id.tile.cast_signed()).collect::<Vec<_>>())
        .bind(tiles.iter().map(|tile| tile.hashes.as_flattened()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    sqlx::query(KEEP_CHECKPOINT)
        .bind(origin.tenant.0)
        .bind(origin.epoch)
        .bind(signed.size)
        .bind(signed.position)
        .bind(root)
        .bind(note)
        .execute(&mut *connection)
        .await?;
    sqlx::query(KEEP_STATE)
        .bind(origin.tenant.0)
        .bind(origin.epoch)
        .bind(signed.size)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Reads tiles of the tree; those that are not there are missed where they are needed.
async fn stored(
    connection: &mut PgConnection,
    origin: &Origin,
    needed: impl Iterator<Item = TileId>,
) -> Result<Tiles, sqlx::Error> {
    let (levels, places): (Vec<i16>, Vec<i64>) =
        needed.map(|id| (i16::from(id.level), id.tile.cast_signed())).unzip();
    let rows = sqlx::query(TILES)
        .bind(origin.tenant.0)
        .bind(origin.epoch)
        .bind(levels)
        .bind(places)
        .fetch_all(connection)
        .await?;
    let mut tiles = Tiles::default();
    for row in rows {
        let (level, tile): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
        if let Ok(level) = u8::try_from(level) {
            tiles.insert(TileId { level, tile: tile.cast_unsigned() }, row.try_get(2)?);
        }
    }
    Ok(tiles)
}

const LAST: &str = "
    select size, position, note from audit.checkpoints
     where tenant_id = $1 and epoch = $2 order by size desc limit 1";

const TILES: &str = "
    select t.level, t.tile, t.hashes
      from audit.tree_tiles t join unnest($3::smallint[], $4::bigint[]) n (level, tile) using (level, tile)
     where t.tenant_id = $1 and t.epoch = $2";

const KEEP_TILES: &str = "
    insert into audit.tree_tiles (tenant_id, epoch, level, tile, hashes)
    select $1, $2, n.level, n.tile, n.hashes
      from unnest($3::smallint[], $4::bigint[], $5::bytea[]) n (level, tile, hashes)
    on conflict (tenant_id, epoch, level, tile) do update set hashes = excluded.hashes";

const KEEP_CHECKPOINT: &str = "
    insert into audit.checkpoints (tenant_id, epoch, size, position, root, note) values ($1, $2, $3, $4, $5, $6)";

const KEEP_STATE: &str = "
    insert into audit.notary_states as old (tenant_id, epoch, size, state) values ($1, $2, $3, 'signing')
    on conflict (tenant_id, epoch) do update
       set size = excluded.size, state = excluded.state, reason = null, tenant_seq = null, event_id = null,
           since = case old.state when 'signing' then old.since else excluded.since end, tried_at = excluded.tried_at";
