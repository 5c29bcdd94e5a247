//! A projection as the runtime sees it: something that folds events and then says which rows to write.

use std::borrow::Cow;
use std::collections::HashMap;
use std::marker::PhantomData;

use async_trait::async_trait;
use events::TenantId;
use jiff::Timestamp;
use platform::personal::{Personal, PersonalError, is_sealed, open_event};
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::members::{Members, Misfit, take_apart};
use super::statements::Statements;
use super::tuples::Tuples;
use crate::model::{Fact, FoldError, ReadModel, Rows, Table};

/// A projection, whatever its rows are.
pub trait Projection: Send + Sync {
    /// Where its rows are.
    fn table(&self) -> &'static Table;
    /// Raised when it has to be built anew.
    fn build(&self) -> i32;
    /// Whether rows are written once and never touched again, so that a rebuild need not keep them in memory.
    fn append_only(&self) -> bool;
    /// Whether it reads the events' metadata.
    fn reads_metadata(&self) -> bool;
    /// A fold that knows nothing yet. `complete` when every event will be folded from the first on, so that what is not
    /// in memory is nowhere.
    fn fold(&self, complete: bool) -> Box<dyn Fold>;
    /// The same fold for the audit trail, which follows one stream at a time to see what its events change.
    fn trace(&self) -> Option<Box<dyn Trace>>;
}

/// The rows of a projection in memory.
#[async_trait]
pub trait Fold: Send + Sync {
    /// The group of rows that an event touches.
    fn group(&self, fact: &Fact) -> Result<Option<String>, FoldError>;
    /// Fetches what has to be known before these events are folded.
    async fn load(
        &mut self,
        connection: &mut PgConnection,
        work: &[Work<'_>],
    ) -> Result<(), sqlx::Error>;
    /// Folds one event; after an error nothing is changed.
    fn fold(&mut self, work: &Work<'_>) -> Result<(), FoldError>;
    /// The rows to write since the last time, at least `rows` of them if there are so many.
    fn take(&mut self, rows: usize) -> Result<Changes, FoldError>;
    /// Forgets everything: what was taken has not been written.
    fn forget(&mut self);
    /// Forgets an organisation that was purged.
    fn forget_tenant(&mut self, tenant: TenantId);
}

/// An event and the group of rows that it touches.
#[derive(Debug, Clone)]
pub struct Work<'a> {
    /// The event.
    pub fact: &'a Fact,
    /// The group.
    pub group: String,
}

/// Rows to write.
#[derive(Debug, Default)]
pub struct Changes {
    pub(crate) changed: Tuples,
    pub(crate) gone: Tuples,
    pub(crate) swept: Vec<Swept>,
}

/// All rows of one organisation of some time, which are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) tenant: TenantId,
    pub(crate) from: Timestamp,
    pub(crate) before: Timestamp,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty() && self.swept.is_empty()
    }
}

/// The organisations that end among these events. What happened to them before is not worth folding.
pub(crate) fn purged(facts: &[Fact]) -> Vec<TenantId> {
    facts.iter().filter(|fact| fact.is_purge()).map(Fact::tenant).collect()
}

/// What an event does to the rows of a group, as JSON objects before and after.
pub trait Trace: Send + Sync {
    /// Folds one event of the stream that is followed; the rows touched, when it touches any.
    fn follow(&mut self, fact: &Fact) -> Result<Option<Traced>, FoldError>;
}

/// The rows that an event touched.
#[derive(Debug)]
pub struct Traced {
    /// What the rows are about, and the column with its id.
    pub resource: (&'static str, &'static str),
    /// Each row before and after.
    pub rows: Vec<(Option<Object>, Option<Object>)>,
}

/// A row as JSON, its members in the order of the columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(pub Vec<(Cow<'static, str>, Value)>);

impl Object {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The names of all members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
}

impl Members for Object {
    type Whole = Self;

    fn take<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), Misfit> {
        let value = serde_json::to_value(value).map_err(Misfit::custom)?;
        self.0.push((Cow::Borrowed(name), value));
        Ok(())
    }

    fn end(self) -> Result<Self, Misfit> {
        Ok(self)
    }
}

