//! What a read model is: a table, and a pure fold of events into its rows; the same for live, rebuild and proof.

use std::any::Any;
use std::sync::OnceLock;

use events::envelope::Recorded;
use events::{Decider, TenantId};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A read model whose rows fall into groups: each event touches one group, and is folded knowing the rows of that group.
pub trait ReadModel: Send + Sync + 'static {
    /// Where the rows are, and from what they are folded.
    const TABLE: Table;
    /// Raised when the fold or the table changes; the rows are then built anew.
    const BUILD: i32;
    /// Whether the fold looks at the metadata, which a rebuild otherwise does not read.
    const READS_METADATA: bool = false;
    /// Whether rows hold what is personal open, because people sort and filter by it. Then an event blanks the rows of who
    /// is erased; all other rows hold it sealed, as events do.
    const OPENS: bool = false;
    /// Whether its rows say again what those of other read models say; the audit trail leaves them out then.
    const ECHOES: bool = false;
    /// A row: its fields are the table's columns, in their order and by their names.
    type Row: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync;

    /// The group of rows that an event touches, as text; nothing when it touches none.
    fn group(fact: &Fact) -> Result<Option<String>, FoldError>;

    /// Folds an event into its group. After an error the rows are as they were.
    fn fold(rows: &mut Rows<Self::Row>, fact: &Fact) -> Result<(), FoldError>;
}

/// A read model's table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The projection's name: `<module>_<plural>`.
    pub name: &'static str,
    /// `read` or `audit`.
    pub schema: &'static str,
    /// The table's name in its schema.
    pub table: &'static str,
    /// The columns that tell rows apart; the first is `tenant_id`.
    pub key: &'static [&'static str],
    /// The column that holds the group.
    pub group: &'static str,
    /// What a row is about, for the audit trail: `<module>.<noun>`, and the column with its id.
    pub resource: (&'static str, &'static str),
    /// All columns.
    pub columns: &'static [Column],
    /// The stream names whose events are folded; empty: all.
    pub reads: &'static [&'static str],
}

/// A column and its type in Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub sql: Sql,
}

/// The types that columns of read models have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sql {
    /// `uuid`
    Uuid,
    /// `text`
    Text,
    /// `bigint`
    Bigint,
    /// `integer`
    Integer,
    /// `boolean`
    Boolean,
    /// `timestamptz`
    Timestamptz,
    /// `jsonb`
    Jsonb,
}

impl Sql {
    /// The type's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Bigint => "bigint",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Timestamptz => "timestamptz",
            Self::Jsonb => "jsonb",
        }
    }
}

/// A column, for the lists in read models.
pub const fn column(name: &'static str, sql: Sql) -> Column {
    Column { name, sql }
}

impl Table {
    /// Schema and table.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// The type of a column.
    pub fn sql_of(&self, name: &str) -> Option<Sql> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.sql)
    }

    /// Whether events of that stream name are folded.
    pub fn reads(&self, aggregate_type: &str) -> bool {
        self.reads.is_empty() || self.reads.contains(&aggregate_type)
    }
}

/// The event after which nothing of an organisation is left.
const PURGED: &str = "identity.organization.purged";

/// Why an event cannot be folded. It is always the event's or the code's fault, never the database's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FoldError(pub String);

impl FoldError {
    /// An event speaks of a row that is not there.
    pub fn absent(what: &str, id: impl std::fmt::Display) -> Self {
        Self(format!("there is no {what} {id}"))
    }
}

/// One event of the log, decoded once however many projections read it.
#[derive(Debug)]
pub struct Fact {
    /// The event as it stands in the log.
    pub recorded: Recorded,
    decoded: OnceLock<Result<Box<dyn Any + Send + Sync>, FoldError>>,
    opened: OnceLock<Box<Fact>>,
}

impl Fact {
    /// An event not decoded yet.
    pub fn new(recorded: Recorded) -> Self {
        Self { recorded, decoded: OnceLock::new(), opened: OnceLock::new() }
    }

    /// The event, when it is one of aggregate `D`.
    pub fn of<D: Decider>(&self) -> Result<Option<&D::Event>, FoldError> {
        if !self.recorded.is::<D>() {
            return Ok(None);
        }
        let decoded = self.decoded.get_or_init(|| match self.recorded.decode::<D>() {
            Ok(event) => Ok(Box::new(event)),
            Err(error) => Err(FoldError(format!("the payload cannot be read: {error}"))),
        });
        match decoded {
            Ok(event) => Ok(event.downcast_ref()),
            Err(error) => Err(error.clone()),
        }
    }

    /// Keeps the same event with what is personal in it opened.
    pub(crate) fn open(&self, payload: String) {
        let opened = Self::new(Recorded { payload, ..self.recorded.clone() });
        let _as_before = self.opened.set(Box::new(opened));
    }

    /// The event with what is personal in it opened, where it was.
    pub(crate) fn opened(&self) -> &Self {
        self.opened.get().map_or(self, |opened| opened)
    }

    /// The organisation.
    pub fn tenant(&self) -> TenantId {
        self.recorded.tenant_id
    }

    /// Whether the organisation is no more from here on: no event of it follows, and no row of it stays.
    pub(crate) fn is_purge(&self) -> bool {
        self.recorded.event_type == PURGED
    }

    /// When it was recorded.
    pub fn at(&self) -> Timestamp {
        self.recorded.recorded_at
    }

    /// The version of its stream after it.
    pub fn version(&self) -> i64 {
        self.recorded.sequence
    }

