//! How migrations are named.

use std::collections::BTreeSet;

/// Checks the file names of all migrations: `<yyyymmddhhmmss>_<subject>_<what>.{up,down}.sql`, each both ways.
/// A subject is a module or one of `subjects`.
pub fn check(names: &[String], modules: &[String], subjects: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut times = BTreeSet::new();
    for name in names {
        let Some((stem, direction)) = ["up", "down"]
            .iter()
            .find_map(|way| Some((name.strip_suffix(&format!(".{way}.sql"))?, *way)))
        else {
            complaints.push(format!("{name}: must end with .up.sql or .down.sql"));
            continue;
        };
        let other = if direction == "up" { "down" } else { "up" };
        if !names.contains(&format!("{stem}.{other}.sql")) {
            complaints.push(format!("{name}: there is no {stem}.{other}.sql"));
        }
        let (time, what) = stem.split_once('_').unwrap_or((stem, ""));
        if time.len() != 14 || !is_time(time) {
            complaints.push(format!("{name}: must begin with the time, yyyymmddhhmmss"));
        }
        if direction == "up" && !times.insert(time.to_owned()) {
            complaints.push(format!("{name}: another migration has the same time"));
        }
        let of = |subject: &str| what == subject || what.starts_with(&format!("{subject}_"));
        if !modules.iter().any(|module| of(module)) && !subjects.iter().any(|subject| of(subject)) {
            complaints.push(format!("{name}: must name its module after the time"));
        }
    }
    complaints
}

fn is_time(text: &str) -> bool {
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok());
    let within =
        |part: Option<u32>, low: u32, high: u32| part.is_some_and(|n| (low..=high).contains(&n));
    within(number(0, 4), 2026, 2999)
        && within(number(4, 6), 1, 12)
        && within(number(6, 8), 1, 31)
        && within(number(8, 10), 0, 23)
        && within(number(10, 12), 0, 59)
        && within(number(12, 14), 0, 59)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        check(&names, &["rbac".into()], &["log"])
    }

    #[test]
    fn proper_migrations_pass() {
        let names = [
            "20261121000100_log.up.sql",
            "20261121000100_log.down.sql",
            "20261121000200_rbac_roles.up.sql",
            "20261121000200_rbac_roles.down.sql",
        ];
        assert!(complaints(&names).is_empty());
    }

    #[test]
    fn each_breach_is_named() {
        assert_eq!(complaints(&["20261121000200_rbac_roles.up.sql"]).len(), 1);
        assert_eq!(complaints(&["20261121000200_rbac_roles.sql"]).len(), 1);
        let both = |stem: &str| [format!("{stem}.up.sql"), format!("{stem}.down.sql")];
        for stem in ["20261321000200_rbac_roles", "1_rbac_roles", "20261121000200_roles"] {
            let names = both(stem);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            assert_eq!(complaints(&names).len(), 2, "{stem}");
        }
        let (a, b) = (both("20261121000200_rbac_a"), both("20261121000200_rbac_b"));
        let names: Vec<&str> = a.iter().chain(&b).map(String::as_str).collect();
        assert_eq!(complaints(&names).len(), 1);
    }
}
