//! Starting tasks so that they end: one shutdown signal, named tasks, a bounded join.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The signal to end; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A signal that nobody has given yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether the signal was given.
    pub fn begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Returns when the signal is given.
    pub async fn wait(&self) {
        self.0.cancelled().await;
    }

    /// A signal that follows this one and can also be given alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Sleeps, but not past the signal; whether to go on.
    pub async fn sleep(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.wait() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}

/// A pause after a failure that was waited out.
const RETRY: Duration = Duration::from_secs(5);

impl Shutdown {
    /// Lets `who` work until the signal, and begin anew after a failure: an outage is waited out. Work that the signal cuts off
    /// must be such that it can be done again.
    pub async fn work<F>(&self, who: &'static str, work: impl Fn() -> F)
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        while !self.begun() {
            let worked = tokio::select! {
                worked = work() => worked,
                () = self.wait() => Ok(()),
            };
            if let Err(error) = worked {
                tracing::warn!(error = format!("{error:#}"), "{who} pause, trying again");
                self.sleep(RETRY).await;
            }
        }
    }
}

/// The tasks of one process, ended together.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: Shutdown,
}

impl Tasks {
    /// Tasks that end by this signal.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { tracker: TaskTracker::new(), shutdown }
    }

    /// Their signal.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Starts a task; when it fails or panics, everything is told to end, because a half-running process lies about its health.
    #[expect(clippy::disallowed_methods, reason = "this is where tasks are started")]
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        self.tracker.spawn(async move {
            match tokio::spawn(task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(task = name, error = format!("{error:#}"), "task failed");
                    shutdown.begin();
                }
                Err(error) => {
                    tracing::error!(task = name, %error, "task panicked");
                    shutdown.begin();
                }
            }
        });
    }

    /// Waits for all tasks, at most `limit`; whether all ended.
    pub async fn join(self, limit: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

/// Starts a short task that belongs to nobody, such as the tail of a request.
#[expect(clippy::disallowed_methods, reason = "this is where tasks are started")]
pub fn detach<F: Future<Output = ()> + Send + 'static>(task: F) {
    tokio::spawn(task);
}
