//! The names of the domain: modules, events, their frozen samples.

/// Endings that say that something happened without saying what.
const EMPTY_ENDINGS: &[&str] = &["_updated", "_changed", "_set", ".updated", ".changed", ".set"];

/// The variants of the closed list `Module`, as the names of their folders, read off the source.
pub fn modules(source: &str) -> Vec<String> {
    let Some((_, rest)) = source.split_once("pub enum Module {") else { return Vec::new() };
    let body = rest.split('}').next().unwrap_or_default();
    body.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && !line.starts_with('#'))
        .filter_map(|line| line.strip_suffix(','))
        .map(snake_case)
        .collect()
}

/// The stored event types that one `events.rs` declares.
pub fn event_types(source: &str) -> Vec<String> {
    source
        .split("rename = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|name| name.split('.').count() == 3)
        .map(str::to_owned)
        .collect()
}

/// Checks the event types of the aggregate whose folder this is.
pub fn check_event_types(module: &str, aggregate: &str, types: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in types {
        if !name.starts_with(&format!("{module}.{aggregate}.")) {
            complaints.push(format!("{name}: must begin with {module}.{aggregate}."));
        }
        if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c)) {
            complaints.push(format!("{name}: must be snake_case"));
        }
        if EMPTY_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            complaints
                .push(format!("{name}: says that something changed, not what; name the intent"));
        }
    }
    complaints
}

/// Checks that the stored types and the frozen samples (`<type>.json`) are the same list.
pub fn check_samples(types: &[String], samples: &[String]) -> Vec<String> {
    let sample = |name: &String| format!("{name}.json");
    let missing = types.iter().filter(|name| !samples.contains(&sample(name)));
    let left = samples.iter().filter(|file| !types.iter().any(|name| sample(name) == **file));
    missing
        .map(|name| format!("{name}: has no frozen sample"))
        .chain(left.map(|file| format!("{file}: is no event's sample")))
        .collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_closed_list() {
        let source = "/// Doc.\npub enum Module {\n    /// Doc, with comma,\n    Rbac,\n    CustomFields,\n}\n";
        assert_eq!(modules(source), ["rbac", "custom_fields"]);
    }

    #[test]
    fn reads_event_types_but_no_field_names() {
        let source =
            r#"#[serde(rename = "rbac.policy.role_created")] A, #[serde(rename = "name")] b"#;
        assert_eq!(event_types(source), ["rbac.policy.role_created"]);
    }

    #[test]
    fn an_event_that_says_nothing_is_refused() {
        let check = |name: &str| check_event_types("rbac", "policy", &[name.to_owned()]).len();
        assert_eq!(check("rbac.policy.role_renamed"), 0);
        assert_eq!(check("rbac.policy.role_reset"), 0);
        for bad in [
            "rbac.policy.role_updated",
            "rbac.policy.changed",
            "rbac.policy.level_set",
            "rbac.policy.RoleCreated",
            "rbac.role.created",
        ] {
            assert_eq!(check(bad), 1, "{bad}");
        }
    }

    #[test]
    fn samples_and_types_are_one_list() {
        let types = ["a.b.c".to_owned()];
        assert!(check_samples(&types, &["a.b.c.json".into()]).is_empty());
        assert_eq!(check_samples(&types, &[]).len(), 1);
        assert_eq!(check_samples(&types, &["a.b.c.json".into(), "a.b.d.json".into()]).len(), 1);
    }
}
