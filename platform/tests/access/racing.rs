//! Many questions while the right to ask comes and goes: no answer is later than it may be.

use crate::support::{POLL, SOON, World, process};
use ::redis::AsyncCommands as _;
use platform::access::{Shared, TRUSTED};
use platform::lifecycle::{Shutdown, Tasks};
use platform::principal::Principal;
use sqlx::PgPool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// When somebody held the permission: from before the grant was sent to after the revocation was acknowledged.
#[derive(Clone, Copy)]
struct Held {
    from: Instant,
    until: Instant,
}

/// One check: when it was asked, when it was answered, and how.
#[derive(Clone, Copy)]
struct Answer {
    asked: Instant,
    answered: Instant,
    yes: bool,
}

/// Whoever asks, again and again.
struct Checker {
    pool: PgPool,
    shared: Shared,
    principal: Principal,
    /// Whether each question is asked by a process that has just started.
    fresh: bool,
    answers: Mutex<Vec<Answer>>,
    unfolded: Mutex<u32>,
}

impl Checker {
    fn new(world: &World, fresh: bool) -> Arc<Self> {
        Arc::new(Self {
            pool: world.pool.clone(),
            shared: world.shared(),
            principal: world.principal.clone(),
            fresh,
            answers: Mutex::default(),
            unfolded: Mutex::default(),
        })
    }

    async fn run(self: Arc<Self>, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut process = process(&self.pool, self.shared.clone());
        while !shutdown.begun() {
            if self.fresh {
                process = self::process(&self.pool, self.shared.clone());
            }
            let asked = Instant::now();
            let yes = process.may(&self.principal).await;
            self.answers.lock().unwrap().push(Answer { asked, answered: Instant::now(), yes });
            if !process.folded(&self.principal) {
                *self.unfolded.lock().unwrap() += 1;
            }
            shutdown.sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// How long an answer may lag behind.
    fn trust(&self) -> Duration {
        if self.fresh { Duration::ZERO } else { TRUSTED }
    }

    /// Returns once it answers `yes` to a question of now or later.
    async fn says(&self, yes: bool) {
        let now = Instant::now();
        let wait = async {
            loop {
                let last = self.answers.lock().unwrap().last().copied();
                if last.is_some_and(|last| last.yes == yes && last.asked >= now) {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let waited = tokio::time::timeout(SOON, wait).await;
        assert!(waited.is_ok(), "never says {yes} (fresh: {})", self.fresh);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_check_says_yes_once_a_revocation_is_older_than_the_trust() {
    const ROUNDS: usize = 12;
    let world = World::new().await;
    let checkers = [false, false, true, true, true].map(|fresh| Checker::new(&world, fresh));
    let tasks = Tasks::new(Shutdown::new());
    for checker in &checkers {
        tasks.spawn("checker", Arc::clone(checker).run(tasks.shutdown().clone()));
    }
    // Somebody keeps putting back what was true before each revocation.
    let old: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let planted: Arc<Mutex<u32>> = Arc::default();
    let vandal = {
        let (old, planted, key) = (Arc::clone(&old), Arc::clone(&planted), world.key());
        let (mut redis, shutdown) = (world.redis.clone(), tasks.shutdown().clone());
        async move {
            while shutdown.sleep(Duration::from_millis(3)).await {
                let value = old.lock().unwrap().clone();
                if let Some(value) = value {
                    redis.set::<_, _, ()>(&key, value).await?;
                    *planted.lock().unwrap() += 1;
                }
            }
            Ok(())
        }
    };
    tasks.spawn("vandal", vandal);

    let mut history: Vec<Held> = Vec::new();
    for round in 0..ROUNDS {
        // By turns the user gets and loses the role, and the role the permission.
        let by_role = round % 2 == 0;
        let from = Instant::now();
        if by_role {
            world.assign(world.user(), None).await;
        } else {
            world.permit().await;
        }
        for checker in &checkers {
            checker.says(true).await;
        }
        let yes: Option<Vec<u8>> = world.redis.clone().get(world.key()).await.unwrap();
        if by_role {
            world.unassign().await;
        } else {
            world.forbid().await;
        }
        let until = Instant::now();
        *old.lock().unwrap() = yes;
        history.push(Held { from, until });
        for checker in &checkers {
            checker.says(false).await;
        }
        *old.lock().unwrap() = None;
        // What the next round gives is taken first, so that nothing is held in between.
        if by_role {
            world.forbid().await;
            world.assign(world.user(), None).await;
        } else {
            world.unassign().await;
            world.permit().await;
        }
    }
    tasks.shutdown().begin();
    assert!(tasks.join(SOON).await);
    assert!(*planted.lock().unwrap() > 0, "nothing was planted");
    for checker in &checkers {
        judge(checker, &history);
    }
    let unfolded: u32 = checkers.iter().map(|checker| *checker.unfolded.lock().unwrap()).sum();
    assert!(unfolded > 0, "redis never answered");
    world.end().await;
}

/// Every yes lies in a time in which it was true, or not longer after it than may be.
fn judge(checker: &Checker, history: &[Held]) {
    let answers = checker.answers.lock().unwrap();
    for answer in answers.iter().filter(|answer| answer.yes) {
        let was_true = history.iter().any(|held| {
            held.from <= answer.answered && answer.asked <= held.until + checker.trust()
        });
        let ended = history.iter().rev().map(|held| held.until).find(|until| *until < answer.asked);
        let since = ended.map(|until| answer.asked - until);
        assert!(was_true, "yes {since:?} after a revocation (fresh: {})", checker.fresh);
    }
}
