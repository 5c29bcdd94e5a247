//! What runs jobs: reactions turn events into jobs, workers take them and do them, and what comes of it is reported as commands.
//!
//! Nothing here is lost or done twice by a crash: a reaction's checkpoint and its jobs stand in one transaction, a job's id
//! follows from its event, a worker that falls silent loses its lease, and every command carries a key of its own. NATS only
//! wakes; without it everything goes on at the pace of a poll.

pub mod admin;
mod chosen;
mod effects;
mod ends;
mod janitor;
mod process;
mod queue;
mod reactions;
#[cfg(test)]
mod tests;
mod timers;
mod work;

use std::sync::Arc;
use std::time::Duration;

use events::rbac::policy::Policy;
use events::rbac::resolve::WORKERS;
use events::{Decider, Module, TenantId, UserId};
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::access::{Access, Shared};
use platform::aggregates::Aggregates;
use platform::commands::Commands;
use platform::config::Settings;
use platform::db::{self, Role};
use platform::files::Files;
use platform::lifecycle::{Shutdown, Tasks};
use platform::personal::{Ledger, Personal};
use platform::secrets::MasterKey;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

pub(crate) use effects::{Intent, Went};
pub(crate) use ends::End;
pub(crate) use process::{
    Process, React, Turn, never_mind, reaction as process, reaction_to as process_of,
};
pub(crate) use queue::Job;

use crate::audit::notary::Notary;
use crate::backups::archive;
use crate::mail::Mailer;
use crate::webhooks::Caller;

/// Aggregates kept folded in memory.
const AGGREGATES_KEPT: u64 = 10_000;
/// Within this, workers give back what they are at.
const END_LIMIT: Duration = Duration::from_secs(15);

/// Namespace of ids that follow from an event (RFC 9562, version 5).
const CAUSED: Uuid = Uuid::from_u128(0x6f3c_a2d4_5b1e_5c8a_9d77_2f0e_4b61_90ac);

/// The id of what `manager` does as `step` because of `cause`: the same whenever it is computed.
pub(crate) fn id_caused_by(manager: &str, cause: &str, step: &str) -> Uuid {
    Uuid::new_v5(&CAUSED, format!("{manager}/{cause}/{step}").as_bytes())
}

/// What a module has workers do.
#[derive(Default)]
pub(crate) struct Jobs {
    /// Events that cause jobs.
    pub(crate) reactions: Vec<Reaction>,
    /// How jobs are done.
    pub(crate) handlers: Vec<Handler>,
    /// What is looked after now and then.
    pub(crate) sweeps: Vec<Sweep>,
}

impl Jobs {
    /// Nothing.
    pub(crate) fn none() -> Self {
        Self::default()
    }
}

/// Turns events into what follows from them.
#[derive(Clone, Copy)]
pub(crate) struct Reaction {
    /// Its name, under which it remembers how far it has read.
    pub(crate) name: &'static str,
    /// The events it wants to see.
    pub(crate) events: &'static [&'static str],
    /// How it comes to what follows.
    pub(crate) react: React,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Something to do.
    Start {
        /// What.
        kind: &'static str,
        /// What it is about.
        subject_id: String,
        /// Whatever else the work needs to know.
        body: Value,
    },
    /// A command to give at once.
    Give {
        /// Which of those that follow from the event.
        step: String,
        /// Where it goes, below `/api/v1`.
        path: String,
        /// What it says.
        body: Value,
    },
    /// Something not to do any more.
    Cancel {
        /// What.
        kind: &'static str,
        /// What it was about.
        subject_id: String,
    },
    /// Something that its worker is to let go of.
    Interrupt {
        /// What.
        kind: &'static str,
        /// What it is about.
        subject_id: String,
    },
    /// A command to post when its time has come, instead of any before about the same subject.
    Remind(Reminder),
    /// What no longer has an end.
    Forget {
        /// Of which kind.
        kind: &'static str,
        /// What it was about.
        subject_id: String,
    },
}

