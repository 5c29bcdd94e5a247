//! The writer: one task that owns one connection and stores in one batch whatever arrived while the last batch was flushed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use platform::db::{self, Role, locks};
use platform::lifecycle::Tasks;
use sqlx::{Executor, PgConnection};
use tokio::sync::{Notify, mpsc, oneshot};

use super::batch::{Company, find, store};
use super::{Append, AppendError, Outcome};

const QUEUE_APPENDS: usize = 4096;
const MAX_BATCH_APPENDS: usize = 256;
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// How long appends wait for a lost database before their callers are told so.
const OUTAGE_LIMIT: Duration = Duration::from_secs(10);

type Reply = oneshot::Sender<Result<Outcome, AppendError>>;

struct Request {
    append: Append,
    reply: Reply,
}

/// The way to the writer task; clones share it.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Request>,
}

impl Writer {
    /// Starts the task. `committed` is told after each batch, so that the relay can be woken outside the append.
    pub fn start(url: String, committed: Arc<Notify>, tasks: &Tasks) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE_APPENDS);
        let task = Task { url, requests, connection: None, deferred: VecDeque::new(), committed };
        tasks.spawn("log writer", task.run());
        Self { queue }
    }

    /// Stores an append. If the caller goes away the append is stored all the same.
    pub async fn append(&self, append: Append) -> Result<Outcome, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Request { append, reply }).map_err(|_| AppendError::Refusing)?;
        answer.await.map_err(|_| AppendError::Refusing)?
    }
}

struct Task {
    url: String,
    requests: mpsc::Receiver<Request>,
    connection: Option<PgConnection>,
    deferred: VecDeque<Request>,
    committed: Arc<Notify>,
}

impl Task {
    /// Ends when the last [`Writer`] is gone and everything taken has been answered.
    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            if self.deferred.is_empty() {
                match self.requests.recv().await {
                    Some(request) => self.deferred.push_back(request),
                    None => return Ok(()),
                }
            }
            let batch = self.gather();
            metrics::histogram!("log_batch_appends").record(count(batch.len()));
            self.store(batch).await;
        }
    }

    /// Takes what waits, in order, leaving for the next batch what one of these could refuse.
    fn gather(&mut self) -> Vec<Request> {
        let mut company = Company::default();
        let mut batch = Vec::new();
        let mut later = VecDeque::new();
        while batch.len() < MAX_BATCH_APPENDS {
            let next = self.deferred.pop_front().or_else(|| self.requests.try_recv().ok());
            let Some(request) = next else { break };
            if request.reply.is_closed() && request.append.key.is_none() {
                continue; // the client left before the append began, so nothing was promised
            }
            if company.admits(&request.append) {
                batch.push(request);
            } else {
                later.push_back(request);
            }
        }
        later.append(&mut self.deferred);
        self.deferred = later;
        batch
    }

    async fn store(&mut self, batch: Vec<Request>) {
        if batch.is_empty() {
            return;
        }
        let appends: Vec<&Append> = batch.iter().map(|request| &request.append).collect();
        match self.attempt(&appends).await {
            Ok(outcomes) => {
                self.committed.notify_one();
                for (request, outcome) in batch.into_iter().zip(outcomes) {
                    let _caller_left = request.reply.send(Ok(outcome));
                }
            }
            Err(error) if is_outage(&error) => self.recover(batch, error).await,
            Err(error) if batch.len() == 1 => {
                for request in batch {
                    let broken = AppendError::Broken(error.to_string());
                    let _caller_left = request.reply.send(Err(broken));
                }
            }
            // One append of the batch cannot be stored; alone, each shows whether it is the one.
            Err(_) => {
                for request in batch {
                    Box::pin(self.store(vec![request])).await;
                }
            }
        }
    }

    async fn attempt(&mut self, appends: &[&Append]) -> Result<Vec<Outcome>, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(connect(&self.url).await?),
        };
        store(connection, appends).await
    }

    /// After a lost connection the batch is either in the log or not: that is looked up before anybody is answered.
    async fn recover(&mut self, mut batch: Vec<Request>, error: sqlx::Error) {
        tracing::warn!(%error, appends = batch.len(), "lost the log's connection, looking up what became of the batch");
        let old_backend = self.connection.take();
        drop(old_backend);
        let began = tokio::time::Instant::now();
        while began.elapsed() < OUTAGE_LIMIT {
            match self.look_up(&mut batch).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::debug!(%error, "the database is not back yet");
                    self.connection = None;
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            }
        }
        if self.connection.is_some() {
            return Box::pin(self.store(batch)).await;
        }
        for request in batch {
            let _caller_left = request.reply.send(Err(AppendError::Unreachable(error.to_string())));
        }
    }

    /// Answers those of the batch that are in the log, and leaves those that are not.
    async fn look_up(&mut self, batch: &mut Vec<Request>) -> Result<(), sqlx::Error> {
        let mut connection = connect(&self.url).await?;
        settle(&mut connection).await?;
        let mut missing = Vec::new();
        while let Some(request) = batch.pop() {
            match find(&mut connection, &request.append).await {
                Ok(Some(outcome)) => drop(request.reply.send(Ok(outcome))),
                Ok(None) => missing.push(request),
                Err(error) => {
                    batch.push(request);
                    batch.append(&mut missing);
                    return Err(error);
                }
            }
        }
        missing.reverse();
        *batch = missing;
        self.connection = Some(connection);
        Ok(())
    }
}

/// The writer's connection: plans are made once, because planning the append costs more than running it for one command.
async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    let mut connection = db::connect_alone(url, Role::CommandApi)
        .await
        .map_err(|error| sqlx::Error::Io(std::io::Error::other(format!("{error:#}"))))?;
    connection
        .execute(
            "SET application_name = 'annals log writer';
             SET plan_cache_mode = force_generic_plan;
             SET client_connection_check_interval = '1s'",
        )
        .await?;
    Ok(connection)
}

/// Takes the log's lock once: a backend that lost its client while it held the lock, or waited for it before us, is done
/// when we get it, so what it stored can be seen.
async fn settle(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(locks::LOG)
        .execute(connection)
        .await
        .map(|_| ())
}

fn is_outage(error: &sqlx::Error) -> bool {
    // class 57: operator intervention (shutdown, crash, termination); class 08: connection
    let away = |code: &str| code.starts_with("57P") || code.starts_with("08");
    if let sqlx::Error::Database(error) = error {
        return error.code().is_some_and(|code| away(&code));
    }
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed
    )
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}
