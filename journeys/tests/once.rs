//! What left the house leaves it once: letters, counted in the mailbox of a real server, while everything that can make somebody
//! look at an event again does.

use std::collections::BTreeMap;
use std::time::Duration;

use journeys::{Client, House, Resident};
use serde_json::json;

const SOON: Duration = Duration::from_mins(1);
const LETTERS: usize = 12;

async fn invite(owner: &Client, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
    for number in numbers {
        let guest = json!({"email": format!("guest{number}@acme.test"), "roles": []});
        owner.post("/invitations", &guest).await?.ok()?;
    }
    Ok(())
}

/// How many letters came to each guest, and under how many ids.
fn letters(house: &House) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut all = BTreeMap::new();
    for letter in house.mail()? {
        let to = letter.lines().find(|line| line.starts_with("To: guest"));
        if let Some(to) = to {
            *all.entry(to.to_owned()).or_default() += 1;
        }
    }
    Ok(all)
}

/// Each guest has one.
fn once(house: &House, guests: usize) -> anyhow::Result<()> {
    let letters = letters(house)?;
    assert_eq!(letters.len(), guests, "{letters:?}");
    assert!(letters.values().all(|count| *count == 1), "{letters:?}");
    Ok(())
}

async fn all_came(house: &House, guests: usize) -> anyhow::Result<()> {
    house.until("every letter came", SOON, async || Ok(letters(house)?.len() == guests)).await?;
    house.idle(SOON).await
}

async fn run(house: &House, statement: &'static str) -> anyhow::Result<()> {
    let pool = house.database().await?;
    sqlx::query(statement).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

fn annals(house: &House, arguments: &[&str]) -> anyhow::Result<()> {
    let output = house.annals(arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_letter_is_sent_once_through_rebuilds_redelivery_restarts_and_a_restore()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::Workers)?;
    let owner = house.found("acme").await?;
    invite(&owner, 0..LETTERS).await?;
    // Ended in the middle, as in every upgrade.
    house.end(Resident::Workers).await?;
    house.move_in(Resident::Workers)?;
    all_came(&house, LETTERS).await?;
    once(&house, LETTERS)?;

    // Every read model anew, and a bus that forgot everything and tells everything again.
    for projection in projectors::all() {
        annals(&house, &["rebuild", projection.table().name])?;
    }
    house.engines.wipe_nats().await?;
    invite(&owner, LETTERS..LETTERS + 1).await?;
    all_came(&house, LETTERS + 1).await?;
    once(&house, LETTERS + 1)?;

    // Every reaction from the first event, weeks later, with killed workers.
    for _ in 0..2 {
        house.kill(Resident::Workers)?;
    }
    run(&house, "delete from work.jobs").await?;
    run(&house, "update work.reactions set position = 0").await?;
    house.move_in(Resident::Workers)?;
    house.idle(SOON).await?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    house.idle(SOON).await?;
    once(&house, LETTERS + 1)?;

    restored(&mut house, &owner).await?;
    house.idle(SOON).await?;
    once(&house, LETTERS + 1)?;
    let owner = house.owner("acme").await?;
    invite(&owner, 20..21).await?;
    all_came(&house, LETTERS + 2).await?;
    once(&house, LETTERS + 2)?;
    house.stop().await;
    Ok(())
}

/// The house as a backup has it, in a new database.
async fn restored(house: &mut House, owner: &Client) -> anyhow::Result<()> {
    let asked = owner.with_token(&house.bootstrap_token);
    let asked = asked.post("/installation/backups", &json!({"name": "all"})).await?.ok()?;
    let backup = asked.body["aggregate"]["id"].as_str().unwrap_or_default().to_owned();
    let pool = house.database().await?;
    let made = "select payload ->> 'location' from log.events
        where event_type = 'backups.backup.completed' and aggregate_id = $1";
    let location = async || -> anyhow::Result<Option<String>> {
        Ok(sqlx::query_scalar(made).bind(&backup).fetch_optional(&pool).await?)
    };
    house.until("the backup is made", SOON, async || Ok(location().await?.is_some())).await?;
    let file = house.files().join(location().await?.unwrap_or_default());
    pool.close().await;
    for resident in Resident::FIVE {
        house.end(resident).await?;
    }
    house.new_database().await?;
    let (file, into) = (file.display().to_string(), house.engines.database_url().to_owned());
    annals(house, &["backup", "restore", &file, "--into", &into])?;
    for resident in Resident::FIVE {
        house.move_in(resident)?;
    }
    house.ready().await
}