/// A command to post when its time has come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reminder {
    /// `<module>.<what ends>`.
    pub(crate) kind: &'static str,
    /// What it is about: one reminder of a kind for each.
    pub(crate) subject_id: String,
    /// When.
    pub(crate) due_at: Timestamp,
    /// Where the command goes, below `/api/v1`.
    pub(crate) path: String,
    /// What it says.
    pub(crate) body: Value,
}

/// How jobs of one kind are done.
#[derive(Clone, Copy)]
pub(crate) struct Handler {
    /// `<module>.<verb>`.
    pub(crate) kind: &'static str,
    /// How many at a time in one process.
    pub(crate) slots: usize,
    /// How long a worker may be silent.
    pub(crate) lease: Duration,
    /// After so many attempts a job is given up.
    pub(crate) max_attempts: i32,
    /// Does the job.
    pub(crate) run: Doing,
    /// Tells the subject that the job is given up.
    pub(crate) give_up: Telling,
    /// Tells the subject that its worker has let go of the job, for jobs that can be interrupted.
    pub(crate) let_go: Option<Telling>,
    /// Finds out whether a job would be done now, in a dry office; none for jobs that take away what they are about.
    pub(crate) test: Option<Doing>,
}

/// Does a job.
pub(crate) type Doing = for<'a> fn(&'a Office, &'a Job) -> BoxFuture<'a, Result<Done, Trouble>>;

/// Tells the subject of a job how it stands.
pub(crate) type Telling = for<'a> fn(&'a Office, &'a Job) -> BoxFuture<'a, anyhow::Result<()>>;

/// What is looked after now and then in every organisation: whatever is not done is done the next time.
#[derive(Clone, Copy)]
pub(crate) struct Sweep {
    /// Its name.
    pub(crate) name: &'static str,
    /// Does it for one organisation.
    pub(crate) run: for<'a> fn(&'a Office, TenantId) -> BoxFuture<'a, anyhow::Result<()>>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// It is done, or there was nothing to do.
    Finished,
    /// It is no longer wanted.
    Cancelled,
    /// It cannot be done, and its subject was told; trying again cannot help.
    Failed(String),
    /// It cannot be done until somebody changes something: a dead letter, which says what, and can be tried again then.
    Stuck(String),
    /// It was tried in vain, and is tried again after so long, as often as jobs of its kind are.
    Later(Duration, String),
    /// It was not tried, because this is not the time; it comes again after so long.
    NotYet(Duration),
}

/// Why a job has to be tried again.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Trouble(#[from] pub(crate) anyhow::Error);

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self(error.into())
    }
}

impl From<platform::fold::FoldError> for Trouble {
    fn from(error: platform::fold::FoldError) -> Self {
        Self(error.into())
    }
}

/// What every job works with.
#[derive(Clone)]
pub(crate) struct Office {
    /// The database, as the role of workers.
    pub(crate) pool: PgPool,
    /// Stored files.
    pub(crate) files: Files,
    /// Stored backups.
    pub(crate) archives: Files,
    /// Where results are reported.
    pub(crate) commands: Commands,
    /// Folded aggregates.
    pub(crate) aggregates: Aggregates,
    /// Who may do what.
    pub(crate) access: Access,
    /// The keys of backups.
    pub(crate) key: archive::Key,
    /// The installation's master key.
    pub(crate) master: MasterKey,
    /// Where e-mail is handed over.
    pub(crate) mailer: Mailer,
    /// What calls programs elsewhere.
    pub(crate) caller: Caller,
    /// Where the database is, for the role that signs.
    pub(crate) database_url: Arc<str>,
    /// The issuer of tokens, after which logs are named.
    pub(crate) issuer: Arc<str>,
    /// Where the links begin that mail programs post to.
    pub(crate) posts_begin: Arc<str>,
    /// Where the links in it begin.
    pub(crate) links_begin: Arc<str>,
    /// What opens personal data in files.
    pub(crate) personal: Personal,
    /// Who was erased.
    pub(crate) ledger: Ledger,
    /// This process's name, different for every start.
    pub(crate) worker: Arc<str>,
    /// Nothing that is done here lasts.
    pub(crate) dry: bool,
}

