//! An access matrix of the size of a large organisation, brought in by `annals import access` and compared with what came of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use super::caught_up;
use crate::Effort;
use crate::bed::Bed;
use crate::report::Report;
use crate::samples::float;

/// Of all users so many tenths have sets of their own; the rest share them, as in the matrices that were published.
const OWN_TENTHS: usize = 6;
const USERS: usize = 10_000;
const PERMISSIONS: u32 = 4_000;
/// The least and the most permissions of a set.
const SET: (usize, usize) = (5, 40);
const SEED: u64 = 359; // any; the matrix is the same in every run
const CATCH_UP: Duration = Duration::from_mins(5);

type Set = BTreeSet<u32>;

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let users = if effort.quick { USERS / 100 } else { USERS };
    let (matrix, sets, pairs) = matrix(users);
    let what = format!("{users} users, {sets} sets of permissions, {pairs} pairs");
    let mut report = None;
    for _ in 0..effort.rounds {
        let bed = Bed::make().await?;
        let machine = bed.machine().await?;
        let report = report.get_or_insert_with(|| Report::new("import", effort, machine));
        round(report, &bed, &what, &matrix).await?;
        bed.drop_now().await?;
    }
    report.context("there was no round")
}

async fn round(report: &mut Report, bed: &Bed, what: &str, matrix: &str) -> anyhow::Result<()> {
    let processes = bed.serve_all().await?;
    bed.found().await?;
    let file = bed.settings.data_dir.join("matrix");
    std::fs::write(&file, matrix).context("cannot write the matrix")?;
    let file = file.to_str().context("the folder's name is not text")?;
    let began = Instant::now();
    bed.annals(&["import", "access", file]).await?;
    report.add(what, "import", "s", began.elapsed().as_secs_f64());
    caught_up(&bed.owner, CATCH_UP).await?;
    let began = Instant::now();
    let compared = bed.annals(&["import", "access", file, "--verify", "--json"]).await?;
    report.add(what, "comparison", "s", began.elapsed().as_secs_f64());
    let compared: Value = serde_json::from_str(&compared).context("the comparison is no JSON")?;
    ensure!(compared["exact"] == true, "what came in is not what the matrix says: {compared}");
    let equal = compared["comparison"]["equal"].as_u64().context("nothing was compared")?;
    report.add(what, "pairs that are equal", "", float(equal));
    for (name, process) in &processes {
        report.add(what, name, "MiB at most", process.resident().peak_mib());
    }
    for (_, process) in processes.into_iter().rev() {
        process.stop().await?;
    }
    Ok(())
}

/// Lines of a user and a permission; how many different sets and how many pairs there are.
fn matrix(users: usize) -> (String, usize, usize) {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut own: Vec<Set> = Vec::new();
    let mut known = BTreeSet::new();
    while own.len() < users * OWN_TENTHS / 10 {
        let size = random.random_range(SET.0..=SET.1);
        // The square makes some permissions common and most rare.
        let set: Set = (0..size)
            .map(|_| {
                let place = random.random_range(0..PERMISSIONS);
                1 + place * place / PERMISSIONS
            })
            .collect();
        if known.insert(set.clone()) {
            own.push(set);
        }
    }
    let (mut text, mut pairs) = (String::new(), 0);
    for user in 0..users {
        let set = &own[if user < own.len() { user } else { random.random_range(0..own.len()) }];
        pairs += set.len();
        for permission in set {
            let _cannot_fail = writeln!(text, "u{user} {permission}");
        }
    }
    (text, own.len(), pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_as_large_as_it_says_and_always_the_same() {
        let (text, sets, pairs) = matrix(1_000);
        let mut found: std::collections::BTreeMap<&str, Set> = std::collections::BTreeMap::new();
        for line in text.lines() {
            let (user, permission) = line.split_once(' ').unwrap();
            assert!(found.entry(user).or_default().insert(permission.parse().unwrap()), "{line}");
        }
        assert_eq!((found.len(), text.lines().count()), (1_000, pairs));
        assert_eq!((found.values().collect::<BTreeSet<_>>().len(), sets), (600, 600));
        assert_eq!(matrix(1_000).0, text);
    }
}