    /// The id of its stream, where that is a UUID.
    pub fn stream_id<T: From<Uuid>>(&self) -> Result<T, FoldError> {
        let id = &self.recorded.aggregate_id;
        Uuid::parse_str(id)
            .map(T::from)
            .map_err(|_| FoldError(format!("the stream id {id} is no UUID")))
    }

    /// Who caused it: the user's id, or the service's name.
    pub fn actor_id(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Actor {
            actor_id: Option<String>,
        }
        serde_json::from_str::<Actor>(&self.recorded.metadata).ok()?.actor_id
    }
}

/// Declares a row: its fields, and with them the columns of its table.
macro_rules! row {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $sql:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(super) struct $name {
            $(pub(super) $field: $type,)+
        }

        impl $name {
            /// The columns of its table.
            pub(super) const COLUMNS: &'static [crate::model::Column] =
                &[$(crate::model::column(stringify!($field), crate::model::Sql::$sql),)+];
        }
    };
}
pub(crate) use row;

/// The rows of one group, and what became of them since they were last written. Their order has no meaning.
#[derive(Debug)]
pub struct Rows<R> {
    slots: Vec<Slot<R>>,
    gone: Vec<R>,
    undo: Vec<Undo<R>>,
    made: u32,
}

#[derive(Debug, Clone)]
struct Slot<R> {
    id: u32,
    row: R,
    stored: bool,
    changed: bool,
}

#[derive(Debug)]
enum Undo<R> {
    Inserted(u32),
    Changed(usize, Box<Slot<R>>),
    Removed(usize, Box<Slot<R>>),
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self { slots: Vec::new(), gone: Vec::new(), undo: Vec::new(), made: 0 }
    }
}

impl<R: Clone> Rows<R> {
    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.slots.iter().map(|slot| &slot.row)
    }

    /// Adds a row.
    pub fn insert(&mut self, row: R) {
        self.undo.push(Undo::Inserted(self.made));
        self.add(row, false);
    }

    /// The only row of the group, to be changed.
    pub fn only(&mut self) -> Option<&mut R> {
        self.change(|_| true)
    }

    /// The first row that fits, to be changed.
    pub fn change(&mut self, fits: impl Fn(&R) -> bool) -> Option<&mut R> {
        let place = self.slots.iter().position(|slot| fits(&slot.row))?;
        let slot = &mut self.slots[place];
        self.undo.push(Undo::Changed(place, Box::new(slot.clone())));
        slot.changed = true;
        Some(&mut slot.row)
    }

    /// Removes the rows that fit; how many those were.
    pub fn remove(&mut self, fits: impl Fn(&R) -> bool) -> usize {
        let before = self.slots.len();
        let mut place = 0;
        while place < self.slots.len() {
            if fits(&self.slots[place].row) {
                let slot = self.slots.remove(place);
                if slot.stored {
                    self.gone.push(slot.row.clone());
                }
                self.undo.push(Undo::Removed(place, Box::new(slot)));
            } else {
                place += 1;
            }
        }
        before - self.slots.len()
    }

    /// Adds a row as it stands in the table.
    pub(crate) fn add_stored(&mut self, row: R) {
        self.add(row, true);
    }

    fn add(&mut self, row: R, stored: bool) {
        if self.slots.is_empty() {
            self.slots.reserve_exact(1); // most groups have one row, and a rebuild has them all in memory
        }
        self.slots.push(Slot { id: self.made, row, stored, changed: !stored });
        self.made += 1;
    }

    /// What was folded so far stays.
    pub(crate) fn keep(&mut self) {
        self.undo = Vec::new();
    }

    /// Takes back everything since the last [`Self::keep`].
    pub(crate) fn take_back(&mut self) {
        while let Some(step) = self.undo.pop() {
            match step {
                Undo::Inserted(id) => self.slots.retain(|slot| slot.id != id),
                Undo::Changed(place, slot) => self.slots[place] = *slot,
                Undo::Removed(place, slot) => {
                    if slot.stored {
                        self.gone.pop();
                    }
                    self.slots.insert(place, *slot);
                }
            }
        }
    }

    /// The rows touched since the last [`Self::keep`], as they were before and as they are.
    pub(crate) fn touched(&self) -> Vec<(Option<&R>, Option<&R>)> {
        let mut befores: Vec<(u32, Option<&R>)> = Vec::with_capacity(self.undo.len());
        for step in &self.undo {
            let (id, before) = match step {
                Undo::Inserted(id) => (*id, None),
                Undo::Changed(_, slot) | Undo::Removed(_, slot) => (slot.id, Some(&slot.row)),
            };
            if !befores.iter().any(|(seen, _)| *seen == id) {
                befores.push((id, before));
            }
        }
        let now = |id| self.slots.iter().find(|slot| slot.id == id).map(|slot| &slot.row);
        befores.into_iter().map(|(id, before)| (before, now(id))).collect()
    }

    /// Hands out the rows that are gone and those that changed since they were last written; how many those are.
    /// From now on they count as written.
    pub(crate) fn write(
        &mut self,
        mut changed: impl FnMut(&R) -> Result<(), FoldError>,
        mut gone: impl FnMut(&R) -> Result<(), FoldError>,
    ) -> Result<usize, FoldError> {
        self.keep();
        let mut written = self.gone.len();
        for row in self.gone.drain(..) {
            gone(&row)?;
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.changed) {
            changed(&slot.row)?;
            slot.changed = false;
            slot.stored = true;
            written += 1;
        }
        Ok(written)
    }
}
