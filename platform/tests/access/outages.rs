//! Without Redis every answer stays the same.

use crate::support::{POLL, SOON, World};
use platform::access::Shared;
use std::process::{Child, Command, Stdio};

/// A Redis of a test's own, so that it may be wiped and killed.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    async fn start(port: Option<u16>) -> Self {
        let free = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let port = port.unwrap_or_else(free);
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]);
        command.arg(port.to_string()).stdout(Stdio::null());
        let server = Self { child: command.spawn().unwrap(), port };
        let wait = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("redis-server does not listen");
        server
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_redis_that_is_wiped_or_killed_costs_time_and_no_answer() {
    let server = Server::start(None).await;
    let world = World::with_redis(server.url()).await;
    let (who, shared) = (&world.principal, world.shared());
    world.assign(world.user(), None).await;
    assert!(world.process_with(shared.clone()).may(who).await);
    world.value_unlike(None).await;

    ::redis::cmd("FLUSHALL").exec_async(&mut world.redis.clone()).await.unwrap();
    let process = world.process_with(shared.clone());
    assert!(process.may(who).await && process.folded(who));
    world.value_unlike(None).await;

    let port = server.port;
    drop(server);
    for _ in 0..3 {
        world.unassign().await;
        assert!(!world.process_with(shared.clone()).may(who).await);
        world.assign(world.user(), None).await;
        assert!(world.process_with(shared.clone()).may(who).await);
    }
    // Once it is back it is used again, by the same connection.
    let server = Server::start(Some(port)).await;
    let wait = async {
        loop {
            let process = world.process_with(shared.clone());
            assert!(process.may(who).await);
            if !process.folded(who) {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("redis is back and is not used");
    world.end().await;
    drop(server);
}

#[tokio::test]
async fn a_redis_that_does_not_answer_or_is_not_there_changes_no_answer() {
    let world = World::new().await;
    let who = &world.principal;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let shared = Shared::open(&url, &world.master()).unwrap().unwrap();
    for _ in 0..5 {
        world.assign(world.user(), None).await;
        assert!(world.process_with(shared.clone()).may(who).await);
        world.unassign().await;
        assert!(!world.process_with(shared.clone()).may(who).await);
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shared = Shared::open(&format!("redis://{nobody}"), &world.master()).unwrap().unwrap();
    assert!(!world.process_with(shared.clone()).may(who).await);
    world.assign(world.user(), None).await;
    assert!(world.process_with(shared).may(who).await);
    world.end().await;
}
