//! That compose.yaml says only what our program, its settings and the engines' programs understand.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clap::Parser as _;
use cli::commands::Annals;
use cli::engines;
use platform::config::Settings;
use serde_yaml_ng::Value;

/// Our services: all that run our image.
const OURS: [&str; 6] = ["migrate", "command-api", "relay", "projectors", "query-api", "workers"];

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compose() -> Value {
    let mut compose: Value = serde_yaml_ng::from_str(&read("compose.yaml")).unwrap();
    compose.apply_merge().unwrap();
    compose
}

fn words(value: &Value) -> Vec<String> {
    let words = value.as_sequence().unwrap_or_else(|| panic!("not a list: {value:?}"));
    words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// What `annals` is told must be what it can be told.
fn parse(service: &str, words: &[String]) {
    let line = std::iter::once("annals".to_owned()).chain(words.iter().cloned());
    if let Err(error) = Annals::try_parse_from(line) {
        panic!("{service}: {error}");
    }
}

#[test]
fn our_services_run_commands_that_exist() {
    let compose = compose();
    let services = compose["services"].as_mapping().unwrap();
    let run: Vec<&str> = services
        .iter()
        .filter(|(_, service)| service["image"] == "annals")
        .map(|(name, _)| name.as_str().unwrap())
        .collect();
    assert_eq!(run, OURS);
    for name in OURS {
        let service = &compose["services"][name];
        parse(name, &words(&service["command"]));
        if service["healthcheck"]["disable"] != true {
            let test = words(&service["healthcheck"]["test"]);
            assert_eq!(test[..2], ["CMD", "annals"], "{name}");
            parse(name, &test[2..]);
        }
    }
}

#[test]
fn our_services_are_given_settings_that_exist() {
    let compose = compose();
    for name in OURS {
        let environment: HashMap<String, String> =
            serde_yaml_ng::from_value(compose["services"][name]["environment"].clone()).unwrap();
        let environment = environment
            .into_iter()
            .filter(|(key, _)| !key.ends_with("_PASSWORD")) // `annals migrate` takes these itself
            .map(|(key, value)| (key, filled(&value)));
        let settings = Settings::from_sources(environment.collect()).unwrap();
        let login = match name {
            "migrate" => "annals".to_owned(),
            process => format!("annals_{}", process.replace('-', "_")),
        };
        let url = format!("postgres://{login}:x@postgres:5432/annals");
        assert_eq!(settings.database_url, url, "{name}");
    }
}

#[test]
fn every_login_that_a_process_uses_is_made_with_the_password_that_it_has() {
    let compose = compose();
    let made = &compose["services"]["migrate"]["environment"];
    for name in OURS.iter().filter(|name| **name != "migrate") {
        let url = &compose["services"][name]["environment"]["DATABASE_URL"];
        let login = name.replace('-', "_");
        let password = made[format!("{}_PASSWORD", login.to_uppercase())].as_str().unwrap();
        let with = format!("postgres://annals_{login}:{password}@postgres:5432/annals");
        assert_eq!(url.as_str().unwrap(), with);
    }
}

#[test]
fn secrets_are_given_to_those_who_need_them() {
    let compose = compose();
    let have = |secret: &str| -> Vec<&str> {
        let has = |name: &&str| !compose["services"][name]["environment"][secret].is_null();
        OURS.into_iter().filter(has).collect()
    };
    assert_eq!(have("ANNALS_MASTER_KEY"), ["command-api", "projectors", "query-api", "workers"]);
    assert_eq!(have("ANNALS_SERVICE_SECRET"), ["command-api", "workers"]);
    assert_eq!(have("ANNALS_BOOTSTRAP_TOKEN"), ["command-api"]);
}

#[test]
fn every_door_is_asked_where_it_listens() {
    let compose = compose();
    for (name, key) in [("command-api", "ANNALS_COMMAND_ADDR"), ("query-api", "ANNALS_QUERY_ADDR")]
    {
        let service = &compose["services"][name];
        let address = service["environment"][key].as_str().unwrap();
        let port = address.rsplit(':').next().unwrap();
        assert_eq!(words(&service["ports"]), [format!("127.0.0.1:{port}:{port}")]);
        let asked = words(&service["healthcheck"]["test"]).pop().unwrap();
        assert_eq!(asked, format!("http://127.0.0.1:{port}"));
    }
}

#[test]
fn what_it_asks_for_is_in_the_example_and_nothing_else() {
    let text = read("compose.yaml");
    let asked: BTreeSet<&str> = text
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next())
        .collect();
    let example = read(".env.example");
    let given: BTreeSet<&str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    assert_eq!(asked, given);
}

