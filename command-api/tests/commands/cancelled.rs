//! Ten thousand clients that go away in the middle: what was acknowledged is in the log once, and no session stays in a transaction.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::Method;
use futures::future::poll_immediate;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::kit::{Answer, Api, request, send};

const CANCELLED: usize = 10_000;
const CLIENTS: usize = 64;
/// One client more patient than the others in so many, so that latencies stay known and something is acknowledged.
const PATIENT: u32 = 8;
const WATCH: Duration = Duration::from_millis(50);

/// What a client was told: the handle it registered, where that stands, and the event's id.
struct Told {
    handle: String,
    position: i64,
    event_id: String,
}

/// One client: it asks, goes away at some moment before the answer, and asks for something else.
struct Client {
    router: Router,
    token: String,
    number: usize,
    random: StdRng,
    /// How long an answer takes at present.
    latency: Duration,
}

impl Client {
    /// Asks until `cancelled` requests had no answer; what it was told in spite of that.
    async fn run(mut self, cancelled: usize) -> Vec<Told> {
        let (mut told, mut gone) = (Vec::new(), 0);
        for round in 0.. {
            if gone == cancelled {
                break;
            }
            let handle = format!("client-{}-{round}", self.number);
            match self.ask(&handle).await {
                Some(answer) => {
                    assert_eq!(answer.status, 201, "{handle}: {}", answer.body);
                    let position = answer.body["position"].as_i64().unwrap();
                    let event_id = answer.body["events"][0]["id"].as_str().unwrap().to_owned();
                    told.push(Told { handle, position, event_id });
                }
                None => gone += 1,
            }
        }
        told
    }

    /// The answer, unless the client went away before: after some time, or after some steps of the server's work.
    async fn ask(&mut self, handle: &str) -> Option<Answer> {
        let key = [("idempotency-key", handle)];
        let keyed = if self.random.random() { &key[..] } else { &[] };
        let body = json!({ "handle": handle });
        let asked = request(Method::POST, "/users", &self.token, &body, keyed);
        let mut answer = pin!(send(&self.router, asked));
        if self.random.random_ratio(1, PATIENT) {
            let began = Instant::now();
            let answer = answer.await;
            self.latency = (self.latency * 3 + began.elapsed()) / 4;
            return Some(answer);
        }
        if self.random.random() {
            let patience = self.latency.mul_f64(self.random.random());
            return tokio::time::timeout(patience, answer).await.ok();
        }
        for _ in 0..self.random.random_range(1..5) {
            if let Some(answer) = poll_immediate(&mut answer).await {
                return Some(answer);
            }
            tokio::task::yield_now().await;
        }
        None
    }
}

/// How many sessions of this database are in a transaction that nobody goes on with, for longer than `seconds`.
async fn idle_in_transaction(database: &PgPool, seconds: f64) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity where datname = current_database()
            and state like 'idle in transaction%' and clock_timestamp() - state_change > make_interval(secs => $1)",
    )
    .bind(seconds)
    .fetch_one(database)
    .await
    .unwrap()
}

/// Looks at the sessions until it is told to end; how often it looked.
async fn watch(database: PgPool, ended: Arc<AtomicBool>) -> u32 {
    let mut looks = 0;
    while !ended.load(Ordering::Relaxed) {
        assert_eq!(idle_in_transaction(&database, 1.0).await, 0, "while requests are cancelled");
        looks += 1;
        tokio::time::sleep(WATCH).await;
    }
    looks
}

/// Every registration in the log: handle, position, event. Handles are sealed there; the claim on each is as good.
async fn registered(api: &Api) -> Vec<(String, i64, String)> {
    sqlx::query_as(
        "select c.key, e.position, e.event_id::text from log.events e
           left join log.claims c on c.tenant_id = e.tenant_id and c.namespace = 'identity.user.handle'
            and c.aggregate_id = e.aggregate_id
          where e.event_type = 'identity.user.registered'",
    )
    .fetch_all(&api.owner)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_cancelled_requests_lose_nothing_and_leave_no_session_in_a_transaction() {
    let api = Api::start().await;
    let token = api.found("acme").await;
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let ended = Arc::new(AtomicBool::new(false));
    let mut watching = JoinSet::new();
    watching.spawn(watch(api.owner.clone(), Arc::clone(&ended)));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let share = CANCELLED / CLIENTS + usize::from(number < CANCELLED % CLIENTS);
        let client = Client {
            router: api.router.clone(),
            token: token.clone(),
            number,
            random: StdRng::seed_from_u64(seed.wrapping_add(number as u64)),
            latency: Duration::from_millis(20),
        };
        clients.spawn(client.run(share));
    }
    let told: Vec<Told> = clients.join_all().await.into_iter().flatten().collect();
    ended.store(true, Ordering::Relaxed);
    assert!(watching.join_all().await[0] > 0, "seed {seed}: nobody looked");

    let last = api.post("/users", &token, json!({ "handle": "after" })).await;
    assert_eq!(last.status, 201, "seed {seed}: {}", last.body);
    let registered = registered(&api).await;
    let mut found: HashMap<&str, (i64, &str)> = HashMap::new();
    for (handle, position, event_id) in &registered {
        let before = found.insert(handle, (*position, event_id));
        assert_eq!(before, None, "seed {seed}: {handle} is there twice");
    }
    for Told { handle, position, event_id } in &told {
        let here = found.get(handle.as_str());
        assert_eq!(here, Some(&(*position, event_id.as_str())), "seed {seed}: {handle}");
    }
    assert!(told.len() > CANCELLED / 100, "seed {seed}: only {} were answered", told.len());
    let unheard = registered.len() - told.len();
    eprintln!("{CANCELLED} cancelled: {} acknowledged besides, {unheard} kept unheard", told.len());
    let gaps: i64 = sqlx::query_scalar("select max(position) - count(*) from log.events")
        .fetch_one(&api.owner)
        .await
        .unwrap();
    assert_eq!(gaps, 0, "seed {seed}: positions have no gap");
    assert_eq!(idle_in_transaction(&api.owner, 1.0).await, 0, "seed {seed}: afterwards");
    api.stop().await;
}
