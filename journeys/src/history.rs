//! What clients did and were told, and whether the log agrees: the checker looks at the clients' own history, never at internals.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::client::Client;

const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// A client that gets no answer for this long has found a bug.
const PATIENCE: Duration = Duration::from_mins(2);

/// One command that was acknowledged.
#[derive(Debug, Clone)]
pub struct Done {
    /// The handle it registered: the command's own name.
    pub handle: String,
    /// When it was first sent.
    pub invoked: Instant,
    /// When it was acknowledged.
    pub acknowledged: Instant,
    /// The position it was told.
    pub position: i64,
    /// The event it was told of.
    pub event_id: String,
    /// How often it was sent.
    pub tries: u32,
}

/// Clients that register users, each with a key of its own, and repeat until they are told.
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    clients: Vec<tokio::task::JoinHandle<anyhow::Result<Vec<Done>>>>,
}

impl Load {
    /// Starts `count` clients; each goes from one of `urls` to the next when it gets no answer.
    #[expect(clippy::disallowed_methods, reason = "the load of a journey belongs to no process")]
    pub fn start(client: &Client, urls: &[String], count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let clients = (0..count).map(|number| {
            let work = Worker {
                clients: urls.iter().map(|url| client.at(url)).collect(),
                number,
                stop: Arc::clone(&stop),
                acknowledged: Arc::clone(&acknowledged),
            };
            tokio::spawn(work.run())
        });
        let clients = clients.collect();
        Self { stop, acknowledged, clients }
    }

    /// How many commands were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Returns when `more` commands have been acknowledged since the call.
    pub async fn progress(&self, more: u64, limit: Duration) -> anyhow::Result<()> {
        let (from, began) = (self.acknowledged(), Instant::now());
        while self.acknowledged() < from + more {
            anyhow::ensure!(began.elapsed() < limit, "no command was acknowledged for {limit:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Lets every client finish the command in hand.
    pub async fn finish(self) -> anyhow::Result<Vec<Done>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut history = Vec::new();
        for client in self.clients {
            history.extend(client.await??);
        }
        Ok(history)
    }
}

struct Worker {
    clients: Vec<Client>,
    number: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Worker {
    async fn run(self) -> anyhow::Result<Vec<Done>> {
        let mut history = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let handle = format!("c{}-{}", self.number, history.len());
            history.push(self.register(handle).await?);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(history)
    }

    async fn register(&self, handle: String) -> anyhow::Result<Done> {
        let body = json!({ "handle": handle });
        let invoked = Instant::now();
        for tries in 1.. {
            let client = &self.clients[(self.number + tries as usize) % self.clients.len()];
            let headers = [("idempotency-key", handle.as_str())];
            let sent = client.command(Method::POST, "/users", &body, &headers).await;
            match sent {
                Ok(reply) if reply.status == 201 => {
                    return Ok(Done {
                        position: reply.body["position"].as_i64().unwrap_or_default(),
                        event_id: reply.body["events"][0]["id"]
                            .as_str()
                            .unwrap_or_default()
                            .to_owned(),
                        acknowledged: Instant::now(),
                        handle,
                        invoked,
                        tries,
                    });
                }
                // No answer, or one that promises nothing: the same key again.
                Ok(reply) if reply.status >= 500 => {}
                Err(_) => {}
                Ok(reply) => anyhow::bail!("{handle}: {} {}", reply.status, reply.body),
            }
            anyhow::ensure!(invoked.elapsed() < PATIENCE, "{handle} was never answered");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        anyhow::bail!("{handle} was tried too often")
    }
}

/// What is wrong between what clients were told and what the log holds; empty when nothing is.
pub async fn check(history: &[Done], database: &sqlx::PgPool) -> anyhow::Result<Vec<String>> {
    // Handles are sealed in events; the claim on each is as good, and there is one for each.
    let rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(
        "select e.position, e.event_id::text, c.key from log.events e
           left join log.claims c on c.tenant_id = e.tenant_id and c.aggregate_id = e.aggregate_id
            and c.namespace = 'identity.user.handle'
          where e.event_type = 'identity.user.registered' order by e.position",
    )
    .fetch_all(database)
    .await?;
    let mut wrong = Vec::new();
    let mut found: HashMap<String, (i64, String)> = HashMap::new();
    for (position, event_id, handle) in rows {
        let Some(handle) = handle else {
            wrong.push(format!("duplicate: whoever is registered at {position} has no handle"));
            continue;
        };
        if let Some((first, _)) = found.insert(handle.clone(), (position, event_id)) {
            wrong.push(format!("duplicate: {handle} at {first} and {position}"));
        }
    }
    for done in history {
        match found.get(&done.handle) {
            None => {
                wrong.push(format!("lost: {} was acknowledged at {}", done.handle, done.position));
            }
            Some((position, event_id))
                if (*position, event_id) != (done.position, &done.event_id) =>
            {
                wrong.push(format!(
                    "moved: {} was told {} and is at {position}",
                    done.handle, done.position
                ));
            }
            Some(_) => {}
        }
    }
    wrong.extend(out_of_order(history));
    Ok(wrong)
}

/// A command sent after another was acknowledged must stand after it: compared in order of sending, against the highest
/// position acknowledged before.
fn out_of_order(history: &[Done]) -> Vec<String> {
    let mut by_invocation: Vec<&Done> = history.iter().collect();
    by_invocation.sort_by_key(|done| done.invoked);
    let mut by_acknowledgement: Vec<&Done> = history.iter().collect();
    by_acknowledgement.sort_by_key(|done| done.acknowledged);
    let mut acknowledged = by_acknowledgement.into_iter().peekable();
    let mut highest: Option<&Done> = None;
    let mut wrong = Vec::new();
    for done in by_invocation {
        while let Some(earlier) =
            acknowledged.next_if(|earlier| earlier.acknowledged < done.invoked)
        {
            if highest.is_none_or(|highest| highest.position < earlier.position) {
                highest = Some(earlier);
            }
        }
        if let Some(highest) = highest.filter(|highest| highest.position > done.position) {
            wrong.push(format!("out of order: {} stands before {}", done.handle, highest.handle));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(handle: &str, invoked: u64, acknowledged: u64, position: i64) -> Done {
        let zero = Instant::now();
        Done {
            handle: handle.into(),
            invoked: zero + Duration::from_secs(invoked),
            acknowledged: zero + Duration::from_secs(acknowledged),
            position,
            event_id: String::new(),
            tries: 1,
        }
    }

    #[test]
    fn the_checker_sees_a_later_command_that_stands_earlier() {
        assert_eq!(out_of_order(&[done("a", 0, 1, 7), done("b", 2, 3, 5)]).len(), 1);
    }

    #[test]
    fn commands_that_overlap_may_stand_either_way() {
        assert!(out_of_order(&[done("a", 0, 3, 7), done("b", 1, 2, 5)]).is_empty());
    }
}
