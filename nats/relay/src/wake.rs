//! What shortens the relay's wait: a NOTIFY that command-api sends after its commits. Losing one costs a poll.

use std::pin::Pin;

use futures::{FutureExt, Stream, StreamExt};
use platform::db::{self, Role};
use sqlx::postgres::{PgListener, PgNotification};

/// The channel on which command-api says that the log has grown.
const CHANNEL: &str = "annals_log";

type Notifications = Pin<Box<dyn Stream<Item = Result<PgNotification, sqlx::Error>> + Send>>;

/// An open ear, or a deaf one that only polls.
pub(crate) struct Wake(Option<Notifications>);

impl Wake {
    pub(crate) async fn listen(url: &str) -> Self {
        match open(url).await {
            Ok(notifications) => Self(Some(notifications)),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "the relay cannot listen, it polls every 20 ms");
                Self(None)
            }
        }
    }

    /// Returns at the next notification; never, when deaf.
    pub(crate) async fn heard(&mut self) {
        if let Some(notifications) = &mut self.0 {
            if let Some(Ok(_)) = notifications.next().await {
                // All that has piled up is answered by one read.
                while let Some(Some(Ok(_))) = notifications.next().now_or_never() {}
                return;
            }
            self.0 = None;
        }
        std::future::pending::<()>().await;
    }
}

async fn open(url: &str) -> anyhow::Result<Notifications> {
    let pool = db::connect(url, Role::Relay, 1).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(Box::pin(listener.into_stream()))
}
