//! Where a text is found in a whole house: for what should be nowhere.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::house::House;

/// Every place where a text in small letters is found: the database as a dump, NATS' store, Redis, stored files, what the processes said.
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

/// Whether bytes hold a text in small letters, in whatever letters.
pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.to_ascii_lowercase().windows(text.len()).any(|part| part == text.as_bytes())
}