impl Office {
    /// Opens what workers need; waits for nothing.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let pool = db::connect(&settings.database_url, Role::Workers, settings.pool_size).await?;
        let master = MasterKey::parse(&settings.master_key)?;
        let personal = Personal::new(master.clone());
        let aggregates = Aggregates::new(pool.clone(), AGGREGATES_KEPT).opening(personal.clone());
        let start: [u8; 4] = platform::secrets::random();
        let worker = format!("workers-{}-{}", std::process::id(), u32::from_be_bytes(start));
        Ok(Self {
            pool,
            files: Files::open(settings)?,
            archives: Files::open_archives(settings)?,
            commands: Commands::new(&settings.command_url, WORKERS, &settings.service_secret)?,
            access: Access::new(aggregates.clone(), Shared::open(&settings.redis_url, &master)?),
            aggregates,
            ledger: Ledger::new(&settings.data_dir, &master),
            key: archive::Key::new(master.clone()),
            personal,
            master,
            mailer: Mailer::open(settings)?,
            caller: Caller::open(settings)?,
            database_url: settings.database_url.as_str().into(),
            issuer: settings.issuer.as_str().into(),
            posts_begin: settings.posts_begin().into(),
            links_begin: settings.links_begin().into(),
            worker: worker.into(),
            dry: false,
        })
    }

    /// The office as it tries whether something could be done: what is posted and sent is only asked about.
    pub(crate) fn dry(&self) -> Self {
        let (commands, mailer) = (self.commands.dry(), self.mailer.dry());
        Self { commands, mailer, dry: true, ..self.clone() }
    }

    /// The office as one job uses it: what it reports is known to follow from what caused it.
    pub(crate) fn because(&self, job: &Job) -> Self {
        Self { commands: self.commands.because(&job.cause), ..self.clone() }
    }

    /// The payload of an event of the job's organisation, with what is personal in it opened.
    pub(crate) async fn payload<D: Decider>(
        &self,
        job: &Job,
        id: &str,
        version: i64,
    ) -> anyhow::Result<String> {
        let mut payload: String = sqlx::query_scalar(
            "select payload::text from log.events
              where tenant_id = $1 and aggregate_type = $2 and aggregate_id = $3 and sequence = $4",
        )
        .bind(job.tenant_id.0)
        .bind(D::TYPE)
        .bind(id)
        .bind(version)
        .fetch_one(&self.pool)
        .await?;
        self.personal.open_events(&self.pool, job.tenant_id, &mut [&mut payload]).await?;
        Ok(payload)
    }
}

impl Office {
    /// Whoever administers an organisation now.
    pub(crate) async fn administrators(&self, tenant: TenantId) -> anyhow::Result<Vec<UserId>> {
        let policy = self.aggregates.refresh::<Policy>(tenant, &tenant.to_string()).await?;
        Ok(policy.state.administrators().collect())
    }

