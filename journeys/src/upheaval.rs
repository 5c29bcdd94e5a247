//! Everything that can make somebody look at an event again: what was done because of it is not done again.

use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::house::{House, Resident};

const SOON: Duration = Duration::from_mins(1);

/// Every read model anew, and a bus that forgot everything and tells everything again.
pub async fn forgotten(house: &mut House) -> anyhow::Result<()> {
    for projection in projectors::all() {
        house.run(&["rebuild", projection.table().name])?;
    }
    house.engines.wipe_nats().await
}

/// Every reaction from the first event, weeks later, with killed workers.
pub async fn from_the_beginning(house: &mut House) -> anyhow::Result<()> {
    for resident in [Resident::Workers, Resident::Workers] {
        house.kill(resident)?;
    }
    execute(house, "delete from work.jobs").await?;
    execute(house, "update work.reactions set position = 0").await?;
    house.move_in(Resident::Workers)?;
    house.idle(SOON).await?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    house.idle(SOON).await
}

/// The house as a backup has it, in a new database.
pub async fn restored(house: &mut House, owner: &Client) -> anyhow::Result<()> {
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
    house.run(&["backup", "restore", &file, "--into", &into])?;
    for resident in Resident::FIVE {
        house.move_in(resident)?;
    }
    house.ready().await
}

async fn execute(house: &House, statement: &'static str) -> anyhow::Result<()> {
    let pool = house.database().await?;
    sqlx::query(statement).execute(&pool).await?;
    pool.close().await;
    Ok(())
}
