//! The committed references of settings and permissions say what the code says.

use std::fmt::Write as _;

use events::Permission;
use events::settings::{Flag, Key};
use platform::config::Settings;
use platform::testkit::committed;

#[test]
fn the_committed_reference_of_settings_is_what_the_code_reads() {
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    let schema = schemars::schema_for!(Settings).to_value();
    let mut text = String::from(
        "# Settings\n\nGenerated; `cargo xtask generate` writes it anew. Each is read from the file that `ANNALS_CONFIG` names (the key) and from the\n\
         environment (the variable), which wins. Unknown keys are refused.\n\n| key | variable | default | meaning |\n|---|---|---|---|\n",
    );
    for (key, default) in defaults.as_object().unwrap() {
        let variable = match key.as_str() {
            "database_url" | "nats_url" | "redis_url" | "smtp_url" | "mail_from"
            | "mail_reply_to" | "rbac_default_role" | "audit_log_level" => key.to_uppercase(),
            "feature_flags" => "FEATURE_FLAG_<NAME>".to_owned(),
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
fn the_committed_reference_of_permissions_is_the_closed_list() {
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

#[test]
fn the_committed_reference_of_what_organisations_set_is_the_closed_lists() {
    let mut text = String::from(
        "# Settings and feature flags of organisations\n\nGenerated; `cargo xtask generate` writes it anew. What an organisation sets; what the installation is\n\
         configured with is in [config.md](config.md).\n\n| setting | per unit | per user | default | can hold | meaning |\n|---|---|---|---|---|---|\n",
    );
    for key in Key::offered() {
        let (name, form) = (key.name(), key.form());
        let yes = |holds| if holds { "yes" } else { "no" };
        let (per_unit, per_user) = (yes(key.is_per_unit()), yes(key.is_per_user()));
        let default = serde_json::to_string(&form.default_value()).unwrap();
        let title = key.title();
        let row =
            format!("| `{name}` | {per_unit} | {per_user} | `{default}` | {form} | {title} |");
        writeln!(text, "{row}").unwrap();
    }
    text.push_str(
        "\n`FEATURE_FLAG_<NAME>` in the environment of the processes wins over what an organisation switches.\n\n\
         | feature flag | variable | default | meaning |\n|---|---|---|---|\n",
    );
    for flag in Flag::offered() {
        let (name, variable) = (flag.name(), flag.name().to_uppercase());
        let (default, title) = (flag.is_on_by_default(), flag.title());
        writeln!(text, "| `{name}` | `FEATURE_FLAG_{variable}` | {default} | {title} |").unwrap();
    }
    committed("docs/reference/settings.md", &text).unwrap();
}
