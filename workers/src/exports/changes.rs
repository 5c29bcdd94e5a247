//! Only what has changed since an earlier file: rows that came, rows that are others now, and rows that are gone, found by the
//! digests that each such file leaves beside it.
//!
//! The digests are a file of their own: first what was asked for, then a line for each row, with the first half of a SHA-256 over
//! its cells and the row's key. Those of the earlier file are held in memory, some 150 bytes a row.

use std::collections::HashMap;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use events::ExportId;
use events::exports::export::Export;
use futures::TryStreamExt as _;
use platform::dataset::Dataset;
use platform::transparency::manifest::Since;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio_util::io::StreamReader;

use super::order::{Order, Plan};
use super::refusal::Refusal;
use super::render::{Cell, Column, Kind, Row};
use crate::making::state;
use crate::runtime::{Job, Office, id_caused_by};

/// The column that says what became of a row.
const CHANGE: &str = "change";
/// Rows of the earlier file at most: their digests are held in memory.
const ROWS: usize = 1_000_000;
/// Rows that are gone are handed over so many at a time.
const CHUNK: usize = 250;

type Half = [u8; 16];

/// What an earlier file was asked for; another question has other rows.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Asked {
    dataset: String,
    columns: Vec<String>,
    filter: Option<String>,
}

impl Asked {
    fn of(order: &Order) -> Self {
        let (dataset, columns) = (order.dataset.clone(), order.columns.clone());
        Self { dataset, columns, filter: order.filter.clone() }
    }
}

/// The difference of two files on its way.
pub(super) struct Changes {
    /// The earlier file; none where this is the first.
    pub(super) since: Option<Since>,
    /// The rows of the earlier file that were not met yet, by their keys.
    before: HashMap<String, Half>,
    /// Where the key is among the cells.
    key: Vec<usize>,
    /// How many cells a row has.
    cells: usize,
    /// The digests of this file.
    digests: BufWriter<NamedTempFile>,
}

impl Changes {
    /// Reads what the earlier file left, where only changes are asked for.
    pub(super) async fn open(
        office: &Office,
        job: &Job,
        (order, plan): (&Order, &Plan),
    ) -> Result<Option<Self>, Refusal> {
        let Some(wish) = &order.options.changes else { return Ok(None) };
        let earlier = match wish.since {
            Some(export) => Some(export),
            None => last(office, job, order).await?,
        };
        let asked = Asked::of(order);
        let mut changes = Self::new(office.files.scratch(), &asked, plan.dataset)?;
        if let Some(export) = earlier {
            changes.read(office, job, (export, &asked), wish.since.is_some()).await?;
        }
        Ok(Some(changes))
    }

    fn new(scratch: &Path, asked: &Asked, dataset: &Dataset) -> anyhow::Result<Self> {
        let place = |key: &&str| asked.columns.iter().position(|column| column == key);
        let key: Option<Vec<usize>> = dataset.key.iter().map(place).collect();
        let key = key.context("the key of the dataset is not among the columns")?;
        let mut digests = BufWriter::new(NamedTempFile::new_in(scratch)?);
        writeln!(digests, "{}", serde_json::to_string(asked)?)?;
        let (since, before, cells) = (None, HashMap::new(), asked.columns.len());
        Ok(Self { since, before, key, cells, digests })
    }

    /// Reads the digests of an earlier file. One that was named has to be there; the last may be gone, and then everything is new.
    async fn read(
        &mut self,
        office: &Office,
        job: &Job,
        (export, asked): (ExportId, &Asked),
        is_named: bool,
    ) -> Result<(), Refusal> {
        let gone = || {
            let message = "the file that the changes are asked since is gone; ask for all rows, or since a later file";
            Refusal::For("since_gone", message.into())
        };
        let of_earlier = Job { subject_id: export.to_string(), ..job.clone() };
        let earlier = state::<Export>(office, &of_earlier).await?.state;
        let Some(file) = &earlier.file else {
            return if is_named { Err(gone()) } else { Ok(()) };
        };
        let place = digests_id(&of_earlier, earlier.job.attempts);
        let open = match office.files.get(job.tenant_id, place, None).await {
            Ok(open) => open,
            Err(platform::files::FileError::Absent) if is_named => return Err(gone()),
            Err(platform::files::FileError::Absent) => return Ok(()),
            Err(error) => return Err(Refusal::Trouble(error.into())),
        };
        let mut lines =
            BufReader::new(StreamReader::new(open.bytes.map_err(std::io::Error::other))).lines();
        let first = lines.next_line().await.context("the digests cannot be read")?;
        let before: Asked = serde_json::from_str(&first.unwrap_or_default())
            .context("the digests do not say of what they are")?;
        if before != *asked {
            let message = "the earlier file shows other columns or other rows; ask since one that shows the same";
            return Err(Refusal::For("since_differs", message.into()));
        }
        while let Some(line) = lines.next_line().await.context("the digests cannot be read")? {
            let (digest, key) = line.split_once(' ').context("a digest has no key")?;
            let mut half = Half::default();
            hex::decode_to_slice(digest, &mut half).context("a digest is none")?;
            self.before.insert(key.to_owned(), half);
            if self.before.len() > ROWS {
                let message = format!(
                    "the earlier file has more than {ROWS} rows; ask for fewer by a filter"
                );
                return Err(Refusal::For("too_many_rows", message));
            }
        }
        let (position, sha256) = (file.position, file.sha256.clone());
        self.since = Some(Since { export_id: export, position, sha256 });
        Ok(())
    }

