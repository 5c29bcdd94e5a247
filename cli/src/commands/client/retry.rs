//! What may be repeated, when, and for how long.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use platform::problem::Problem;
use reqwest::{RequestBuilder, Response, StatusCode};

use super::Error;

/// How long a server may be away before we give up.
const PATIENCE: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The attempts at one request.
pub(super) struct Attempts {
    failing_since: Option<Instant>,
    pause: Duration,
}

impl Attempts {
    pub(super) fn begin() -> Self {
        Self { failing_since: None, pause: FIRST_PAUSE }
    }

    /// What came of an attempt; nothing when it is to be made again, after a pause that has then passed.
    pub(super) async fn judge(
        &mut self,
        sent: reqwest::Result<Response>,
    ) -> Option<Result<Response, Error>> {
        let (error, wanted) = match sent {
            Ok(response) if response.status().is_success() => return Some(Ok(response)),
            Ok(response) => {
                let wanted = retry_after(&response);
                let problem = problem(response).await;
                if !may_pass(&problem) {
                    return Some(Err(Error::Refused(Box::new(problem))));
                }
                (Error::Refused(Box::new(problem)), wanted)
            }
            Err(error) => {
                let place = error.url().map(|url| url.origin().ascii_serialization());
                let error = anyhow!(error.without_url());
                let place = place.unwrap_or_default();
                (Error::Failed(error.context(format!("no answer from {place}"))), None)
            }
        };
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() > PATIENCE {
            return Some(Err(error));
        }
        tokio::time::sleep(self.next_pause().max(wanted.unwrap_or_default())).await;
        None
    }

    /// Doubles, with a random part, so that many who failed together do not come back together.
    fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        let [part] = platform::secrets::random::<1>();
        pause / 2 + pause.mul_f64(f64::from(part) / 510.0)
    }
}

/// Sends until there is an answer that repeating would not change, or patience ends.
pub(super) async fn persist(request: impl Fn() -> RequestBuilder) -> Result<Response, Error> {
    let mut attempts = Attempts::begin();
    loop {
        let sent = request().send().await;
        if let Some(outcome) = attempts.judge(sent).await {
            return outcome;
        }
    }
}

/// Whether the same request can meet another answer.
fn may_pass(problem: &Problem) -> bool {
    let passing = matches!(problem.status, 429 | 502 | 503 | 504);
    passing || (problem.retryable && problem.status != 500)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// What the server says; a proxy between us may not speak as ours do.
async fn problem(response: Response) -> Problem {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_else(|_| {
        let status = StatusCode::from_u16(status.as_u16()).unwrap_or_default();
        let mut words: String = text.chars().take(200).collect();
        if words.trim().is_empty() {
            words = format!("the answer was {status}");
        }
        Problem::new(status, "UNEXPECTED_ANSWER", words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: StatusCode, retryable: bool) -> Problem {
        Problem { retryable, ..Problem::new(status, "X", "x") }
    }

    #[test]
    fn only_what_can_pass_is_repeated() {
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            assert!(may_pass(&problem(status, false)));
        }
        assert!(may_pass(&problem(StatusCode::CONFLICT, true)), "busy");
        assert!(!may_pass(&problem(StatusCode::CONFLICT, false)));
        assert!(!may_pass(&problem(StatusCode::INTERNAL_SERVER_ERROR, true)));
        assert!(!may_pass(&problem(StatusCode::UNPROCESSABLE_ENTITY, false)));
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut attempts = Attempts::begin();
        let pauses: Vec<Duration> = (0..20).map(|_| attempts.next_pause()).collect();
        assert!(pauses[0] <= FIRST_PAUSE && pauses[0] >= FIRST_PAUSE / 2);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert!(pauses[19] >= LONGEST_PAUSE / 2);
    }
}