    /// Starts another job because of one: of a kind with so many attempts, about a subject. The same one is started once.
    pub(crate) async fn start(
        &self,
        because: &Job,
        (kind, max_attempts): (&'static str, i32),
        subject_id: &str,
        body: Value,
    ) -> anyhow::Result<()> {
        if self.dry {
            return Ok(());
        }
        let new = queue::NewJob {
            job_id: because.key(&format!("{kind}/{subject_id}")),
            tenant: because.tenant_id,
            kind,
            subject_id: subject_id.to_owned(),
            body,
            cause: because.cause.clone(),
        };
        let mut connection = self.pool.acquire().await?;
        queue::add(&mut connection, vec![new], |_| max_attempts).await?;
        Ok(())
    }
}

/// The work of every module; whoever adds a module says here what it has workers do.
pub(crate) fn jobs(module: Module) -> Jobs {
    match module {
        Module::Identity => crate::identity::jobs(),
        Module::Rbac => crate::rbac::jobs(),
        Module::Audit => crate::audit::jobs(),
        Module::Exports => crate::exports::jobs(),
        Module::Notifications => crate::notifications::jobs(),
        Module::Backups => crate::backups::jobs(),
        Module::Settings => crate::settings::jobs(),
        Module::Scheduling => crate::scheduling::jobs(),
        Module::Files => crate::files::jobs(),
        Module::Maintenance => crate::maintenance::jobs(),
        Module::Collaboration => crate::collaboration::jobs(),
        Module::Webhooks => crate::webhooks::jobs(),
    }
}

/// The work of every module, and of the runtime itself.
pub(crate) fn every() -> impl Iterator<Item = Jobs> {
    Module::ALL.iter().map(|module| jobs(*module)).chain([process::jobs()])
}

/// Runs the workers until `shutdown`.
pub async fn run(settings: Arc<Settings>, shutdown: Shutdown) -> anyhow::Result<()> {
    let office = Office::open(&settings).await?;
    let bus = match settings.nats_url.as_str() {
        "" => None,
        url => Some(nats::connect(url).await?),
    };
    let all: Vec<Jobs> = every().collect();
    let beside = Tasks::new(shutdown.child());
    let notary = Notary::new(&settings, office.commands.clone())?;
    beside.spawn("notary", notary.run(beside.shutdown().clone()));
    let timers = timers::Timers::new(&settings.database_url, office.commands.clone());
    beside.spawn("timers", timers.run(beside.shutdown().clone()));
    let sweeps = all.iter().flat_map(|jobs| jobs.sweeps.iter().copied()).collect();
    let janitor = janitor::Janitor::new(&settings.database_url, office.clone(), sweeps);
    beside.spawn("janitor", janitor.run(beside.shutdown().clone()));
    let again = crate::identity::erase_again(office.clone(), beside.shutdown().clone());
    beside.spawn("erasures", again);
    let outcome = run_with(office, bus, all, shutdown).await;
    beside.shutdown().begin();
    anyhow::ensure!(
        beside.join(END_LIMIT).await,
        "the notary, the timers or the janitor did not end in time"
    );
    outcome
}

/// Runs workers for given jobs.
pub(crate) async fn run_with(
    office: Office,
    bus: Option<nats::Bus>,
    jobs: Vec<Jobs>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let tasks = Tasks::new(shutdown.child());
    let (mut reactions, mut handlers) = (Vec::new(), Vec::new());
    for of_module in jobs {
        reactions.extend(of_module.reactions);
        handlers.extend(of_module.handlers);
    }
    let limits = handlers.iter().map(|handler| (handler.kind, handler.max_attempts)).collect();
    let reading = reactions::Reading {
        pool: office.pool.clone(),
        bus: bus.clone(),
        reactions,
        limits,
        shutdown: tasks.shutdown().clone(),
    };
    tasks.spawn("reactions", reading.run());
    for handler in handlers {
        for _ in 0..handler.slots {
            let slot = work::Slot::new(office.clone(), bus.as_ref(), handler);
            tasks.spawn(handler.kind, slot.run(tasks.shutdown().clone()));
        }
        let keeping = work::keep(office.pool.clone(), handler, tasks.shutdown().clone());
        tasks.spawn(handler.kind, keeping);
    }
    tasks.shutdown().wait().await;
    let failed = !shutdown.begun();
    let ended = tasks.join(END_LIMIT).await;
    office.pool.close().await;
    anyhow::ensure!(ended, "workers did not end in time");
    anyhow::ensure!(!failed, "a worker ended unexpectedly; see the log");
    Ok(())
}

impl Job {
    /// The key of a command that this job posts: the same for every attempt.
    pub(crate) fn key(&self, step: &str) -> Uuid {
        id_caused_by("job", &self.id.to_string(), step)
    }
}
