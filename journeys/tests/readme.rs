//! The README's first session, pasted into a shell as a new user would, against a house that was just started.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use journeys::client::PASSWORD;
use journeys::{Client, House};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

const LIMIT: Duration = Duration::from_mins(1);

fn readme() -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"))?)
}

/// The shell blocks of a section, one after the other.
fn blocks(readme: &str, section: &str) -> anyhow::Result<String> {
    let (_, from) = readme.split_once(&format!("\n## {section}\n")).context("no such section")?;
    let text = from.split("\n## ").next().unwrap_or_default();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    Ok(blocks.collect())
}

/// The session with our own addresses and password in place of those that a user fills in.
fn filled_in(session: &str, house: &House) -> String {
    let given = [
        ("C=", format!("{}/api/v1", house.command_url)),
        ("Q=", format!("{}/api/v1", house.query_url)),
        ("PASSWORD=", format!("'{PASSWORD}'")),
    ];
    let mut replaced = 0;
    let lines = session.lines().map(|line| {
        let Some((name, value)) = given.iter().find(|(name, _)| line.starts_with(name)) else {
            return line.to_owned();
        };
        replaced += 1;
        format!("{name}{value}")
    });
    let script = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(replaced, given.len(), "each of the three is assigned once:\n{session}");
    script
}

/// Runs the session until its stream shows a user who is registered once the stream is open; everything that the shell said.
async fn said(script: &str, house: &House, owner: &Client) -> anyhow::Result<String> {
    let file = house.path("session.sh");
    std::fs::write(&file, script)?;
    let mut shell = Command::new("bash");
    shell.args(["-c", "exec 2>&1; . ./session.sh"]).current_dir(house.path(""));
    let mut shell = shell.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut output = shell.stdout.take().context("the shell has no output")?;
    let (mut said, mut registered) = (Vec::new(), false);
    let listening = async {
        loop {
            let text = String::from_utf8_lossy(&said);
            if text.contains(r#""type":"identity.user.registered","subject""#) {
                return anyhow::Ok(());
            }
            if text.contains("\nretry:") && !registered {
                registered = true;
                owner.post("/users", &json!({ "handle": "berta" })).await?.ok()?;
            }
            anyhow::ensure!(output.read_buf(&mut said).await? > 0, "the session ended");
        }
    };
    let heard = tokio::time::timeout(LIMIT, listening).await;
    let said = String::from_utf8_lossy(&said).into_owned();
    heard.with_context(|| said.clone())?.with_context(|| said.clone())?;
    shell.kill().await?;
    Ok(said)
}

#[tokio::test]
async fn a_first_session_shows_what_the_readme_promises() -> anyhow::Result<()> {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: the session needs curl, which is not installed here");
        return Ok(());
    }
    let house = House::start().await?;
    let owner = house.found("demo").await?;
    let script = filled_in(&blocks(&readme()?, "A first session")?, &house);
    let said = said(&script, &house, &owner).await?;
    let (answers, stream) = said.split_once("\nretry:").context("the session has no stream")?;
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
    let id = script.lines().find_map(|line| line.strip_prefix("ROLE=")).context("no role's id")?;
    assert_eq!(roles["items"][0]["role_id"], id, "{roles}");
    let reason = &check["reason"];
    assert_eq!((&check["allowed"], &reason["decision"]), (&json!(true), &json!("allow")));
    assert_eq!(reason["role_path"], json!([id]), "{check}");
    assert!(trail.to_string().contains("rbac.user_access.role_assigned"), "{trail}");
    assert_eq!(made["status"], "succeeded", "{made}");
    assert!(std::fs::read(house.path("permissions.xlsx"))?.starts_with(b"PK"));
    assert!(stream.contains("\ndata:"), "{stream}");
    house.stop().await;
    Ok(())
}

/// What stands between backticks and begins with `annals`, up to the first word that a user fills in.
fn commands(readme: &str) -> Vec<Vec<&str>> {
    let spans = readme.split('`').filter_map(|span| span.strip_prefix("annals "));
    let word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    spans.map(|span| span.split(' ').take_while(word).collect()).collect()
}

#[test]
fn every_command_that_the_readme_names_is_there() -> anyhow::Result<()> {
    let readme = readme()?;
    let named = commands(&readme);
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
