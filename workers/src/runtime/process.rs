//! Process managers: what several events of one matter lead to, with what has to be remembered between them.
//!
//! A matter is known by its correlation, which follows from each of its events. What is remembered of it is one row, changed in
//! the transaction that moves the checkpoint on and adds what follows; the row says up to where it has seen the log, so that
//! events which are read again change nothing. Commands have ids that follow from process, event and step: the door
//! takes each once. A process waits by a timer, which is a command for later.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use events::TenantId;
use events::envelope::Recorded;
use futures::FutureExt;
use futures::future::BoxFuture;
use platform::commands::{Cause, CommandError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::queue::NewJob;
use super::{Done, Effect, Handler, Job, Jobs, Office, Reaction, Trouble};

/// The kind of job that posts a command of a process.
const COMMAND: &str = "process.command";

/// A process manager; its turns are pure.
pub(crate) trait Process {
    /// Its name, under which it remembers matters and how far it has read.
    const NAME: &'static str;
    /// The events it wants to see; none where they are told with [`reaction_to`].
    const EVENTS: &'static [&'static str] = &[];
    /// What is remembered of a matter.
    type Memory: Serialize + DeserializeOwned;

    /// The matter that an event belongs to, none where it is of none; that of its stream unless told.
    fn correlation(event: &Recorded) -> anyhow::Result<Option<String>> {
        Ok(Some(event.aggregate_id.clone()))
    }

    /// What follows from the next event of a matter, and what is remembered from there on; nothing once it is over.
    fn turn(memory: Option<Self::Memory>, event: &Recorded) -> anyhow::Result<Turn<Self::Memory>>;
}

/// What an event of a matter leads to.
#[derive(Debug, PartialEq)]
pub(crate) struct Turn<M> {
    /// What is remembered; nothing once the matter is over, or is none.
    pub(crate) memory: Option<M>,
    /// What follows.
    pub(crate) effects: Vec<Effect>,
}

impl<M> Turn<M> {
    /// Goes on with what is remembered, and nothing follows.
    pub(crate) fn on(memory: Option<M>) -> Self {
        Self { memory, effects: Vec::new() }
    }
}

/// How a reaction comes to what follows from an event.
#[derive(Clone, Copy)]
pub(crate) enum React {
    /// From the event alone.
    Event(fn(&Recorded) -> anyhow::Result<Vec<Effect>>),
    /// From the event and what is remembered of its matter.
    Process(Manager),
}

/// A process as the reader of the log runs it: with what is remembered as JSON.
#[derive(Clone, Copy)]
pub(crate) struct Manager {
    correlation: fn(&Recorded) -> anyhow::Result<Option<String>>,
    turn: fn(Option<Value>, &Recorded) -> anyhow::Result<Turn<Value>>,
}

/// The reaction that runs a process.
pub(crate) fn reaction<P: Process>() -> Reaction {
    reaction_to::<P>(P::EVENTS)
}

/// The same, for events that are not known before the program runs.
pub(crate) fn reaction_to<P: Process>(events: &'static [&'static str]) -> Reaction {
    let manager = Manager { correlation: P::correlation, turn: turn::<P> };
    Reaction { name: P::NAME, events, react: React::Process(manager) }
}

fn turn<P: Process>(memory: Option<Value>, event: &Recorded) -> anyhow::Result<Turn<Value>> {
    let memory = memory.map(serde_json::from_value).transpose()?;
    let Turn { memory, effects } = P::turn(memory, event)?;
    Ok(Turn { memory: memory.map(serde_json::to_value).transpose()?, effects })
}

/// The matters of the events of one transaction: each is read once and written once, however many of its events there are.
pub(super) struct Matters {
    name: &'static str,
    known: HashMap<(TenantId, String), Matter>,
}

/// What is remembered of a matter.
struct Matter {
    memory: Option<Value>,
    /// The last event of it that was taken.
    seen: i64,
    /// Whether there is a row of it, or has to be.
    is_kept: bool,
    is_touched: bool,
}

impl Matters {
    /// Of the process of that name; nothing is read yet.
    pub(super) fn of(name: &'static str) -> Self {
        Self { name, known: HashMap::new() }
    }

