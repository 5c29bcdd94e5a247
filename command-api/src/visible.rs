//! In which read models a command can be seen, for whoever asks the command to wait for that.

use std::time::Duration;

use platform::prefer::Prefer;
use platform::projections;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::app::App;
use crate::registry::Incoming;

/// Who waits beyond these is answered at once.
pub(crate) const WAITING_MOST: usize = 64;
/// More names than there are read models wait for nothing.
const NAMED_MOST: usize = projections::NAMES.len();
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// How far a read model is.
#[derive(sqlx::FromRow)]
struct Progress {
    projection: String,
    position: i64,
    /// Whether its position is one of the present epoch.
    of_epoch: bool,
    state: String,
}

/// Where a read model is, seen from a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Reached,
    /// On its way there.
    Behind,
    /// Not moving, or not known at all.
    Still,
}

impl App {
    /// Waits as `Prefer: wait` says until those of `Wait-For` show what was stored, or all read models where it names none.
    /// What was stored is stored: being late is no error. Nobody waits for one that is not moving.
    pub(crate) async fn wait_until_visible(
        &self,
        request: &Incoming,
        prefer: Prefer,
        answer: &mut Answer,
    ) {
        let (Some(wait), Some(position)) = (prefer.wait, answer.position) else { return };
        let Ok(_turn) = self.waiting.try_acquire() else { return };
        let wait = wait.min(Duration::from_millis(self.settings.max_wait_ms));
        let began = std::time::Instant::now();
        let deadline = Instant::now() + wait;
        let mut pause = FIRST_PAUSE;
        let wanted = wanted(request);
        loop {
            let Ok(progress) = self.progress().await else { return };
            let stand = |name: &String| stand(&progress, name, position);
            let moving = wanted.iter().any(|name| stand(name) == Stand::Behind);
            let (visible, pending) =
                wanted.iter().cloned().partition::<Vec<_>, _>(|name| stand(name) == Stand::Reached);
            (answer.visible_in, answer.pending_in) = (Some(visible), Some(pending));
            if !moving || Instant::now() + pause > deadline {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        request.facts.notes.phase("project", began);
        request.facts.notes.applied(format!("wait={}", wait.as_secs()));
    }

    /// How far every read model is that has begun.
    async fn progress(&self) -> Result<Vec<Progress>, sqlx::Error> {
        sqlx::query_as(
            "select c.projection, c.position, c.epoch = h.epoch as of_epoch, c.state
               from read.checkpoints c cross join log.head h",
        )
        .fetch_all(&self.pool)
        .await
    }
}

/// The registered read models say who must catch up, not the rows that happen to be there.
fn stand(progress: &[Progress], name: &str, position: i64) -> Stand {
    match progress.iter().find(|known| known.projection == name) {
        Some(known) if known.of_epoch && known.position >= position => Stand::Reached,
        Some(known) if known.state == "live" => Stand::Behind,
        Some(_) | None => Stand::Still,
    }
}

/// The read models named, or all; one that we do not know stays pending.
fn wanted(request: &Incoming) -> Vec<String> {
    let named = request.headers.get("wait-for").and_then(|value| value.to_str().ok());
    let named = named.unwrap_or_default().split(',').map(|name| name.trim().trim_matches('"'));
    let named: Vec<String> =
        named.filter(|name| !name.is_empty()).take(NAMED_MOST).map(str::to_owned).collect();
    if named.is_empty() { projections::NAMES.map(str::to_owned).to_vec() } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(projection: &str, position: i64, of_epoch: bool, state: &str) -> Progress {
        Progress { projection: projection.into(), position, of_epoch, state: state.into() }
    }

    #[test]
    fn a_read_model_shows_a_position_once_it_has_read_so_far_in_the_same_epoch() {
        let rows = [
            row("there", 7, true, "live"),
            row("before_a_restore", 900, false, "live"),
            row("on_its_way", 6, true, "live"),
            row("stopped", 6, true, "stopped"),
            row("stopped_later", 8, true, "stopped"),
        ];
        let stand = |name| stand(&rows, name, 7);
        assert_eq!(stand("there"), Stand::Reached);
        assert_eq!(stand("before_a_restore"), Stand::Behind);
        assert_eq!(stand("on_its_way"), Stand::Behind);
        assert_eq!(stand("stopped"), Stand::Still);
        assert_eq!(stand("stopped_later"), Stand::Reached);
        assert_eq!(stand("without_a_row"), Stand::Still);
    }
}
