//! The runtime on a real Postgres and a real NATS: retries, dead letters, lost workers, duplicates, turns.

mod dead_letters;
mod later;
mod processes;

use std::sync::Mutex;
use std::time::Duration;

use events::envelope::Recorded;
use events::identity::user::{Event as UserEvent, User};
use events::settings::configuration::{self, Configuration, Scope};
use events::settings::{self, Key};
use events::testing::id;
use events::{UnitId, UserId};
use platform::clock;
use serde_json::json;
use sqlx::PgConnection;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::queue::{Ended, Hold, NewJob};
use super::*;
use crate::testing::Log;

const KIND: &str = "test.work";
const LEASE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);

/// What the test's handler did, in order: job and attempt. Each test has a process of its own.
static SEEN: Mutex<Vec<(String, i32)>> = Mutex::new(Vec::new());
static GIVEN_UP: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LET_GO: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn seen() -> Vec<(String, i32)> {
    SEEN.lock().unwrap().clone()
}

fn times(subject: &str) -> usize {
    seen().iter().filter(|(of, _)| of == subject).count()
}

/// Does what the job's body says.
fn act<'a>(_: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    Box::pin(async move {
        SEEN.lock().unwrap().push((job.subject_id.clone(), job.attempt));
        match job.body["do"].as_str().unwrap_or("succeed") {
            "fail" => Err(anyhow::anyhow!("it did not work").into()),
            "fail once" if job.attempt == 1 => Err(anyhow::anyhow!("not yet").into()),
            "refuse" => Ok(Done::Failed("never".into())),
            "later" => Ok(Done::Later(Duration::from_hours(1), "not taken".into())),
            "not yet" if times(&job.subject_id) < 6 => Ok(Done::NotYet(Duration::from_hours(1))),
            "panic" => panic!("as told"),
            "take long" => {
                tokio::time::sleep(3 * LEASE).await;
                Ok(Done::Finished)
            }
            "hang" => std::future::pending().await,
            _ => Ok(Done::Finished),
        }
    })
}

fn tell<'a>(_: &'a Office, job: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    Box::pin(async move {
        GIVEN_UP.lock().unwrap().push(job.subject_id.clone());
        Ok(())
    })
}

fn let_go<'a>(_: &'a Office, job: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    Box::pin(async move {
        LET_GO.lock().unwrap().push(job.subject_id.clone());
        Ok(())
    })
}