    async fn matter(
        &mut self,
        database: &mut PgConnection,
        place: (TenantId, String),
    ) -> Result<&mut Matter, sqlx::Error> {
        match self.known.entry(place) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => {
                let (tenant, correlation) = free.key();
                let row: Option<(Option<Value>, i64)> = sqlx::query_as(KNOWN)
                    .bind(tenant.0)
                    .bind(self.name)
                    .bind(correlation)
                    .fetch_optional(database)
                    .await?;
                let is_kept = row.is_some();
                let (memory, seen) = row.unwrap_or((None, 0));
                Ok(free.insert(Matter { memory, seen, is_kept, is_touched: false }))
            }
        }
    }

    /// Writes down what was remembered since.
    pub(super) async fn keep(self, database: &mut PgConnection) -> Result<(), sqlx::Error> {
        for ((tenant, correlation), matter) in self.known {
            if matter.is_touched {
                sqlx::query(REMEMBER)
                    .bind(tenant.0)
                    .bind(self.name)
                    .bind(correlation)
                    .bind(matter.memory)
                    .bind(matter.seen)
                    .execute(&mut *database)
                    .await?;
            }
        }
        Ok(())
    }
}

impl Manager {
    /// Takes an event in turn, unless it was taken before; what follows.
    pub(super) async fn take(
        self,
        database: &mut PgConnection,
        matters: &mut Matters,
        event: &Recorded,
    ) -> anyhow::Result<Vec<Effect>> {
        let Some(correlation) = (self.correlation)(event)? else { return Ok(Vec::new()) };
        let matter = matters.matter(database, (event.tenant_id, correlation)).await?;
        if matter.seen >= event.position {
            return Ok(Vec::new());
        }
        let Turn { memory, effects } = (self.turn)(matter.memory.take(), event)?;
        // Of what never was a matter of this process nothing is kept.
        matter.is_kept |= memory.is_some();
        matter.is_touched |= matter.is_kept;
        (matter.memory, matter.seen) = (memory, event.position);
        Ok(effects)
    }
}

/// What the runtime itself has workers do: give the commands of processes.
pub(super) fn jobs() -> Jobs {
    Jobs {
        handlers: vec![Handler {
            kind: COMMAND,
            slots: 2,
            lease: Duration::from_secs(15),
            max_attempts: 20,
            run: give,
            give_up: never_mind,
            let_go: None,
            test: Some(give),
        }],
        ..Jobs::none()
    }
}

/// A command, as the job has it.
#[derive(Deserialize)]
struct Command {
    /// Where it goes, below `/api/v1`.
    path: String,
    /// What it says.
    body: Value,
}

/// The job that gives a command because of an event.
pub(super) fn command(event: &Recorded, job_id: Uuid, (path, body): (String, Value)) -> NewJob {
    NewJob {
        job_id,
        tenant: event.tenant_id,
        kind: COMMAND,
        subject_id: event.aggregate_id.clone(),
        body: json!({ "path": path, "body": body }),
        cause: Cause::of(event),
    }
}

/// Posts the command. What is refused would be again; the dead letter says so.
fn give<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let Command { path, body } =
            serde_json::from_value(job.body.clone()).map_err(anyhow::Error::from)?;
        match office.commands.post(job.tenant_id, &path, job.key("command"), &body).await {
            Ok(_) => Ok(Done::Finished),
            Err(CommandError::Refused(problem)) => Ok(Done::Failed(problem.detail)),
            Err(error @ CommandError::Unavailable(_)) => Err(Trouble(error.into())),
        }
    }
    .boxed()
}

/// Nobody waits for an answer, so nobody is told; the dead letter stays to be seen, and can be put back.
pub(crate) fn never_mind<'a>(_: &'a Office, _: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    futures::future::ready(Ok(())).boxed()
}

const KNOWN: &str = "
    select memory, position from work.processes where tenant_id = $1 and process = $2 and correlation = $3 for update";

const REMEMBER: &str = "
    insert into work.processes as known (tenant_id, process, correlation, memory, position) values ($1, $2, $3, $4, $5)
    on conflict (tenant_id, process, correlation) do update
       set memory = excluded.memory, position = excluded.position, changed_at = now()";
