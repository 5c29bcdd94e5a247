//! In which read models a command can be seen, for whoever asks the command to wait for that.

use std::time::Duration;

use platform::prefer::Prefer;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::app::App;
use crate::registry::Incoming;

/// Who waits beyond these is answered at once.
pub(crate) const WAITING_MOST: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

impl App {
    /// Waits as `Prefer: wait` says until those of `Wait-For` show what was stored, or all read models where it names none.
    /// What was stored is stored: being late is no error.
    pub(crate) async fn wait_until_visible(
        &self,
        request: &Incoming,
        prefer: Prefer,
        mut answer: Answer,
    ) -> Answer {
        let (Some(wait), Some(position)) = (prefer.wait, answer.position) else { return answer };
        let Ok(_turn) = self.waiting.try_acquire() else { return answer };
        let wait = wait.min(Duration::from_millis(self.settings.max_wait_ms));
        let began = std::time::Instant::now();
        let deadline = Instant::now() + wait;
        let mut pause = FIRST_PAUSE;
        loop {
            let Ok(progress) = self.progress().await else { return answer };
            let wanted = wanted(request, &progress);
            let reached =
                |name: &String| progress.iter().any(|(known, at)| known == name && *at >= position);
            let (visible, pending) = wanted.into_iter().partition::<Vec<_>, _>(reached);
            let done = pending.is_empty();
            (answer.visible_in, answer.pending_in) = (Some(visible), Some(pending));
            if done || Instant::now() + pause > deadline {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        request.facts.notes.phase("project", began);
        request.facts.notes.applied(format!("wait={}", wait.as_secs()));
        answer
    }

    /// How far every read model is.
    async fn progress(&self) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let all = "select projection, position from read.checkpoints order by projection";
        sqlx::query_as(all).fetch_all(&self.pool).await
    }
}

/// The read models named; one that we do not know stays pending for ever.
fn wanted(request: &Incoming, known: &[(String, i64)]) -> Vec<String> {
    let named = request.headers.get("wait-for").and_then(|value| value.to_str().ok());
    let named = named.unwrap_or_default().split(',').map(|name| name.trim().trim_matches('"'));
    let named: Vec<String> =
        named.filter(|name| !name.is_empty()).take(known.len()).map(str::to_owned).collect();
    if named.is_empty() { known.iter().map(|(name, _)| name.clone()).collect() } else { named }
}