fn handler() -> Handler {
    Handler {
        kind: KIND,
        slots: 2,
        lease: LEASE,
        max_attempts: 3,
        run: act,
        give_up: tell,
        let_go: None,
        test: None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_registered(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let subject_id = event.aggregate_id.clone();
    Ok(vec![Effect::Start { kind: KIND, subject_id, body: json!({}) }])
}

fn reaction() -> Reaction {
    Reaction {
        name: "test_work",
        events: &["identity.user.registered"],
        react: React::Event(on_registered),
    }
}

/// A log and the runtime over it.
struct House {
    log: Log,
    office: Office,
    nats_url: String,
    _folder: TempDir,
}

/// A runtime that was started.
struct Started {
    shutdown: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Started {
    async fn stop(self) {
        self.shutdown.begin();
        self.running.await.unwrap().unwrap();
    }
}

impl House {
    async fn new() -> Self {
        let (log, folder) = (Log::new().await, tempfile::tempdir().unwrap());
        let settings = log.database.settings(folder.path()).unwrap();
        let office = Office::open(&settings).await.unwrap();
        // A space of its own on the bus, so that tests do not ring each other's bells.
        let space: [u8; 6] = platform::secrets::random();
        let nats_url = format!("{}/{}", settings.nats_url, hex::encode(space));
        Self { log, office, nats_url, _folder: folder }
    }

    #[expect(clippy::disallowed_methods, reason = "the test waits for it itself")]
    fn start(&self, jobs: Jobs, bus: Option<nats::Bus>) -> Started {
        let shutdown = Shutdown::new();
        let running = run_with(self.fresh_office(), bus, vec![jobs], shutdown.clone());
        Started { shutdown, running: tokio::spawn(running) }
    }

    /// The runtime closes its pool at the end, so each gets one of its own.
    fn fresh_office(&self) -> Office {
        let options = self.office.pool.connect_options();
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(8)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::Executor::execute(connection, "set role workers").await.map(|_| ())
                })
            })
            .connect_lazy_with((*options).clone());
        Office { pool, ..self.office.clone() }
    }

    async fn put(&self, tenant: u128, subject: &str, what: &str) -> Uuid {
        let job = NewJob {
            job_id: clock::new_id(),
            tenant: id(tenant),
            kind: KIND,
            subject_id: subject.into(),
            body: json!({"do": what}),
            cause: platform::commands::Cause::default(),
        };
        let mut connection = self.office.pool.acquire().await.unwrap();
        let job_id = job.job_id;
        queue::add(&mut connection, vec![job], |_| 3).await.unwrap();
        job_id
    }

    async fn take(&self, lease: Duration) -> Option<Job> {
        queue::take(&self.office.pool, KIND, "by hand", lease).await.unwrap()
    }

    async fn states(&self) -> Vec<(String, i32)> {
        sqlx::query_as("select state, attempt from work.jobs order by created_at, job_id")
            .fetch_all(&self.office.pool)
            .await
            .unwrap()
    }

    /// Waits until every job stands so; jobs that wait for their next attempt are made due at once.
    async fn until(&self, expected: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let states = self.states().await;
            if states.iter().map(|(state, _)| state.as_str()).eq(expected.iter().copied()) {
                return;
            }
            assert!(Instant::now() < deadline, "{expected:?} was expected, not {states:?}");
            sqlx::query(
                "update work.jobs set run_at = now() where state = 'queued' and run_at > now()",
            )
            .execute(&self.office.pool)
            .await
            .unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn register(&self, number: u128) {
        let registered = UserEvent::Registered {
            handle: format!("user{number}"),
            display_name: "User".into(),
            email: None,
            locale: "en".into(),
            time_zone: "UTC".into(),
        };
        self.log.append::<User>(id(1), id::<UserId>(number), &[registered]).await;
    }
}

fn only(handler: Handler) -> Jobs {
    Jobs { handlers: vec![handler], ..Jobs::none() }
}

#[test]
fn ids_follow_from_the_cause_alone() {
    let one = id_caused_by("exports_render", "0190", "exports.render/1");
    assert_eq!(one, id_caused_by("exports_render", "0190", "exports.render/1"));
    assert_ne!(one, id_caused_by("exports_render", "0191", "exports.render/1"));
    assert_eq!(one.get_version_num(), 5);
}

#[tokio::test]
async fn an_event_leads_to_one_job_however_often_it_is_read() {
    let house = House::new().await;
    for number in 0..20 {
        house.register(number).await;
    }
    let jobs = || Jobs { reactions: vec![reaction()], handlers: vec![handler()], ..Jobs::none() };
    let (one, other) = (house.start(jobs(), None), house.start(jobs(), None));
    house.until(&["succeeded"; 20]).await;
    one.stop().await;
    other.stop().await;

    // Read from the start again, as after a restored backup.
    sqlx::query("update work.reactions set position = 0")
        .execute(&house.office.pool)
        .await
        .unwrap();
    let again = house.start(jobs(), None);
    house.register(20).await;
    house.until(&["succeeded"; 21]).await;
    again.stop().await;
    assert_eq!(seen().len(), 21, "{:?}", seen());
}

#[tokio::test]
async fn the_bus_wakes_and_ends_up_empty() {
    let house = House::new().await;
    let bus = nats::connect(&house.nats_url).await.unwrap();
    bus.ready(PATIENCE).await.unwrap();
    let jobs = Jobs { reactions: vec![reaction()], handlers: vec![handler()], ..Jobs::none() };
    let started = house.start(jobs, Some(bus.clone()));
    for number in 0..5 {
        house.register(number).await;
    }
    house.until(&["succeeded"; 5]).await;
    let mut spare = nats::jobs::Worker::new(&bus, KIND, LEASE);
    let deadline = Instant::now() + PATIENCE;
    while !matches!(spare.next(Duration::from_millis(300)).await, nats::jobs::Next::Idle) {
        assert!(Instant::now() < deadline, "messages are left on the bus");
    }
    started.stop().await;
    assert_eq!(seen().len(), 5);
}

