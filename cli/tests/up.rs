//! `annals up` and `annals serve` as a user meets them: the real program, from nothing, twice, and refused in one line.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use cli::engines::{Engines, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// The program, knowing of no engine.
fn annals() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    for variable in ["DATABASE_URL", "NATS_URL", "REDIS_URL", "SMTP_URL", "MAIL_FROM"] {
        command.env_remove(variable);
    }
    command
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A temporary folder that user `postgres` may enter.
fn place() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    place
}

/// An `annals up` that printed its addresses.
struct Up {
    child: Child,
    printed: Vec<String>,
}

impl Up {
    fn start(folder: &Path) -> Self {
        Self::start_with(annals().arg("up").arg("--data").arg(folder))
    }

    fn start_with(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut printed = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            printed.push(line.unwrap());
            if printed.last().unwrap().starts_with("Shell:") {
                return Self { child, printed };
            }
        }
        panic!("ended before it was ready: {:?}, {printed:?}", child.wait());
    }

    /// What is printed after a label.
    fn told(&self, label: &str) -> &str {
        let line = self.printed.iter().find(|line| line.trim_start().starts_with(label));
        line.unwrap_or_else(|| panic!("{label}: {:?}", self.printed)).trim_start()[label.len()..]
            .trim()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn stop(mut self, signal: Signal) -> i32 {
        kill(self.pid(), signal).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }

    /// Signs in as the owner; the organisation's id.
    async fn sign_in(&self) -> String {
        self.tokens().await["tenant_id"].as_str().unwrap().to_owned()
    }

    /// Signs in as the owner, with what was printed.
    async fn tokens(&self) -> Value {
        let owner = self.told("Owner");
        let (handle, _) = owner.split_once(' ').unwrap();
        let (_, password) = owner.split_once("password ").unwrap();
        let answer = client()
            .post(format!("{}/auth/login", self.told("Commands")))
            .json(&json!({ "organization": "demo", "login": handle, "password": password }))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Asks a question as the owner; the rows of its answer.
    async fn rows(&self, path: &str) -> Vec<Value> {
        let tokens = self.tokens().await;
        let url = format!("{}{path}", self.told("Queries"));
        let asked = client().get(url).bearer_auth(tokens["access_token"].as_str().unwrap());
        let answer: Value = asked.send().await.unwrap().json().await.unwrap();
        answer["items"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one line with which it refuses.
#[track_caller]
fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    one_line(&output)
}

#[track_caller]
fn one_line(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    assert!(text.starts_with("annals: "), "{text}");
    text
}

/// The processes whose working folder lies in this one.
fn living_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| {
            std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn starts_beside_itself_stops_cleanly_and_starts_again_with_its_data() {
    let (one, two) = (place(), place());
    let first = Up::start(one.path());
    let second = Up::start(two.path());
    assert_ne!(first.told("Commands"), second.told("Commands"));
    let tenant = first.sign_in().await;
    assert_ne!(second.sign_in().await, tenant);
    let owner = first.told("Owner").to_owned();
    assert!(!living_in(one.path()).is_empty());

    assert_eq!(first.stop(Signal::SIGINT), 0);
    assert_eq!(living_in(one.path()), Vec::<String>::new());
    assert_eq!(second.stop(Signal::SIGTERM), 0);

    let again = Up::start(one.path());
    assert_eq!(again.told("Owner"), owner);
    assert_eq!(again.sign_in().await, tenant);
    assert_eq!(again.stop(Signal::SIGINT), 0);
}

#[tokio::test]
async fn what_is_sent_is_read_in_the_browser() {
    let place = place();
    let up = Up::start(place.path());
    let (mailbox, _) = up.told("Mailbox").split_once(' ').unwrap();
    let environment = std::fs::read_to_string(place.path().join("env")).unwrap();
    assert!(environment.contains(&format!("MAILBOX_URL='{mailbox}'")), "{environment}");
    let forgotten = client()
        .post(format!("{}/auth/password/forgot", up.told("Commands")))
        .json(&json!({ "organization": "demo", "login": "owner" }));
    assert_eq!(forgotten.send().await.unwrap().status(), 202);
    let ask = |path: String| client().get(format!("{mailbox}{path}")).send();
    let list =
        ask("/messages?to=owner@demo.test&q=new+password&wait_seconds=30".into()).await.unwrap();
    let list: Value = list.json().await.unwrap();
    let id = list["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{list}"));
    let message: Value = ask(format!("/messages/{id}")).await.unwrap().json().await.unwrap();
    assert_eq!(message["subject"], "Set a new password for Demo");
    let link = message["links"][0].as_str().unwrap();
    assert!(link.contains("/reset-password#token=pr1."), "{link}");
    let page = ask(format!("/read/{id}")).await.unwrap().text().await.unwrap();
    assert!(page.contains("Set a new password for Demo") && page.contains("<iframe"), "{page}");
    assert_eq!(up.stop(Signal::SIGINT), 0);
}

#[tokio::test]
async fn what_was_read_just_before_the_end_is_in_the_trail() {
    const READINGS: &str = "/audit-logs?action=audit.security_log.data_read";
    let place = place();
    let first = Up::start(place.path());
    assert_eq!(first.rows("/users?fields=handle,login_failures").await.len(), 1);
    assert_eq!(first.rows(READINGS).await, Vec::<Value>::new(), "told already");
    assert_eq!(first.stop(Signal::SIGINT), 0);

    let again = Up::start(place.path());
    let told = async {
        while again.rows(READINGS).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), told).await.is_ok(), "it was lost");
    assert_eq!(again.stop(Signal::SIGINT), 0);
}

#[tokio::test]
async fn a_killed_one_takes_its_engines_along_and_comes_back() {
    let place = place();
    let first = Up::start(place.path());
    let tenant = first.sign_in().await;
    kill(first.pid(), Signal::SIGKILL).unwrap();
    drop(first);
    let again = Up::start(place.path());
    assert_eq!(again.sign_in().await, tenant);
    assert_eq!(again.stop(Signal::SIGINT), 0);
    assert_eq!(living_in(place.path()), Vec::<String>::new());
}

#[tokio::test]
async fn works_as_an_ordinary_user() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: not root, so every other test here runs as an ordinary user");
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let (user, group) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    let place = place();
    std::os::unix::fs::chown(place.path(), Some(user), Some(group)).unwrap();
    // The program may lie where only root may enter.
    let program = place.path().join("annals");
    std::fs::copy(env!("CARGO_BIN_EXE_annals"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
    command.arg(&program).arg("up").env_clear().env("PATH", "/usr/bin:/bin");
    let up = Up::start_with(command.current_dir(place.path()));
    let owned = |name: &str| place.path().join(".annals").join(name).metadata().unwrap().uid();
    assert_eq!((owned("postgres"), owned("nats")), (user, user));
    up.sign_in().await;
    assert_eq!(up.stop(Signal::SIGINT), 0);
    assert_eq!(living_in(place.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_second_one_in_the_same_folder_is_refused_by_the_first_ones_id() {
    let place = place();
    let first = Up::start(place.path());
    let text = refusal(annals().arg("up").arg("--data").arg(place.path()));
    assert!(text.contains(&format!("in use by process {}", first.pid())), "{text}");
    assert_eq!(first.stop(Signal::SIGINT), 0);
}

#[tokio::test]
async fn a_used_port_is_named() {
    let (held, port) = loop {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        if port > 2 {
            break (held, port);
        }
    };
    let place = place();
    let text = refusal(
        annals()
            .arg("up")
            .arg("--data")
            .arg(place.path())
            .args(["--port", &(port - 1).to_string()]),
    );
    assert!(text.contains(&format!("port {port} is in use")), "{text}");
    assert_eq!(living_in(place.path()), Vec::<String>::new());
    drop(held);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let place = place();
    let url = "postgres://me:secret@127.0.0.1:1/annals";
    let text = refusal(annals().args(["up", "--data"]).arg(place.path()).env("DATABASE_URL", url));
    assert!(text.contains("cannot use postgres at 127.0.0.1:1; check DATABASE_URL"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let text = refusal(annals().args(["migrate", "up"]).env("DATABASE_URL", url));
    assert!(text.contains("check DATABASE_URL"), "{text}");
}

#[tokio::test]
async fn a_postgres_that_could_lose_what_it_confirms_is_refused() {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let place = place();
        let options = Options {
            postgres_settings: vec![format!("{setting}=off")],
            ..Options::private(place.path())
        };
        let engines = Engines::start(&options).await.unwrap();
        for command in [&["serve", "command-api"][..], &["serve", "all"]] {
            let text = refusal(annals().args(command).envs(engines.environment()));
            assert!(text.contains(&format!("Postgres runs with {setting}=off")), "{text}");
        }
        let other = self::place();
        let up = ["up", "--data", other.path().to_str().unwrap()];
        let text = refusal(annals().args(up).env("DATABASE_URL", engines.database_url()));
        assert!(text.contains(&format!("Postgres runs with {setting}=off")), "{text}");
        engines.stop().await;
    }
}

#[tokio::test]
async fn a_schema_that_is_not_current_is_refused() {
    let place = place();
    let engines = Engines::start(&Options::private(place.path())).await.unwrap();
    let serve = || refusal(annals().args(["serve", "relay"]).envs(engines.environment()));
    assert!(serve().contains("pending; run `annals migrate up`"));
    let status = annals().args(["migrate", "status"]).envs(engines.environment()).output().unwrap();
    assert_eq!(status.status.code(), Some(1));
    let up = annals().args(["migrate", "up"]).envs(engines.environment()).output().unwrap();
    assert_eq!(up.status.code(), Some(0), "{up:?}");
    let pool = cli::preflight::schema_pool(engines.database_url()).await.unwrap();
    sqlx::query("insert into _sqlx_migrations values (99991231000000, 'x', now(), true, '', 0)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    assert!(
        serve().contains("newer than this program by 1 migration(s); install the newer annals")
    );
    engines.stop().await;
}

#[tokio::test]
async fn a_nats_without_jetstream_and_a_stranger_for_redis_are_refused() {
    let place = place();
    let engines = Engines::start(&Options::private(place.path())).await.unwrap();
    let port = cli::engines::pick().unwrap();
    let mut nats = Command::new("nats-server")
        .env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") // an ordinary user's lacks two
        .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let other = self::place();
    let text = refusal(
        annals()
            .args(["up", "--data"])
            .arg(other.path())
            .env("DATABASE_URL", engines.database_url())
            .env("REDIS_URL", engines.redis_url())
            .env("NATS_URL", format!("nats://127.0.0.1:{port}")),
    );
    nats.kill().unwrap();
    nats.wait().unwrap();
    assert!(text.contains("it must be nats-server 2.9 or later with -js"), "{text}");
    let nats_port = engines.nats_url().rsplit(':').next().unwrap();
    let text = refusal(
        annals()
            .args(["up", "--data"])
            .arg(other.path())
            .env("DATABASE_URL", engines.database_url())
            .env("NATS_URL", engines.nats_url())
            .env("REDIS_URL", format!("redis://127.0.0.1:{nats_port}")),
    );
    assert!(text.contains("check REDIS_URL"), "{text}");
    engines.stop().await;
}

#[test]
fn what_is_not_set_or_not_understood_is_said() {
    let text = refusal(annals().args(["serve", "command-api"]));
    assert!(text.contains("DATABASE_URL is not set"), "{text}");
    let text = refusal(annals().args(["serve", "all"]).env("ANNALS_POOL_SIZ", "3"));
    assert!(text.contains("pool_siz"), "{text}");
    for wrong in [&["sideways"][..], &["serve", "nothing"], &["up", "--port", "x"], &[]] {
        assert_eq!(annals().args(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_command_beside_engines_gets_their_addresses_and_gives_its_code() {
    let script = "test -n \"$DATABASE_URL$NATS_URL$REDIS_URL\" && exit 7";
    let output = annals().args(["engines", "--", "sh", "-c", script]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let text = refusal(annals().args(["engines", "--", "no-such-program-here"]));
    assert!(text.contains("cannot run no-such-program-here"), "{text}");
}
