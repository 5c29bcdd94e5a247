//! What the documents tell a reader to do, done: every code block is run beside one installation, or at least read.

mod blocks;
mod session;

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

use blocks::{Block, Document, documents};
use session::{Installation, Said};

/// What is run before the blocks of every guide: how to get there.
const BEFORE: &str = "docs/guides/README.md";
/// Blocks of commands that are not run, by document and first line, and why. No line more.
const NOT_RUN: &[(&str, &str, &str)] = &[(
    "README.md",
    "cargo xtask up ",
    "the first is what the others are run beside, and the others are what runs this",
)];

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn is_left_out(document: &str, block: &Block) -> bool {
    NOT_RUN.iter().any(|(path, begins, _)| *path == document && block.text.starts_with(begins))
}

#[test]
fn every_block_is_run_or_read() -> anyhow::Result<()> {
    let documents = documents(&root())?;
    let mut wrong = Vec::new();
    for Document { path, blocks, .. } in &documents {
        for block in blocks {
            if let Some(what) = block.misread() {
                wrong.push(format!("{path}:{}: {what}", block.line));
            }
        }
    }
    for (path, begins, _) in NOT_RUN {
        let document = documents.iter().find(|document| document.path == *path);
        let blocks = document.map(|document| document.blocks.as_slice()).unwrap_or_default();
        if !blocks.iter().any(|block| block.runs() && is_left_out(path, block)) {
            wrong.push(format!("{path}: nothing begins with {begins}; it need not be left out"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn what_the_documents_have_a_reader_do_works_as_they_show_it() -> anyhow::Result<()> {
    let documents = documents(&root())?;
    let before = documents.iter().find(|document| document.path == BEFORE).context(BEFORE)?;
    let installation = Installation::start()?;
    let database = sqlx::PgPool::connect(&installation.database_url()?).await?;
    let mut wrong = Vec::new();
    for document in &documents {
        for block in document.blocks.iter().filter(|block| block.is_sql()) {
            let mut transaction = database.begin().await?;
            if let Err(error) = sqlx::raw_sql(&block.text).execute(&mut *transaction).await {
                wrong.push(format!("{}:{}: {error}", document.path, block.line));
            }
        }
        let is_run = |block: &Block| block.runs() && !is_left_out(&document.path, block);
        if !document.blocks.iter().any(is_run) {
            continue;
        }
        let is_guide = document.path != "README.md" && document.path != BEFORE;
        match installation.run(is_guide.then_some(before), document, is_run).await {
            Err(error) => wrong.push(format!("{error:#}")),
            Ok(said) if document.path == "README.md" => check_readme(&document.text, &said)?,
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    Ok(())
}

/// The README shows no answers; they are as it promises nevertheless.
fn check_readme(readme: &str, said: &[Said]) -> anyhow::Result<()> {
    let said: String = said.iter().map(|said| said.text.as_str()).collect();
    let (answers, stream) = said.split_once("\nretry:").with_context(|| said.clone())?;
    let answers = serde_json::Deserializer::from_str(answers)
        .into_iter::<Value>()
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| said.clone())?;
    let [user, role, assigned, roles, check, trail, export, made] = &answers[..] else {
        anyhow::bail!("not one answer for each step: {said}")
    };
    for (command, event) in [
        (user, "identity.user.registered"),
        (role, "rbac.policy.role_created"),
        (assigned, "rbac.user_access.role_assigned"),
        (export, "exports.export.requested"),
    ] {
        assert_eq!(command["events"][0]["type"], event, "{command}");
    }
    let id = readme.lines().find_map(|line| line.strip_prefix("ROLE=")).context("no role's id")?;
    assert_eq!(roles["items"][0]["role_id"], id, "{roles}");
    let reason = &check["reason"];
    assert_eq!((&check["allowed"], &reason["decision"]), (&json!(true), &json!("allow")));
    assert_eq!(reason["role_path"], json!([id]), "{check}");
    assert!(trail.to_string().contains("rbac.user_access.role_assigned"), "{trail}");
    assert_eq!(made["status"], "succeeded", "{made}");
    assert!(stream.contains("\ndata:"), "{stream}");
    Ok(())
}

/// What stands between backticks and begins with `annals`, up to the first word that a user fills in.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let spans = text.split('`').filter_map(|span| span.strip_prefix("annals "));
    let word = |word: &&str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    let plain = |span: &&str| !span.contains('\n');
    spans.filter(plain).map(|span| span.split(' ').take_while(word).collect()).collect()
}

#[test]
fn every_command_that_a_document_names_is_there() -> anyhow::Result<()> {
    let documents = documents(&root())?;
    let mut named: Vec<Vec<&str>> =
        documents.iter().flat_map(|document| commands(&document.text)).collect();
    named.sort();
    named.dedup();
    for known in ["import access", "events replay", "verify", "prove", "serve command-api"] {
        assert!(named.iter().any(|words| words.join(" ") == known), "{known}: {named:?}");
    }
    for mut words in named {
        words.push("--help");
        let help = std::process::Command::new(journeys::house::annals()?).args(&words).output()?;
        assert!(help.status.success(), "{words:?}: {}", String::from_utf8_lossy(&help.stderr));
    }
    Ok(())
}