#[tokio::test]
async fn the_job_of_a_killed_worker_goes_to_another_and_the_old_one_has_no_say() {
    let house = House::new().await;
    house.put(1, "lost", "succeed").await;
    let killed = house.take(Duration::from_millis(200)).await.unwrap();
    let started = house.start(only(handler()), None);
    house.until(&["succeeded"]).await;
    assert_eq!(seen(), [("lost".to_owned(), 2)]);
    let pool = &house.office.pool;
    assert_eq!(killed.heartbeat(pool, LEASE).await.unwrap(), Hold::Lost);
    assert_eq!(killed.look(pool).await.unwrap(), Hold::Lost);
    assert!(!killed.end(pool, Ended::Failed, Some("too late")).await.unwrap());
    assert!(!killed.retry(pool, LEASE, "too late").await.unwrap());
    killed.give_back(pool).await.unwrap();
    assert_eq!(house.states().await, [("succeeded".to_owned(), 2)]);
    started.stop().await;
}

#[tokio::test]
async fn heartbeats_keep_a_long_job_with_its_worker() {
    let house = House::new().await;
    house.put(1, "long", "take long").await;
    let started = house.start(only(handler()), None);
    house.until(&["succeeded"]).await;
    started.stop().await;
    assert_eq!(seen(), [("long".to_owned(), 1)]);
}

#[tokio::test]
async fn a_cancelled_job_ends_and_frees_its_worker() {
    let house = House::new().await;
    house.put(1, "unwanted", "hang").await;
    let started = house.start(only(Handler { slots: 1, ..handler() }), None);
    house.until(&["running"]).await;
    let mut connection: sqlx::pool::PoolConnection<_> = house.office.pool.acquire().await.unwrap();
    let connection: &mut PgConnection = &mut connection;
    queue::cancel(connection, id(1), KIND, "unwanted").await.unwrap();
    house.put(1, "next", "succeed").await;
    house.until(&["cancelled", "succeeded"]).await;
    started.stop().await;
}

#[tokio::test]
async fn a_worker_lets_go_of_what_it_is_at_before_its_next_heartbeat_and_says_so() {
    let house = House::new().await;
    house.put(1, "unwanted", "hang").await;
    let lease = Duration::from_mins(5); // its heartbeats come too late to hear of anything
    let interruptible = Handler { let_go: Some(let_go), lease, ..handler() };
    let started = house.start(only(interruptible), None);
    house.until(&["running"]).await;
    let mut connection = house.office.pool.acquire().await.unwrap();
    queue::interrupt(&mut connection, id(2), KIND, "unwanted").await.unwrap();
    queue::interrupt(&mut connection, id(1), KIND, "unwanted").await.unwrap();
    house.until(&["cancelled"]).await;
    started.stop().await;
    assert_eq!(*LET_GO.lock().unwrap(), ["unwanted"]);
}

#[tokio::test]
async fn what_a_killed_worker_was_to_let_go_of_is_let_go_by_the_next() {
    let house = House::new().await;
    house.put(1, "unwanted", "hang").await;
    let killed = house.take(Duration::from_millis(200)).await.unwrap();
    let mut connection = house.office.pool.acquire().await.unwrap();
    queue::interrupt(&mut connection, id(1), KIND, "unwanted").await.unwrap();
    assert_eq!(killed.look(&house.office.pool).await.unwrap(), Hold::Interrupted);
    let started = house.start(only(Handler { let_go: Some(let_go), ..handler() }), None);
    house.until(&["cancelled"]).await;
    started.stop().await;
    assert_eq!(*LET_GO.lock().unwrap(), ["unwanted"]);
}

#[tokio::test]
async fn a_process_that_ends_gives_its_jobs_back_uncounted() {
    let house = House::new().await;
    house.put(1, "unfinished", "hang").await;
    let started = house.start(only(handler()), None);
    house.until(&["running"]).await;
    started.stop().await;
    assert_eq!(house.states().await, [("queued".to_owned(), 0)]);
}

