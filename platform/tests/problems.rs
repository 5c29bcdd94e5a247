//! Every code that a problem can have is in the catalogue, means one thing, and has a page in the committed reference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use platform::codes::{self, Code};
use platform::problem;
use platform::testkit::committed;

/// Words in capital letters that are no codes.
const NOT_CODES: &[&str] = &[
    "AUDIT_LOG_LEVEL",
    "SCAN",
    "MATCH",
    "COUNT",
    "UNLINK",
    "SMTP_URL",
    "MAIL_FROM",
    "MAIL_REPLY_TO",
    "RBAC_DEFAULT_ROLE",
    "AND",
    "DATABASE_URL",
    "EUR",
    "EC",
    "EX",
    "EXCHANGE_",
    "NX",
    "FEATURE_FLAG_",
    "GET",
    "INFO",
    "JSONB",
    "JWT",
    "NATS_URL",
    "NOT",
    "OKP",
    "OR",
    "PING",
    "PX",
    "EVAL",
    "REDIS_URL",
    "RSA",
    "SCREAMING_SNAKE_CASE",
    "SET",
    "UTC",
    "WRONGTYPE",
    "ANNALS_",
    "N",
    "X",
    "ANNALS_CONFIG",
    "ANNALS_GENERATE",
    "ANNALS_SHARED_DATA",
    "ANNALS_TOKEN",
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_VERSION",
    "W",
    "Z",
    "NULL",
];

/// Values that say nothing to a reader.
const EXAMPLES: &[&str] = &["00000000-0000-0000-0000-000000000000", "1970-01-01T00:00:00Z", "\"\""];

/// The sources that answer requests.
const SOURCES: &[&str] = &["platform/src", "command-api/src", "query-api/src"];

const PAGES: &str = "docs/reference/problems";

#[test]
fn the_committed_reference_of_problems_has_a_page_for_every_code() {
    let mut index = String::from(
        "# Problems\n\nGenerated; `cargo xtask generate` writes it anew. Every refusal is `application/problem+json` (RFC 9457) with a `code` of this\n\
         list; its `type` ends in the name of the code's page. Clients decide by `code`: it keeps its meaning for good. Codes with a number\n\
         from 4000 on close a WebSocket.\n\n| code | status | meaning |\n|---|---|---|\n",
    );
    let mut pages = BTreeSet::from(["README.md".to_owned()]);
    for Code { code, status, meaning, remedy } in codes::all() {
        let (slug, meaning) = (problem::slug(code), sentence(&meaning));
        let remedy = EXAMPLES.iter().fold(remedy, |text, value| text.replace(value, "…"));
        writeln!(index, "| [`{code}`]({slug}.md) | {status} | {meaning} |").unwrap();
        let title = problem::title(code);
        let page = format!(
            "# {title}\n\n`{code}`, {status}\n\n{meaning}\n\n{remedy}\n\nValues in quoted words are examples. [All codes](README.md)\n"
        );
        committed(&format!("{PAGES}/{slug}.md"), &page).unwrap();
        pages.insert(format!("{slug}.md"));
    }
    committed(&format!("{PAGES}/README.md"), &index).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGES);
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(pages.contains(&name), "{PAGES}/{name} is of no code; delete it");
    }
}

fn sentence(meaning: &str) -> String {
    let meaning = meaning.replace('\n', " ");
    if meaning.ends_with('.') { meaning } else { format!("{meaning}.") }
}

#[test]
fn a_code_is_short_and_has_one_status_whoever_uses_it() {
    let mut known: BTreeMap<&str, u16> = BTreeMap::new();
    for (aggregate, refusal) in events::catalogue::refusals() {
        let status = codes::status(refusal.class);
        let before = *known.entry(refusal.code).or_insert(status);
        assert_eq!(before, status, "{} of {aggregate} has two meanings", refusal.code);
    }
    for code in codes::all() {
        let plain = code
            .code
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit());
        assert!(plain && code.code.len() <= 63, "{}", code.code);
        assert!(!code.meaning.is_empty() && !code.remedy.is_empty(), "{}", code.code);
        let status = known.get(code.code).copied().unwrap_or(code.status);
        assert_eq!(status, code.status, "{} has two statuses", code.code);
    }
}

#[test]
fn every_code_that_the_doors_speak_is_in_the_catalogue() {
    let known: BTreeSet<&str> = codes::all().iter().map(|code| code.code).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files: Vec<PathBuf> = SOURCES.iter().map(|folder| root.join(folder)).collect();
    let mut unknown = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        if path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "testkit")
        {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in code.split('"').skip(1).step_by(2).filter(|word| is_shouted(word)) {
            if !known.contains(word) && !NOT_CODES.contains(&word) {
                unknown.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "add to platform/src/codes.rs: {unknown:#?}");
}

fn is_shouted(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