/// A read model as a projection.
pub struct Keyed<M> {
    personal: Option<Personal>,
    model: PhantomData<M>,
}

impl<M: ReadModel> Keyed<M> {
    /// The projection of read model `M`.
    pub fn boxed() -> Box<dyn Projection> {
        const { assert!(!M::OPENS, "its rows hold what is personal open: use opening") };
        Box::new(Self { personal: None, model: PhantomData })
    }

    /// The projection of a read model whose rows hold what is personal open; without keys it stays sealed.
    pub fn opening(personal: Option<&Personal>) -> Box<dyn Projection> {
        const { assert!(M::OPENS, "its rows hold nothing open: use boxed") };
        Box::new(Self { personal: personal.cloned(), model: PhantomData })
    }
}

impl<M: ReadModel> Projection for Keyed<M> {
    fn table(&self) -> &'static Table {
        const { &M::TABLE }
    }

    fn build(&self) -> i32 {
        M::BUILD
    }

    fn append_only(&self) -> bool {
        false
    }

    fn reads_metadata(&self) -> bool {
        M::READS_METADATA
    }

    fn fold(&self, complete: bool) -> Box<dyn Fold> {
        Box::new(Groups::<M>::new(complete, self.personal.clone()))
    }

    fn trace(&self) -> Option<Box<dyn Trace>> {
        (!M::ECHOES).then(|| Box::new(Followed::<M>(HashMap::new())) as Box<dyn Trace>)
    }
}

/// How many groups stay in memory between batches; then all are let go and loaded again as needed.
const GROUPS_KEPT: usize = 20_000;

struct Groups<M: ReadModel> {
    index: HashMap<TenantId, HashMap<String, usize>>,
    rows: Vec<Rows<M::Row>>,
    touched: Vec<usize>,
    is_touched: Vec<bool>,
    complete: bool,
    load: String,
    personal: Option<Personal>,
}

impl<M: ReadModel> Groups<M> {
    fn new(complete: bool, personal: Option<Personal>) -> Self {
        Self {
            index: HashMap::new(),
            rows: Vec::new(),
            touched: Vec::new(),
            is_touched: Vec::new(),
            complete,
            load: Statements::new(const { &M::TABLE }).load,
            personal,
        }
    }

    fn find(&self, tenant: TenantId, group: &str) -> Option<usize> {
        self.index.get(&tenant)?.get(group).copied()
    }

    fn make(&mut self, tenant: TenantId, group: &str) -> usize {
        let place = self.rows.len();
        self.index.entry(tenant).or_default().insert(group.to_owned(), place);
        self.rows.push(Rows::default());
        self.is_touched.push(false);
        place
    }
}

#[async_trait]
impl<M: ReadModel> Fold for Groups<M> {
    fn group(&self, fact: &Fact) -> Result<Option<String>, FoldError> {
        M::group(fact)
    }

