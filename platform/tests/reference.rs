//! The committed references of settings and permissions say what the code says.

use std::fmt::Write as _;

use events::Permission;
use platform::config::Settings;
use platform::testkit::committed;

#[test]
fn the_reference_of_settings_is_what_the_code_reads() {
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    let schema = schemars::schema_for!(Settings).to_value();
    let mut text = String::from(
        "# Settings\n\nGenerated; `cargo xtask generate` writes it anew. Each is read from the file that `ANNALS_CONFIG` names (the key) and from the\n\
         environment (the variable), which wins. Unknown keys are refused.\n\n| key | variable | default | meaning |\n|---|---|---|---|\n",
    );
    for (key, default) in defaults.as_object().unwrap() {
        let variable = match key.as_str() {
            "database_url" | "nats_url" | "redis_url" => key.to_uppercase(),
            _ => format!("ANNALS_{}", key.to_uppercase()),
        };
        let meaning = schema["properties"][key]["description"].as_str().unwrap_or_default();
        assert!(!meaning.is_empty(), "{key} says nothing about itself");
        let default = default.to_string().replace("\"\"", "");
        let meaning = meaning.replace('\n', " ");
        writeln!(text, "| `{key}` | `{variable}` | {default} | {meaning} |").unwrap();
    }
    committed("docs/reference/config.md", &text).unwrap();
}

#[test]
fn the_reference_of_permissions_is_the_closed_list() {
    let mut text = String::from(
        "# Permissions\n\nGenerated; `cargo xtask generate` writes it anew. Organisations have permissions of their own beside these.\n\n\
         | permission | lets one |\n|---|---|\n",
    );
    for permission in Permission::ALL {
        assert!(
            !permission.description().is_empty(),
            "{} says nothing about itself",
            permission.name()
        );
        writeln!(text, "| `{}` | {} |", permission.name(), permission.description()).unwrap();
    }
    committed("docs/reference/permissions.md", &text).unwrap();
}