#[tokio::test]
async fn organisations_take_turns() {
    let house = House::new().await;
    for number in 0..6 {
        house.put(1, &format!("large {number}"), "succeed").await;
    }
    for number in 0..2 {
        house.put(2, &format!("small {number}"), "succeed").await;
    }
    let mut order = Vec::new();
    while let Some(job) = house.take(LEASE).await {
        order.push(job.tenant_id);
        job.end(&house.office.pool, Ended::Succeeded, None).await.unwrap();
    }
    let (large, small) = (id(1), id(2));
    assert_eq!(order, [large, small, large, small, large, large, large, large]);
}

#[tokio::test]
async fn ten_thousand_jobs_of_one_organisation_do_not_hold_up_the_first_of_another() {
    let house = House::new().await;
    let job = |number: i32| NewJob {
        job_id: clock::new_id(),
        tenant: id(1),
        kind: KIND,
        subject_id: number.to_string(),
        body: json!({}),
        cause: platform::commands::Cause::default(),
    };
    let mut connection = house.office.pool.acquire().await.unwrap();
    queue::add(&mut connection, (0..10_000).map(job).collect(), |_| 3).await.unwrap();
    let before = house.take(LEASE).await.unwrap();
    house.put(2, "small", "succeed").await;
    let next = house.take(LEASE).await.unwrap();
    assert_eq!((before.tenant_id, next.tenant_id), (id(1), id(2)));
    before.end(&house.office.pool, Ended::Succeeded, None).await.unwrap();
    assert_eq!(house.take(LEASE).await.unwrap().tenant_id, id(1));
}

#[tokio::test]
async fn two_workers_never_hold_the_same_job() {
    let house = House::new().await;
    for number in 0..40 {
        house.put(number % 3, &number.to_string(), "succeed").await;
    }
    let takers = (0..8).map(|_| async {
        let mut taken = Vec::new();
        while let Some(job) = house.take(LEASE).await {
            taken.push(job.id);
        }
        taken
    });
    let mut all = futures::future::join_all(takers).await.concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40);
}

#[tokio::test]
async fn delays_grow_and_stay_bounded() {
    let house = House::new().await;
    house.put(1, "x", "succeed").await;
    let mut job = house.take(LEASE).await.unwrap();
    for (attempt, seconds) in [(1, 5), (2, 20), (3, 80), (4, 320), (9, 900), (99, 900)] {
        job.attempt = attempt;
        let (least, delay) = (Duration::from_secs(seconds), job.back_off());
        assert!(delay >= least && delay <= least + least / 4, "{attempt}: {delay:?}");
    }
}

#[tokio::test]
async fn a_setting_holds_as_the_nearest_unit_says_and_then_the_organisation() {
    let log = Log::new().await;
    let (office, _folder) = log.office("http://127.0.0.1:1").await;
    let (tenant, units): (TenantId, [UnitId; 2]) = (id(1), [id(7), id(8)]);
    let paper = async |units: &[UnitId]| {
        let found = office.setting_in(tenant, units, Key::ExportsPaper).await.unwrap();
        found.text().unwrap().to_owned()
    };
    let chosen = |size: &str| configuration::Event::SettingChosen {
        key: Key::ExportsPaper,
        value: settings::Value::Text(size.into()),
    };
    assert_eq!(paper(&units).await, "a4");
    log.append::<Configuration>(tenant, tenant, &[chosen("letter")]).await;
    assert_eq!((paper(&[]).await, paper(&units).await), ("letter".into(), "letter".into()));
    log.append::<Configuration>(tenant, units[1], &[chosen("a4")]).await;
    assert_eq!((paper(&[]).await, paper(&units).await), ("letter".into(), "a4".into()));
    let user: UserId = id(9);
    let own = async || {
        let held = office.setting_for((tenant, user), &units, Key::ExportsPaper).await.unwrap();
        held.text().unwrap().to_owned()
    };
    assert_eq!(own().await, "a4");
    let scope = Scope::User(user).stream(tenant);
    log.append::<Configuration>(tenant, scope, &[chosen("letter")]).await;
    assert_eq!(own().await, "letter", "a user's own choice comes first");
}