#[test]
fn services_wait_for_services_and_volumes_that_exist() {
    let compose = compose();
    let empty = serde_yaml_ng::Mapping::new();
    for (name, service) in compose["services"].as_mapping().unwrap() {
        for (other, _) in service["depends_on"].as_mapping().unwrap_or(&empty) {
            assert!(compose["services"].get(other).is_some(), "{name:?} waits for {other:?}");
        }
        for volume in service["volumes"].as_sequence().into_iter().flatten() {
            let volume = volume.as_str().unwrap().split(':').next().unwrap().to_owned();
            assert!(compose["volumes"].get(&volume).is_some(), "{name:?} mounts {volume}");
        }
        let is_watched = service["healthcheck"].is_mapping();
        assert!(is_watched, "{name:?} has no health check");
    }
}

/// A server started with compose.yaml's own arguments, ended with this.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the real program with the arguments of compose.yaml, `changes` applied, and returns once it listens.
fn start(service: &str, changes: &[(&str, &str)], more: &[&str], port: u16) -> Started {
    let arguments = words(&compose()["services"][service]["command"]).into_iter().map(|word| {
        let word = filled(&word);
        changes.iter().fold(word, |word, (from, to)| word.replace(from, to))
    });
    let program = format!("{service}-server");
    let mut child = Command::new(&program)
        .args(arguments.filter(|word| *word != program))
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "{program} does not take compose.yaml's arguments: {ended:?}");
        std::thread::yield_now();
    }
    Started(child)
}

#[test]
fn nats_takes_the_flags_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let (port, monitor) = (engines::pick().unwrap(), engines::pick().unwrap());
    let changes =
        [("=/data", &*format!("={}", folder.path().display())), ("=8222", &format!("={monitor}"))];
    let more = ["--addr", "127.0.0.1", "--port", &port.to_string()];
    let _nats = start("nats", &changes, &more, port);
    assert!(folder.path().join("jetstream").is_dir(), "JetStream keeps nothing in its folder");
}

#[test]
fn redis_takes_the_flags_it_is_given() {
    let port = engines::pick().unwrap();
    let more = ["--bind", "127.0.0.1", "--port", &port.to_string()];
    let _redis = start("redis", &[], &more, port);
}

#[test]
fn postgres_is_given_settings_it_has() {
    let on_this_machine = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut asked = 0;
    for postgres in on_this_machine.map(|version| version.path().join("bin/postgres")) {
        for word in words(&compose()["services"]["postgres"]["command"]).iter().skip(1) {
            let (name, _) = word.strip_prefix("-c").and_then(|rest| rest.split_once('=')).unwrap();
            let output = Command::new(&postgres).arg("--describe-config").output().unwrap();
            let known = String::from_utf8_lossy(&output.stdout);
            assert!(known.lines().any(|line| line.split('\t').next() == Some(name)), "{name}");
            asked += 1;
        }
    }
    assert!(asked > 0 || !Path::new("/usr/lib/postgresql").exists());
}

/// As compose fills in `${NAME:?why}`, every secret being `x`.
fn filled(text: &str) -> String {
    let Some((head, rest)) = text.split_once("${") else { return text.to_owned() };
    let (_, tail) = rest.split_once('}').unwrap();
    format!("{head}x{}", filled(tail))
}
