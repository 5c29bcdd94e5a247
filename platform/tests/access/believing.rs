//! What is kept in Redis is found, and believed only while it is true.

use crate::support::{PERMISSION, POLL, SOON, World, principal};
use ::redis::AsyncCommands as _;
use events::rbac::user_access::{self, UserAccess};
use events::{RoleId, UserId};
use jiff::SignedDuration;
use platform::access::Shared;
use platform::clock;
use platform::secrets::{self, MasterKey};
use sqlx::{Connection as _, PgConnection};

#[tokio::test]
async fn a_process_that_has_folded_nothing_answers_from_redis() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    let first = world.process();
    assert!(first.may(who).await && first.folded(who));
    world.value_unlike(None).await;

    let second = world.process();
    assert!(second.may(who).await);
    assert!(!second.folded(who));
    let standing = second.access.last_known(who).await.unwrap().unwrap();
    assert_eq!((standing.versions.policy, standing.versions.access), (3, 1));
    assert!(standing.effective.allows(PERMISSION.name()) && !standing.effective.allows("a:b"));
    assert!(!second.folded(who));
    // Who wants to know why gets the policy itself.
    let rights = second.access.rights(who.tenant, &standing).await.unwrap();
    assert_eq!(rights.versions(), standing.versions);
    assert!(rights.holder(world.user(), &[], clock::now()).explain(PERMISSION.name()).is_allowed());

    // A decision may lean on it just so: the append checks the versions that it names.
    let third = world.process();
    let standing = third.access.last_known(who).await.unwrap().unwrap();
    assert!(standing.effective.permits(PERMISSION) && !third.folded(who));

    let life: i64 = world.redis.clone().ttl(world.key()).await.unwrap();
    assert!((1..=3600).contains(&life), "{life} s");
    world.end().await;
}

#[tokio::test]
async fn what_a_process_works_out_from_memory_is_kept_for_others_now_and_then() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    let process = world.process();
    assert!(process.may(who).await);
    let before = world.value_unlike(None).await;
    let wait = async {
        let mut redis = world.redis.clone();
        while redis.get::<_, Vec<u8>>(world.key()).await.unwrap() == before {
            world.forbid().await;
            while process.may(who).await {
                tokio::time::sleep(POLL).await;
            }
            world.permit().await;
            while !process.may(who).await {
                tokio::time::sleep(POLL).await;
            }
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("only the first value was kept");
    world.end().await;
}

#[tokio::test]
async fn a_value_of_an_older_version_is_not_believed() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    assert!(world.process().may(who).await);
    let yes = world.value_unlike(None).await;

    world.unassign().await;
    world.plant(world.user(), &yes).await;
    let process = world.process();
    assert!(!process.may(who).await);
    assert!(process.folded(who));
    let no = world.value_unlike(Some(&yes)).await;

    world.assign(world.user(), None).await;
    world.plant(world.user(), &no).await;
    assert!(world.process().may(who).await);
    let yes = world.value_unlike(Some(&no)).await;

    world.forbid().await;
    world.plant(world.user(), &yes).await;
    let process = world.process();
    assert!(!process.may(who).await && process.folded(who));
    // What a process has just found is not shaken by what is planted afterwards.
    world.plant(world.user(), &yes).await;
    assert!(!process.may(who).await);
    world.end().await;
}

#[tokio::test]
async fn a_value_counts_for_one_user_one_epoch_and_one_installation() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    assert!(world.process().may(who).await);
    let yes = world.value_unlike(None).await;

    // Somebody else, whose roles stand at the same version.
    let (other, none) = (clock::new_id::<UserId>(), clock::new_id::<RoleId>());
    let assigned =
        user_access::Event::RoleAssigned { role_id: none, unit_id: None, expires_at: None };
    world.append::<UserAccess>(other, assigned).await;
    world.plant(other, &yes).await;
    assert!(!world.process().may(&principal(who.tenant, other)).await);

    let key: [u8; 32] = secrets::random();
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key);
    let key = MasterKey::parse(&key).unwrap();
    let foreign = world.process_with(Shared::open(&world.redis_url, &key).unwrap().unwrap());
    assert!(foreign.may(who).await && foreign.folded(who));

    // After a restore the same versions may stand for other events.
    world.plant(world.user(), &yes).await;
    let mut owner = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::query("update log.head set epoch = epoch + 1").execute(&mut owner).await.unwrap();
    let process = world.process();
    assert!(process.may(who).await && process.folded(who));
    owner.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn garbage_in_redis_is_a_miss_and_is_replaced() {
    let world = World::new().await;
    let who = &world.principal;
    world.assign(world.user(), None).await;
    assert!(world.process().may(who).await);
    let good = world.value_unlike(None).await;
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let noise: [u8; 500] = secrets::random();
    for garbage in [&b""[..], b"yes", &noise, &good[..good.len() / 2], &flipped] {
        world.plant(world.user(), garbage).await;
        let process = world.process();
        assert!(process.may(who).await && process.folded(who));
        world.value_unlike(Some(garbage)).await;
    }
    let mut redis = world.redis.clone();
    redis.del::<_, ()>(world.key()).await.unwrap();
    redis.lpush::<_, _, ()>(world.key(), "a list").await.unwrap();
    let process = world.process();
    assert!(process.may(who).await && process.folded(who));
    let wait = async {
        while redis.key_type::<_, String>(world.key()).await.unwrap() != "string" {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("the list is still there");
    let process = world.process();
    assert!(process.may(who).await && !process.folded(who));
    world.end().await;
}

#[tokio::test]
async fn an_assignment_ends_by_the_clock_also_in_redis() {
    let world = World::new().await;
    let who = &world.principal;
    let end = clock::now() + SignedDuration::from_millis(1500);
    world.assign(world.user(), Some(end)).await;
    let wait = async {
        loop {
            let asked = clock::now();
            if !world.process().may(who).await {
                return;
            }
            assert!(asked < end, "yes after the end");
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("it never ends");
    assert!(clock::now() >= end);
    world.end().await;
}
