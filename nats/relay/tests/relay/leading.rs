//! Any number of relays run, one works; one that was paused and works on changes nothing.

use std::sync::mpsc;
use std::time::Duration;

use platform::lifecycle::Shutdown;

use crate::support::{Place, SOON, places};

const LEADERS: &str = "select count(*) from pg_locks
    where locktype = 'advisory' and granted
      and database = (select oid from pg_database where datname = current_database())";

#[tokio::test]
async fn one_of_several_leads_and_another_takes_over() {
    let mut place = Place::new().await;
    let relays = [place.relay(), place.relay(), place.relay()];
    let mut last = 0;
    for relay in relays {
        last = place.append(500).await;
        place.published(last).await;
        assert_eq!(place.count(LEADERS).await, 1);
        relay.stop().await;
    }
    assert_eq!(places(&place.stream(last).await), [(1, 1500)]);
    assert_eq!(place.count(LEADERS).await, 0);
}

/// A relay on a thread of its own that stops dead on request, as a process does that is sent SIGSTOP: its connections
/// stay open and whatever it had begun goes on later.
struct Pausable {
    resume: Option<mpsc::Sender<()>>,
    pause: tokio::sync::mpsc::Sender<mpsc::Receiver<()>>,
    shutdown: Shutdown,
    thread: std::thread::JoinHandle<()>,
}

impl Pausable {
    fn start(place: &Place) -> Self {
        let settings = place.settings();
        let shutdown = Shutdown::new();
        let (pause, mut pauses) = tokio::sync::mpsc::channel::<mpsc::Receiver<()>>(1);
        let signal = shutdown.clone();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let frozen = async {
                    while let Some(resumed) = pauses.recv().await {
                        resumed.recv().ok(); // blocks the only thread
                    }
                };
                let relay = relay::run(settings, signal);
                tokio::join!(async { relay.await.unwrap() }, frozen);
            });
        });
        Self { resume: None, pause, shutdown, thread }
    }

    async fn pause(&mut self) {
        let (resume, resumed) = mpsc::channel();
        self.pause.send(resumed).await.unwrap();
        self.resume = Some(resume);
    }

    fn resume(&mut self) {
        self.resume = None;
    }

    fn stop(self) {
        self.shutdown.begin();
        drop((self.resume, self.pause));
        self.thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_paused_leader_is_replaced_and_changes_nothing_when_it_wakes() {
    let mut place = Place::new().await;
    let mut zombie = Pausable::start(&place);
    place.append(500).await;
    place.published(500).await;
    for _ in 0..20 {
        place.append(1000).await; // so that it is paused in the middle of something
    }
    zombie.pause().await;
    let successor = place.relay();
    place.append(500).await;
    place.published(21_000).await;
    zombie.resume();
    let last = place.append(500).await;
    tokio::time::timeout(SOON, place.published(last)).await.expect("the successor goes on");
    // Two sessions never hold the lock; the zombie's was taken from it.
    assert_eq!(place.count(LEADERS).await, 1);
    assert_eq!(places(&place.stream(last).await), [(1, last)]);
    successor.stop().await;
    zombie.stop();
}

#[tokio::test]
async fn ends_at_once_when_asked_whatever_it_waits_for() {
    let mut place = Place::new().await;
    place.server.kill();
    let leader = place.relay();
    let standby = place.relay();
    place.append(1).await;
    for relay in [leader, standby] {
        tokio::time::timeout(Duration::from_secs(8), relay.stop()).await.expect("it ends");
    }
}