    /// Of some rows those that the earlier file has not, or otherwise, each after what became of it.
    pub(super) fn of(
        &mut self,
        rows: impl Iterator<Item = anyhow::Result<Row>>,
    ) -> anyhow::Result<Vec<Row>> {
        let mut changed = Vec::new();
        for row in rows {
            let row = row?;
            let (key, digest) = (self.key(&row), digest(&row));
            writeln!(self.digests, "{} {key}", hex::encode(digest))?;
            let what = match self.before.remove(&key) {
                Some(before) if before == digest => continue,
                Some(_) => "changed",
                None => "added",
            };
            changed.push(named(what, row));
        }
        Ok(changed)
    }

    /// The rows that are gone, by their keys alone, and the digests of this file.
    pub(super) fn end(self) -> anyhow::Result<(Vec<Vec<Row>>, NamedTempFile)> {
        let mut keys: Vec<&String> = self.before.keys().collect();
        keys.sort();
        let rows =
            keys.iter().map(|key| self.tombstone(key)).collect::<anyhow::Result<Vec<_>>>()?;
        let chunks = rows.chunks(CHUNK).map(<[Row]>::to_vec).collect();
        let digests = self.digests.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok((chunks, digests))
    }

    /// The key as text: a JSON array of its values.
    fn key(&self, row: &Row) -> String {
        let value = |place: &usize| match row.get(*place) {
            Some(Cell::Text(text)) => json!(text),
            Some(Cell::Integer(number)) => json!(number),
            Some(
                Cell::Number(_)
                | Cell::Bool(_)
                | Cell::Timestamp(_)
                | Cell::Date(_)
                | Cell::List(_)
                | Cell::Json(_)
                | Cell::Empty,
            )
            | None => Value::Null,
        };
        self.key.iter().map(value).collect::<Value>().to_string()
    }

    fn tombstone(&self, key: &str) -> anyhow::Result<Row> {
        let values: Vec<Value> = serde_json::from_str(key).context("a key is none")?;
        let mut row = vec![Cell::Empty; self.cells];
        for (place, value) in self.key.iter().zip(values) {
            row[*place] = match value {
                Value::String(text) => Cell::Text(text),
                Value::Number(number) => Cell::Integer(number.as_i64().unwrap_or_default()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Cell::Empty,
            };
        }
        Ok(named("removed", row))
    }
}

/// The column that comes before those that were asked for.
pub(super) fn column() -> Column {
    Column { key: CHANGE.into(), label: CHANGE.into(), kind: Kind::Text }
}

fn named(what: &str, row: Row) -> Row {
    std::iter::once(Cell::Text(what.into())).chain(row).collect()
}

/// Where the digests of an attempt's file are.
pub(super) fn digests_id(job: &Job, attempt: u32) -> events::FileId {
    events::FileId(id_caused_by("exports_digests", &job.subject_id, &attempt.to_string()))
}

/// The first half of a SHA-256 over what cells hold, each after a letter for its kind and its length.
fn digest(row: &Row) -> Half {
    let mut hasher = Sha256::new();
    let mut put = |kind: u8, text: &str| {
        hasher.update([kind]);
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    };
    for cell in row {
        match cell {
            Cell::Text(text) => put(b't', text),
            Cell::Number(digits) => put(b'n', digits),
            Cell::Integer(number) => put(b'i', &number.to_string()),
            Cell::Bool(is) => put(b'b', if *is { "1" } else { "0" }),
            Cell::Timestamp(at) => put(b'm', &at.to_string()),
            Cell::Date(date) => put(b'd', &date.to_string()),
            Cell::List(items) => {
                put(b'l', &items.len().to_string());
                for item in items {
                    put(b't', item);
                }
            }
            Cell::Json(text) => put(b'j', text),
            Cell::Empty => put(b'e', ""),
        }
    }
    let mut half = Half::default();
    half.copy_from_slice(&hasher.finalize()[..16]);
    half
}

/// The last file of the same requester that shows the same and left its digests.
async fn last(office: &Office, job: &Job, order: &Order) -> Result<Option<ExportId>, sqlx::Error> {
    let mut transaction = platform::db::begin_for(&office.pool, job.tenant_id).await?;
    let found: Option<uuid::Uuid> = sqlx::query_scalar(
        "select export_id from read.exports_exports
          where tenant_id = $1 and requested_by = $2 and dataset = $3 and columns = $4 and filter is not distinct from $5
            and incremental and status = 'succeeded' and export_id <> $6::uuid
          order by as_of_position desc, ended_at desc limit 1",
    )
    .bind(job.tenant_id.0)
    .bind(order.requested_by.0)
    .bind(&order.dataset)
    .bind(json!(order.columns))
    .bind(&order.filter)
    .bind(&job.subject_id)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(found.map(ExportId))
}

#[cfg(test)]
mod tests {
    use platform::dataset;

