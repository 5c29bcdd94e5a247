//! Which crate may depend on which.

use toml::Table;

/// One crate of the workspace and the crates of ours that it may use.
#[derive(Debug, Clone, Copy)]
pub struct Arrow {
    /// The crate.
    pub from: &'static str,
    /// What it may depend on.
    pub to: &'static [&'static str],
    /// What its tests may use besides.
    pub in_tests: &'static [&'static str],
}

/// A library that only some crates may use.
#[derive(Debug, Clone, Copy)]
pub struct Owned {
    /// The library.
    pub library: &'static str,
    /// Who may use it.
    pub owners: &'static [&'static str],
    /// Why nobody else may.
    pub reason: &'static str,
}

/// Libraries that one crate must do without.
#[derive(Debug, Clone, Copy)]
pub struct Without {
    /// The crate.
    pub krate: &'static str,
    /// What it must not use.
    pub libraries: &'static [&'static str],
    /// Why not.
    pub reason: &'static str,
}

/// Checks one crate's dependencies. Tests may use any library.
pub fn check(
    manifest: &Table,
    arrows: &[Arrow],
    owned: &[Owned],
    without: &[Without],
) -> Vec<String> {
    let Some(name) = manifest.get("package").and_then(|package| package["name"].as_str()) else {
        return vec!["a manifest without a package name".into()];
    };
    let Some(arrow) = arrows.iter().find(|arrow| arrow.from == name) else {
        return vec![format!("{name}: not in the table of arrows")];
    };
    let is_ours = |library: &str| arrows.iter().any(|arrow| arrow.from == library);
    let mut complaints = Vec::new();
    for library in dependencies(manifest, &["dependencies", "build-dependencies"]) {
        if is_ours(library) {
            if !arrow.to.contains(&library) {
                complaints.push(format!("{name}: no arrow to {library}"));
            }
            continue;
        }
        for Owned { owners, reason, .. } in owned.iter().filter(|owned| owned.library == library) {
            if !owners.contains(&name) {
                complaints.push(format!("{name}: must not use {library}: {reason}"));
            }
        }
        for Without { reason, .. } in without
            .iter()
            .filter(|without| without.krate == name && without.libraries.contains(&library))
        {
            complaints.push(format!("{name}: must not use {library}: {reason}"));
        }
    }
    for library in dependencies(manifest, &["dev-dependencies"]) {
        if is_ours(library) && !arrow.to.contains(&library) && !arrow.in_tests.contains(&library) {
            complaints.push(format!("{name}: no arrow to {library}, not even in tests"));
        }
    }
    complaints
}

/// Checks that every arrow leads to a crate of the table, and that no line is left over.
pub fn check_table(arrows: &[Arrow], members: &[String]) -> Vec<String> {
    let known = |name: &str| members.iter().any(|member| member == name);
    arrows
        .iter()
        .flat_map(|arrow| std::iter::once(&arrow.from).chain(arrow.to).chain(arrow.in_tests))
        .filter(|name| !known(name))
        .map(|name| format!("the table of arrows names {name}, which is no crate of the workspace"))
        .collect()
}

fn dependencies<'a>(manifest: &'a Table, sections: &'a [&str]) -> impl Iterator<Item = &'a str> {
    sections
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|table| table.keys().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARROWS: &[Arrow] = &[
        Arrow { from: "core", to: &[], in_tests: &[] },
        Arrow { from: "edge", to: &["core"], in_tests: &["schema"] },
        Arrow { from: "schema", to: &[], in_tests: &[] },
    ];
    const OWNED: &[Owned] =
        &[Owned { library: "async-nats", owners: &["core"], reason: "core owns the bus" }];
    const WITHOUT: &[Without] =
        &[Without { krate: "core", libraries: &["tokio"], reason: "core is pure" }];

    fn complaints(manifest: &str) -> Vec<String> {
        check(&manifest.parse().unwrap(), ARROWS, OWNED, WITHOUT)
    }

    #[test]
    fn allowed_dependencies_pass() {
        let edge = "package.name = 'edge'\n[dependencies]\ncore = '1'\nserde = '1'\n\
                    [dev-dependencies]\nschema = '1'";
        assert!(complaints(edge).is_empty());
    }

    #[test]
    fn a_new_arrow_is_refused_also_in_tests() {
        let core = "package.name = 'core'\n[dependencies]\nedge = '1'";
        assert_eq!(complaints(core), ["core: no arrow to edge"]);
        let core = "package.name = 'core'\n[dev-dependencies]\nedge = '1'";
        assert_eq!(complaints(core), ["core: no arrow to edge, not even in tests"]);
    }

    #[test]
    fn an_owned_or_forbidden_library_is_refused() {
        let edge = "package.name = 'edge'\n[dependencies]\nasync-nats = '1'";
        assert_eq!(complaints(edge), ["edge: must not use async-nats: core owns the bus"]);
        let core = "package.name = 'core'\n[dependencies]\ntokio = '1'";
        assert_eq!(complaints(core), ["core: must not use tokio: core is pure"]);
    }

    #[test]
    fn a_crate_outside_the_table_is_refused() {
        assert_eq!(complaints("package.name = 'new'"), ["new: not in the table of arrows"]);
        assert_eq!(check_table(ARROWS, &["core".into(), "edge".into()]).len(), 2);
    }
}
