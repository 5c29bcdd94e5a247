//! `cargo xtask fuzz`: schemathesis sends thousands of requests made from our own OpenAPI documents, good ones and bad ones, to a
//! real house; no answer may be a server's error or differ from what its document says.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Parser;
use journeys::{Client, House};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

/// What is held against every answer.
const CHECKS: &str = "not_a_server_error,response_schema_conformance,content_type_conformance";
/// Cases that one run makes of one operation; a round of all runs is some 30,000, and each run ends before its token.
const PER_OPERATION: &str = "40";
/// These can end the caller's own session, and with it the run: they have a run of their own.
const ENDS_THE_CALLER: &str =
    "/auth/(logout|password)$|/sessions(/|$)|/users/[^/]+/(deactivate|password)$";
/// These answer for as long as one listens.
const ENDLESS: &str = "/stream(s/.*)?$";
/// How schemathesis sends what it has no way of its own for: the parts of a file.
const HOOKS: &str = "
import schemathesis


@schemathesis.serializer('application/offset+octet-stream')
def part_of_a_file(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()
";
/// Where the house keeps them.
const DOCUMENTS: &str = "docs/reference";
const COMMANDS: &str = "openapi-command.json";
const QUERIES: &str = "openapi-query.json";

#[derive(Debug, Parser)]
struct Arguments {
    /// The program of schemathesis
    #[arg(long)]
    schemathesis: PathBuf,
    /// How many cases at least
    #[arg(long, default_value_t = 20_000)]
    cases: u64,
    /// Where random choices begin; the same number makes the same cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let _already_chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(&Arguments::parse()).await {
        Ok(cases) => {
            println!("{cases} cases, no failure");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Rounds until there were enough cases; how many there were.
async fn run(arguments: &Arguments) -> anyhow::Result<u64> {
    let house = House::start().await?;
    let owner = house.found("fuzz").await?;
    let known = house.path("schemathesis.toml");
    let nothing = house.path("empty.toml");
    std::fs::write(&known, parameters(&owner).await?)?;
    let hooks = house.path("hooks.py");
    std::fs::write(&nothing, "")?;
    std::fs::write(&hooks, HOOKS)?;
    let (mut cases, mut seed) = (0, arguments.seed);
    while cases < arguments.cases {
        for (document, url) in [(QUERIES, &*house.query_url), (COMMANDS, &house.command_url)] {
            for config in [&nothing, &known] {
                let operations = ["--exclude-path-regex", &format!("{ENDS_THE_CALLER}|{ENDLESS}")];
                let run = Run { document, url, config, hooks: &hooks, seed, operations };
                // A token lives ten minutes.
                let caller = admin(&owner, &format!("caller-{seed}")).await?;
                cases += run.storm(arguments, &caller).await?;
                let me = caller.get("/me").await?;
                ensure!(me.status == 200, "the caller lost the session on the way: {}", me.body);
                seed += 1;
            }
        }
        let (document, url, operations) =
            (COMMANDS, &*house.command_url, ["--include-path-regex", ENDS_THE_CALLER]);
        let run = Run { document, url, config: &nothing, hooks: &hooks, seed, operations };
        let caller = admin(&owner, &format!("caller-{seed}")).await?;
        cases += run.storm(arguments, &caller).await?;
        seed += 1;
        println!("{cases} cases so far");
    }
    house.stop().await;
    Ok(cases)
}

/// One run of schemathesis.
struct Run<'a> {
    document: &'a str,
    url: &'a str,
    config: &'a Path,
    hooks: &'a Path,
    seed: u64,
    /// Which operations it is about.
    operations: [&'a str; 2],
}

impl Run<'_> {
    /// Sends requests in the caller's name; how many cases that were.
    async fn storm(&self, arguments: &Arguments, caller: &Client) -> anyhow::Result<u64> {
        let Self { document, seed, .. } = self;
        let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(DOCUMENTS);
        let output = Command::new(&arguments.schemathesis)
            .env("SCHEMATHESIS_HOOKS", self.hooks)
            .arg("--config-file")
            .arg(self.config)
            .arg("run")
            .arg(documents.canonicalize()?.join(document))
            .args(["--url", self.url, "--checks", CHECKS, "--max-examples", PER_OPERATION])
            .args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color"])
            .args(self.operations)
            .args(["--seed", &seed.to_string(), "--generation-database", "none"])
            .args(["--header", &format!("Authorization: Bearer {}", caller.token)])
            .current_dir(self.config.parent().context("the settings lie in no folder")?)
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run schemathesis")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{document}, seed {seed}:\n{said}{complaint}");
        let cases =
            generated(&said).with_context(|| format!("schemathesis tells no number:\n{said}"))?;
        println!("{document}, seed {seed}: {cases} cases");
        Ok(cases)
    }
}

/// How many cases there were, from the summary: `  1865 generated, 1865 passed`.
fn generated(said: &str) -> Option<u64> {
    let line = said.lines().rev().find(|line| line.contains(" generated, "))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// Somebody with the owner's role.
async fn admin(owner: &Client, handle: &str) -> anyhow::Result<Client> {
    let caller = owner.newcomer("fuzz", handle).await?;
    let role = owner.get("/rbac/roles?filter=code=\"owner\"").await?.ok()?;
    let role = role.body["items"][0]["role_id"].as_str().context("there is no owner's role")?;
    let path = format!("/rbac/users/{}/protected-roles/{role}", caller.user_id);
    owner.post(&path, &json!({})).await?.ok()?;
    Ok(caller)
}

/// Records that exist, as values of the parameters that name them: without these a request rarely meets anything.
async fn parameters(owner: &Client) -> anyhow::Result<String> {
    let make = async |path: &str, body: Value| -> anyhow::Result<String> {
        Ok(owner.post(path, &body).await?.ok()?.made().to_owned())
    };
    let user = make("/users", json!({"handle": "anna", "email": "anna@example.org"})).await?;
    let junior = make("/rbac/roles", json!({"name": "Junior", "level": 5})).await?;
    let role = make("/rbac/roles", json!({"name": "Senior", "level": 9})).await?;
    let permission = make("/rbac/permissions", json!({"name": "shop.orders:read"})).await?;
    let units = format!("/organizations/{}/units", owner.tenant_id);
    let unit = json!({"kind": "site", "code": "S1", "name": "Site"});
    let unit = owner.post(&units, &unit).await?.ok()?;
    let invitation = json!({"email": "guest@example.org", "roles": []});
    let invitation = make("/invitations", invitation).await?;
    let export = make("/exports/csv", json!({"dataset": "rbac.roles"})).await?;
    let backup = make("/backups", json!({"name": "nightly"})).await?;
    let message =
        json!({"user_id": owner.user_id, "kind": "message", "title": "Hello", "message": "There"});
    let message = make("/notifications/send", message).await?;
    let chosen = json!({"value": 48});
    owner.command(Method::PUT, "/settings/exports.kept_hours", &chosen, &[]).await?.ok()?;
    let unit = unit.made();
    let pairs = [
        ("user_id", &*user),
        ("role_id", &role),
        ("junior_id", &junior),
        ("permission_id", &permission),
        ("permission", "shop.orders:read"),
        ("organization_id", &owner.tenant_id),
        ("unit_id", unit),
        ("invitation_id", &invitation),
        ("export_id", &export),
        ("backup_id", &backup),
        ("notification_id", &message),
        ("key", "exports.kept_hours"),
        ("flag", "command_batches"),
    ];
    let lines = pairs.map(|(name, value)| format!("\"path.{name}\" = {}\n", json!(value)));
    Ok(format!("[parameters]\n{}", lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::generated;

    #[test]
    fn the_number_of_cases_is_read_off_the_summary() {
        assert_eq!(generated("Test cases:\n  1865 generated, 1865 passed\n\nSeed: 1"), Some(1865));
        assert_eq!(generated("Test cases:\n  12 generated, 2 found 1 unique failure"), Some(12));
        assert_eq!(generated("nothing"), None);
    }
}
