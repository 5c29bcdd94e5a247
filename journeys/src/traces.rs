//! What is left of somebody, and where: everything that an installation keeps is searched, and a backup from before put back.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::house::{House, Resident};

/// Every place where a text is found: the database as a dump, NATS' store, Redis, stored files, what the processes said.
pub fn places(house: &House, text: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let dump = output(Command::new("pg_dump").arg(house.engines.database_url()))?;
    let mut table = String::new();
    for line in String::from_utf8_lossy(&dump).lines() {
        if let Some(copied) = line.strip_prefix("COPY ") {
            copied.split(' ').next().unwrap_or_default().clone_into(&mut table);
        }
        if line.to_lowercase().contains(text) && !found.contains(&table) {
            found.push(table.clone());
        }
    }
    let redis = ["-u", house.engines.redis_url(), "--no-auth-warning", "EVAL", EVERYTHING, "0"];
    if contains(&output(Command::new("redis-cli").args(redis))?, text) {
        found.push("redis".into());
    }
    let files = PathBuf::from(house.setting("ANNALS_DATA_DIR"));
    let logs = house.path("engines");
    let folder = logs.parent().context("the house has a folder")?.to_owned();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            // Postgres was asked for everything above, a backup made before holds what was before, sealed, and letters are
            // with those to whom they were sent.
            let is_postgres = path.join("PG_VERSION").exists();
            let apart = [files.join("backups"), logs.join("mail")];
            if path.is_dir() && !is_postgres && !apart.contains(&path) {
                folders.push(path);
            } else if path.is_file() && contains(&std::fs::read(&path)?, text) {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(found)
}

/// Every key of Redis and what it holds.
const EVERYTHING: &str = "local out = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind, values = redis.call('TYPE', key).ok, {}
  if kind == 'string' then values = {redis.call('GET', key)}
  elseif kind == 'hash' then values = redis.call('HGETALL', key)
  elseif kind == 'list' then values = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then values = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then values = redis.call('ZRANGE', key, 0, -1) end
  table.insert(out, key)
  for _, value in ipairs(values) do table.insert(out, value) end
end
return out";

fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?}: {said}");
    Ok(output.stdout)
}

/// Whether a text is among bytes, whatever the case.
pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.to_ascii_lowercase().windows(text.len()).any(|part| part == text.as_bytes())
}

/// The backup from before takes the place of the database.
pub async fn restored(house: &mut House, backup: &Path) -> anyhow::Result<()> {
    for resident in Resident::FIVE {
        house.kill(resident)?;
    }
    let url = house.engines.database_url().to_owned();
    let (place, name) = url.rsplit_once('/').context("the URL names no database")?;
    let into = format!("{place}/before");
    let server = sqlx::PgPool::connect(&format!("{place}/postgres")).await?;
    sqlx::query("create database before").execute(&server).await?;
    for (command, url) in [
        (vec!["migrate", "up"], &into),
        (vec!["backup", "restore", backup.to_str().unwrap_or_default(), "--into", &into], &url),
    ] {
        let output = house.annals_with(&command, &[("DATABASE_URL", url)])?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{command:?}: {said}");
    }
    let present = name.split('?').next().unwrap_or_default();
    for statement in [
        format!("drop database {present} with (force)"),
        format!("alter database before rename to {present}"),
    ] {
        sqlx::query(&statement).execute(&server).await?;
    }
    for resident in Resident::FIVE {
        house.move_in(resident)?;
    }
    house.ready().await
}