    async fn load(
        &mut self,
        connection: &mut PgConnection,
        work: &[Work<'_>],
    ) -> Result<(), sqlx::Error> {
        if M::OPENS {
            open(self.personal.as_ref(), connection, work).await?;
        }
        if self.complete {
            return Ok(());
        }
        if self.rows.len() > GROUPS_KEPT {
            self.forget();
        }
        let (mut tenants, mut groups, mut places) = (Vec::<Uuid>::new(), Vec::new(), Vec::new());
        for Work { fact, group } in work {
            if self.find(fact.tenant(), group).is_some() {
                continue;
            }
            let place = self.make(fact.tenant(), group);
            if !begins::<M>(fact, group) {
                places.push(place);
                tenants.push(fact.tenant().0);
                groups.push(group.as_str());
            }
        }
        if places.is_empty() {
            return Ok(());
        }
        let found: Vec<(i64, String)> =
            sqlx::query_as(&self.load).bind(&tenants).bind(&groups).fetch_all(connection).await?;
        for (ordinal, json) in found {
            let row = serde_json::from_str(&json).map_err(|error| {
                sqlx::Error::Decode(format!("a row of {}: {error}", M::TABLE.name).into())
            })?;
            let place = usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
            if let Some(place) = places.get(place) {
                self.rows[*place].add_stored(row);
            }
        }
        Ok(())
    }

    fn fold(&mut self, Work { fact, group }: &Work<'_>) -> Result<(), FoldError> {
        let place = match self.find(fact.tenant(), group) {
            Some(place) => place,
            None => self.make(fact.tenant(), group),
        };
        let rows = &mut self.rows[place];
        if let Err(error) = M::fold(rows, fact.opened()) {
            rows.take_back();
            return Err(error);
        }
        rows.keep();
        if !self.is_touched[place] {
            self.is_touched[place] = true;
            self.touched.push(place);
        }
        Ok(())
    }

    fn take(&mut self, rows: usize) -> Result<Changes, FoldError> {
        let mut changes = Changes::default();
        while changes.changed.len() + changes.gone.len() < rows {
            let Some(place) = self.touched.pop() else { break };
            self.is_touched[place] = false;
            self.rows[place].write(
                |row| changes.changed.push(M::TABLE.columns, row),
                |row| changes.gone.push(M::TABLE.columns, row),
            )?;
        }
        Ok(changes)
    }

    fn forget(&mut self) {
        self.index.clear();
        self.rows.clear();
        self.touched.clear();
        self.is_touched.clear();
    }

    fn forget_tenant(&mut self, tenant: TenantId) {
        for place in self.index.remove(&tenant).into_iter().flat_map(HashMap::into_values) {
            self.rows[place] = Rows::default();
        }
    }
}

/// Opens what is personal in events, with the keys of all of them asked for at once.
async fn open(
    personal: Option<&Personal>,
    connection: &mut PgConnection,
    work: &[Work<'_>],
) -> Result<(), sqlx::Error> {
    let sealed = || work.iter().map(|one| one.fact).filter(|one| is_sealed(&one.recorded.payload));
    if sealed().next().is_none() {
        return Ok(());
    }
    let Some(personal) = personal else {
        let lack = "what is personal in events opens with ANNALS_MASTER_KEY only; set it";
        return Err(sqlx::Error::Configuration(lack.into()));
    };
    let texts = sealed().map(|fact| (fact.tenant(), fact.recorded.payload.as_str()));
    let keys = personal.keys(connection, texts).await.map_err(|error| match error {
        PersonalError::Database(error) => error,
        error @ PersonalError::Key(_) => sqlx::Error::Decode(error.into()),
    })?;
    for fact in sealed() {
        fact.open(open_event(&keys, fact.tenant(), &fact.recorded.payload).into_owned());
    }
    Ok(())
}

/// Whether a group begins with this event, so that none of its rows can be stored: it is the event's own stream, its first
/// event, and no streams of another kind are read.
fn begins<M: ReadModel>(fact: &Fact, group: &str) -> bool {
    let reads_one_kind = matches!(M::TABLE.reads, [_]);
    reads_one_kind && fact.version() == 1 && fact.recorded.aggregate_id == group
}

struct Followed<M: ReadModel>(HashMap<String, Rows<M::Row>>);

impl<M: ReadModel> Trace for Followed<M> {
    fn follow(&mut self, fact: &Fact) -> Result<Option<Traced>, FoldError> {
        let Some(group) = M::group(fact)? else { return Ok(None) };
        let rows = match self.0.get_mut(&group) {
            Some(rows) => rows,
            None => self.0.entry(group.clone()).or_default(),
        };
        if let Err(error) = M::fold(rows, fact) {
            rows.take_back();
            return Err(error);
        }
        let touched = rows
            .touched()
            .into_iter()
            .map(|(before, after)| Ok((object(before)?, object(after)?)))
            .collect::<Result<_, FoldError>>();
        rows.keep();
        let touched = touched?;
        Ok(Some(Traced { resource: M::TABLE.resource, rows: touched }))
    }
}

fn object<R: Serialize>(row: Option<&R>) -> Result<Option<Object>, FoldError> {
    let object = row.map(|row| take_apart(row, Object::default())).transpose();
    object.map_err(|error| FoldError(format!("a row is no JSON: {error}")))
}
