//! What the log is to know of questions, told to command-api in the name of this service, never on a question's way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use events::TenantId;
use events::rbac::resolve::QUERY_API;
use jiff::Timestamp;
use platform::clock;
use platform::commands::{Cause, CommandError, Commands, query_api_secret};
use platform::config::Settings;
use platform::principal::Principal;
use platform::secrets::MasterKey;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::reads;

const TELL_EVERY: Duration = Duration::from_secs(5);
/// What is still untold at the end is told within this time, or never.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Records that wait for the log; more are counted and dropped.
pub(crate) const MOST: usize = 20_000;

/// Who asks, and the story that what they ask belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) principal: &'a Principal,
    /// The id that everything following from the request shares.
    pub(crate) correlation: &'a str,
}

/// What waits to be told.
pub(crate) struct Telling {
    commands: Commands,
    due: Mutex<VecDeque<Due>>,
}

/// One record, and the key under which it is told once.
#[derive(Clone)]
struct Due {
    key: Uuid,
    story: Story,
    path: &'static str,
    body: Value,
}

/// Whose log a record belongs in, and what it follows from there.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    tenant: TenantId,
    correlation: String,
}

impl Story {
    pub(crate) fn of(by: By<'_>) -> Self {
        Self { tenant: by.principal.tenant, correlation: by.correlation.to_owned() }
    }
}

impl Telling {
    pub(crate) fn new(settings: &Settings, master: &MasterKey) -> anyhow::Result<Self> {
        let commands = Commands::new(&settings.command_url, QUERY_API, &query_api_secret(master))?;
        Ok(Self { commands, due: Mutex::default() })
    }

    /// Tells nobody.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        let commands = Commands::new("http://127.0.0.1:1", QUERY_API, "").unwrap();
        Self { commands, due: Mutex::default() }
    }

    /// Has a record told that goes to that path.
    pub(crate) fn add(&self, story: Story, path: &'static str, record: &impl Serialize) {
        let mut due = self.due();
        if due.len() >= MOST {
            dropped("full");
            return;
        }
        let body = serde_json::to_value(record).unwrap_or_default();
        due.push_back(Due { key: clock::new_id(), story, path, body });
    }

    /// Tells what is due, in order; what the log does not take now stays.
    pub(crate) async fn tell(&self) {
        loop {
            let Some(Due { key, story, path, body }) = self.due().front().cloned() else { return };
            let correlation_id = Some(story.correlation).filter(|id| !id.is_empty());
            let cause = Cause { correlation_id, ..Cause::default() };
            match self.commands.because(&cause).post(story.tenant, path, key, &body).await {
                Ok(_) => {}
                Err(CommandError::Unavailable(error)) => {
                    tracing::debug!(error = format!("{error:#}"), "records wait for the log");
                    return;
                }
                Err(CommandError::Refused(problem)) => {
                    tracing::warn!(problem.code, path, "a record was refused by the log");
                    dropped("refused");
                }
            }
            self.due().pop_front();
        }
    }

    /// What waits, as it will be told.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> Vec<Value> {
        self.due().iter().map(|due| due.body.clone()).collect()
    }

    /// The stories of what waits.
    #[cfg(test)]
    pub(crate) fn stories(&self) -> Vec<String> {
        self.due().iter().map(|due| due.story.correlation.clone()).collect()
    }

    fn due(&self) -> MutexGuard<'_, VecDeque<Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the log what was read and refused, until the signal, and then once more what is left.
pub(crate) async fn run(app: Arc<App>) -> anyhow::Result<()> {
    while app.tasks.shutdown().sleep(TELL_EVERY).await {
        app.reads.gather(clock::now() - reads::WINDOW);
        app.denials.gather(Some(Instant::now()));
        app.telling.tell().await;
    }
    app.reads.gather(Timestamp::MAX);
    app.denials.gather(None);
    let told = tokio::time::timeout(LAST_WORDS, app.telling.tell()).await;
    let left = app.telling.due().len();
    if told.is_err() || left > 0 {
        tracing::warn!(left, "records are not in the log: it could not be reached at the end");
        (0..left).for_each(|_| dropped("end"));
    }
    Ok(())
}

/// Counts a record that the log will never have.
pub(crate) fn dropped(why: &'static str) {
    metrics::counter!("query_records_lost_total", "why" => why).increment(1);
}

/// A user who asks, in tests of what is told.
#[cfg(test)]
pub(crate) fn somebody(number: u128) -> Principal {
    use events::testing::id;

    let actor = events::Actor {
        kind: events::ActorKind::User,
        id: id::<events::UserId>(number).to_string(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    Principal { tenant: id(0), actor, expires_at: Timestamp::MAX, key: None, through: None }
}

/// The same in a request of its own.
#[cfg(test)]
pub(crate) fn asking<'a>(principal: &'a Principal, correlation: &'a str) -> By<'a> {
    By { principal, correlation }
}