    use super::*;

    fn changes(before: &[(&str, i64)]) -> Changes {
        let folder = std::env::temp_dir();
        let asked = Asked {
            dataset: "rbac.roles".into(),
            columns: vec!["level".into(), "role_id".into()],
            filter: None,
        };
        let dataset = dataset::find("rbac.roles").unwrap();
        let mut first = Changes::new(&folder, &asked, dataset).unwrap();
        let rows = before.iter().map(|(id, level)| Ok(row(id, *level)));
        first.of(rows).unwrap();
        let (gone, digests) = first.end().unwrap();
        assert_eq!(gone, Vec::<Vec<Row>>::new());
        let mut second = Changes::new(&folder, &asked, dataset).unwrap();
        for line in std::fs::read_to_string(digests.path()).unwrap().lines().skip(1) {
            let (digest, key) = line.split_once(' ').unwrap();
            let mut half = Half::default();
            hex::decode_to_slice(digest, &mut half).unwrap();
            second.before.insert(key.into(), half);
        }
        second
    }

    fn row(id: &str, level: i64) -> Row {
        vec![Cell::Integer(level), Cell::Text(id.into())]
    }

    fn text(rows: &[Row]) -> Vec<String> {
        let cell = |cell: &Cell| format!("{cell:?}");
        rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn what_came_what_is_otherwise_and_what_is_gone_is_told_and_nothing_else() {
        let mut changes = changes(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        let now = vec![row("d", 4), row("b", 7), row("e", 5)];
        let told = changes.of(now.into_iter().map(Ok)).unwrap();
        assert_eq!(
            text(&told),
            [r#"Text("changed") Integer(7) Text("b")"#, r#"Text("added") Integer(5) Text("e")"#]
        );
        let (gone, digests) = changes.end().unwrap();
        assert_eq!(
            text(&gone.concat()),
            [r#"Text("removed") Empty Text("a")"#, r#"Text("removed") Empty Text("c")"#]
        );
        let left = std::fs::read_to_string(digests.path()).unwrap();
        assert_eq!(left.lines().count(), 4, "{left}");
        assert!(left.starts_with(r#"{"dataset":"rbac.roles""#), "{left}");
    }

    #[test]
    fn cells_that_only_look_alike_have_other_digests() {
        let all = [
            vec![Cell::Text("1".into())],
            vec![Cell::Integer(1)],
            vec![Cell::Bool(true)],
            vec![Cell::Empty],
            vec![Cell::List(vec!["1".into()])],
            vec![Cell::Text("1".into()), Cell::Empty],
            vec![Cell::Text("a".into()), Cell::Text("b".into())],
            vec![Cell::Text("ab".into()), Cell::Text(String::new())],
        ];
        let digests: std::collections::BTreeSet<Half> = all.iter().map(digest).collect();
        assert_eq!(digests.len(), all.len());
    }

    /// Tombstones name what is gone by its key alone.
    #[test]
    fn every_key_of_a_dataset_can_stand_in_a_tombstone() {
        use platform::dataset::Kind::{Id, Integer, Text};
        for dataset in events::Module::ALL.iter().flat_map(|module| dataset::datasets(*module)) {
            for key in dataset.key {
                let kind = dataset.column(key).map(|column| column.kind);
                assert!(matches!(kind, Some(Id | Text | Integer)), "{}: {key}", dataset.name);
            }
        }
    }
}
