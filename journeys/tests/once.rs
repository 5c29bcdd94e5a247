//! What left the house leaves it once: letters, counted in the mailbox of a real server, and what a program elsewhere is told, counted
//! by that program, while everything that can make somebody look at an event again does.

use std::collections::BTreeMap;
use std::time::Duration;

use journeys::{Client, House, Listener, Resident, upheaval};
use serde_json::json;

const SOON: Duration = Duration::from_mins(1);
const GUESTS: usize = 12;
const HOOK: &str = "/hook";

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

/// What is counted: of each guest, or of each event about one.
type Counted<'a> = dyn Fn(&House) -> anyhow::Result<BTreeMap<String, usize>> + 'a;

/// There is one of each.
fn once(house: &House, counted: &Counted<'_>, guests: usize) -> anyhow::Result<()> {
    let counted = counted(house)?;
    assert_eq!(counted.len(), guests, "{counted:?}");
    assert!(counted.values().all(|count| *count == 1), "{counted:?}");
    Ok(())
}

async fn all_came(house: &House, counted: &Counted<'_>, guests: usize) -> anyhow::Result<()> {
    let came = async || Ok(counted(house)?.len() == guests);
    house.until("everything came", SOON, came).await?;
    house.idle(SOON).await?;
    once(house, counted, guests)
}

/// Guests are invited, and everything that can happen to the house does.
async fn upheavals(house: &mut House, owner: &Client, counted: &Counted<'_>) -> anyhow::Result<()> {
    invite(owner, 0..GUESTS).await?;
    // Ended in the middle, as in every upgrade.
    house.end(Resident::Workers).await?;
    house.move_in(Resident::Workers)?;
    all_came(house, counted, GUESTS).await?;
    upheaval::forgotten(house).await?;
    invite(owner, GUESTS..GUESTS + 1).await?;
    all_came(house, counted, GUESTS + 1).await?;
    upheaval::from_the_beginning(house).await?;
    once(house, counted, GUESTS + 1)?;
    upheaval::restored(house, owner).await?;
    house.idle(SOON).await?;
    once(house, counted, GUESTS + 1)?;
    let owner = house.owner("acme").await?;
    invite(&owner, 20..21).await?;
    all_came(house, counted, GUESTS + 2).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_letter_is_sent_once_through_rebuilds_redelivery_restarts_and_a_restore()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::Workers)?;
    let owner = house.found("acme").await?;
    upheavals(&mut house, &owner, &letters).await?;
    house.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_told_once_through_rebuilds_redelivery_restarts_and_a_restore()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::Workers)?;
    let owner = house.found("acme").await?;
    let program = Listener::start()?;
    invite(&owner, 100..101).await?; // of what came before nobody hears
    let endpoint = json!({"url": format!("{}{HOOK}", program.url),
        "events": ["identity.invitation.issued"]});
    owner.post("/webhooks", &endpoint).await?.ok()?;
    upheavals(&mut house, &owner, &|_| program.counted(HOOK)).await?;
    house.stop().await;
    Ok(())
}
