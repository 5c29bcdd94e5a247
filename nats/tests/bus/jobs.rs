//! The work queue against a real nats-server.

use std::time::Duration;

use crate::support::{SOON, Server};
use bytes::Bytes;
use nats::jobs::{Job, Next, Worker, enqueue};

const QUICK: Duration = Duration::from_millis(200);

async fn job(worker: &mut Worker) -> Job {
    let waiting = async {
        loop {
            if let Next::Job(job) = worker.next(Duration::from_secs(1)).await {
                return job;
            }
        }
    };
    tokio::time::timeout(SOON, waiting).await.expect("a job comes")
}

#[tokio::test]
async fn hands_each_job_to_one_worker_of_its_kind() {
    let server = Server::start().await;
    let bus = server.bus().await;
    for n in 0..10 {
        assert!(
            enqueue(&bus, "exports.render", &format!("job{n}"), Bytes::from("{}")).await.unwrap()
        );
    }
    assert!(!enqueue(&bus, "exports.render", "job0", Bytes::from("{}")).await.unwrap());
    let mut one = Worker::new(&bus, "exports.render", SOON);
    let mut two = Worker::new(&server.bus().await, "exports.render", SOON);
    let mut other = Worker::new(&bus, "backups.make", SOON);
    let mut done = Vec::new();
    for _ in 0..5 {
        for worker in [&mut one, &mut two] {
            let job = job(worker).await;
            assert_eq!(job.attempt, 1);
            done.push(job.id.clone());
            job.ack().await.unwrap();
        }
    }
    done.sort();
    assert_eq!(done, (0..10).map(|n| format!("job{n}")).collect::<Vec<_>>());
    assert!(matches!(one.next(QUICK).await, Next::Idle));
    assert!(matches!(other.next(QUICK).await, Next::Idle));
}

#[tokio::test]
async fn gives_a_job_to_another_after_silence_but_not_while_its_heart_beats() {
    let server = Server::start().await;
    let bus = server.bus().await;
    enqueue(&bus, "exports.render", "slow", Bytes::from("body")).await.unwrap();
    let ack_wait = Duration::from_secs(1);
    let mut one = Worker::new(&bus, "exports.render", ack_wait);
    let mut two = Worker::new(&bus, "exports.render", ack_wait);
    let held = job(&mut one).await;
    let other = held.while_working(two.next(3 * ack_wait)).await;
    assert!(matches!(other, Next::Idle));
    drop(held); // its worker died
    let again = job(&mut two).await;
    assert_eq!((again.id.as_str(), &again.body[..]), ("slow", &b"body"[..]));
    assert!(again.attempt >= 2, "a busy server may give it out more than once before it is taken");
    again.ack().await.unwrap();
}

#[tokio::test]
async fn delivers_again_after_a_delay_and_never_after_giving_up() {
    let server = Server::start().await;
    let bus = server.bus().await;
    enqueue(&bus, "exports.render", "flaky", Bytes::new()).await.unwrap();
    let mut worker = Worker::new(&bus, "exports.render", SOON);
    job(&mut worker).await.nak(QUICK).await.unwrap();
    let again = job(&mut worker).await;
    assert_eq!(again.attempt, 2);
    again.term().await.unwrap();
    assert!(matches!(worker.next(2 * QUICK).await, Next::Idle));
}

#[tokio::test]
async fn survives_the_loss_of_the_queue() {
    let mut server = Server::start().await;
    let bus = server.bus().await;
    let mut worker = Worker::new(&bus, "exports.render", SOON);
    assert!(matches!(worker.next(QUICK).await, Next::Idle));
    server.kill();
    server.wipe();
    assert!(enqueue(&bus, "exports.render", "lost", Bytes::new()).await.is_err());
    assert!(matches!(worker.next(QUICK).await, Next::Unavailable(_)));
    server.start_again().await;
    assert!(bus.connected_within(SOON).await);
    enqueue(&bus, "exports.render", "found", Bytes::new()).await.unwrap();
    assert_eq!(job(&mut worker).await.id, "found");
}
