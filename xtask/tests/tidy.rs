//! The house's rules over the whole tree; each checker is tested on bad input where it is defined.

use std::path::{Path, PathBuf};

use xtask::tidy::arrows::{Arrow, Owned, Without};
use xtask::tidy::{arrows, docs, domain, files, relative, schema, source};

/// One arrow, one line; a new arrow needs an argument in docs/decisions.
const ARROWS: &[Arrow] = &[
    Arrow { from: "events", to: &[], in_tests: &[] },
    Arrow { from: "platform", to: &["events"], in_tests: &["migrations"] },
    Arrow { from: "migrations", to: &[], in_tests: &[] },
    Arrow { from: "command-api", to: &["events", "platform"], in_tests: &["migrations"] },
    Arrow { from: "nats", to: &[], in_tests: &[] },
    Arrow { from: "relay", to: &["nats", "platform"], in_tests: &["migrations"] },
    Arrow { from: "projectors", to: &["events", "nats", "platform"], in_tests: &["migrations"] },
    // Questions are tested on rows, and only projectors make rows.
    Arrow {
        from: "query-api",
        to: &["events", "platform", "nats"],
        in_tests: &["migrations", "projectors", "relay"],
    },
    Arrow { from: "workers", to: &["events", "nats", "platform"], in_tests: &["migrations"] },
    Arrow { from: "cli", to: ALL, in_tests: &[] },
    Arrow { from: "journeys", to: ALL, in_tests: &[] },
    // Measures the door and the baselines beside it; nobody depends on it.
    Arrow { from: "bench", to: ALL, in_tests: &[] },
    Arrow { from: "xtask", to: &[], in_tests: &[] },
];
const ALL: &[&str] = &[
    "events",
    "platform",
    "migrations",
    "command-api",
    "nats",
    "relay",
    "projectors",
    "query-api",
    "workers",
    "cli",
];

/// Dangerous libraries have one owner.
const OWNED: &[Owned] = &[
    Owned { library: "async-nats", owners: &["nats"], reason: "the bus has one owner" },
    Owned {
        library: "reqwest",
        owners: &["platform", "workers", "cli", "journeys", "bench"],
        reason: "only what calls issuers and programs elsewhere, the client of our own door, workers and clients speak to others",
    },
    Owned {
        library: "axum",
        owners: &["platform", "command-api", "query-api", "cli", "bench"],
        reason: "only the two doors and the mailbox of development serve HTTP, and what they are measured beside",
    },
    Owned { library: "argon2", owners: &["command-api"], reason: "only the door sees passwords" },
    Owned {
        library: "jsonwebtoken",
        owners: &["platform"],
        reason: "tokens are made in one place",
    },
    Owned {
        library: "cqrs-es",
        owners: &["events", "command-api", "platform", "journeys", "cli", "bench"],
        reason: "one adapter makes every decider an aggregate",
    },
    Owned {
        library: "postgres-es",
        owners: &["journeys", "cli", "bench"],
        reason: "the conformance test and the benchmark's baseline, not the hot path",
    },
];

const WITHOUT: &[Without] = &[Without {
    krate: "events",
    libraries: &[
        "sqlx",
        "tokio",
        "redis",
        "rand",
        "tracing",
        "metrics",
        "object_store",
        "jiff-sqlx",
    ],
    reason: "rules are pure: no clock, no randomness, no I/O",
}];

/// The processes; each has a folder for every module.
const PROCESSES: &[&str] = &["command-api", "projectors", "query-api", "workers"];

/// What a migration may be about besides a module.
const SCHEMA_SUBJECTS: &[&str] = &["roles", "log", "secrets", "read", "audit", "work", "relay"];

fn root() -> PathBuf {
    xtask::root()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names_in(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn modules() -> Vec<String> {
    let modules = domain::modules(&read("events/src/modules.rs"));
    assert!(!modules.is_empty(), "events/src/modules.rs: no list of modules found");
    modules
}

#[track_caller]
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn dependencies_follow_the_arrows() {
    let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let manifests: Vec<toml::Table> = members
        .iter()
        .map(|member| read(format!("{}/Cargo.toml", member.as_str().unwrap())).parse().unwrap())
        .collect();
    let names: Vec<String> = manifests
        .iter()
        .map(|manifest| manifest["package"]["name"].as_str().unwrap().to_owned())
        .collect();
    let mut complaints = arrows::check_table(ARROWS, &names);
    for manifest in &manifests {
        complaints.extend(arrows::check(manifest, ARROWS, OWNED, WITHOUT));
    }
    assert_none(&complaints);
}

#[test]
fn every_crate_keeps_the_workspace_lints() {
    let complaints: Vec<String> = files(&root())
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name == "Cargo.toml"))
        .map(|path| (relative(&root(), &path), std::fs::read_to_string(&path).unwrap()))
        .filter(|(path, text)| path != "Cargo.toml" && !text.contains("[lints]\nworkspace = true"))
        .map(|(path, _)| format!("{path}: lacks [lints] workspace = true"))
        .collect();
    assert_none(&complaints);
}

#[test]
fn every_source_file_is_in_order() {
    let complaints: Vec<String> = files(&root())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .flat_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            source::check(&relative(&root(), &path), &text)
        })
        .collect();
    assert_none(&complaints);
}

#[test]
fn every_migration_is_named_and_goes_both_ways() {
    let names = names_in("migrations/sql");
    assert!(!names.is_empty());
    assert_none(&schema::check(&names, &modules(), SCHEMA_SUBJECTS));
}

#[test]
fn every_path_named_in_the_docs_exists() {
    let pages = files(&root().join("docs")).into_iter().chain([root().join("README.md")]);
    let mut complaints = Vec::new();
    for page in pages.filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let Ok(text) = std::fs::read_to_string(&page) else { continue };
        let found = docs::check(&root(), page.parent().unwrap(), &text);
        complaints.extend(found.into_iter().map(|what| format!("{}: {what}", page.display())));
    }
    assert_none(&complaints);
}

#[test]
fn every_verdict_on_security_has_its_evidence() {
    assert_none(&docs::check_verdicts(&read("docs/security/asvs.md")));
}

#[test]
fn every_module_has_its_folder_everywhere() {
    let mut complaints = Vec::new();
    for module in modules() {
        for place in std::iter::once(&"events").chain(PROCESSES) {
            let folder = format!("{place}/src/{module}");
            if !root().join(&folder).join("mod.rs").is_file() {
                complaints.push(format!("{folder}/mod.rs: missing, even if it only says nothing"));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn event_types_say_what_happened_and_have_a_frozen_sample() {
    let (mut complaints, mut all) = (Vec::new(), Vec::new());
    for module in modules() {
        for aggregate in names_in(&format!("events/src/{module}")) {
            let file = root().join(format!("events/src/{module}/{aggregate}/events.rs"));
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            let types = domain::event_types(&text);
            complaints.extend(domain::check_event_types(&module, &aggregate, &types));
            all.extend(types);
        }
    }
    assert!(!all.is_empty(), "no event types found");
    complaints.extend(domain::check_samples(&all, &names_in("events/samples")));
    assert_none(&complaints);
}
