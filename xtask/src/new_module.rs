//! `cargo xtask new-module`: the files of a module in every process, and what remains to be done by hand.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// A new module and its first aggregate.
#[derive(Debug, Clone)]
pub struct NewModule {
    module: String,
    aggregate: String,
}

/// One thing to add by hand, just after the line that holds the anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where, as a path in the tree.
    pub file: &'static str,
    /// After which text.
    pub after: &'static str,
    /// What.
    pub add: String,
}

/// Where each file goes, and what is in it.
const FILES: &[(&str, &str)] = &[
    ("events/src/{{module}}/mod.rs", include_str!("../templates/module.rs.in")),
    ("events/src/{{module}}/{{aggregate}}/mod.rs", include_str!("../templates/aggregate.rs.in")),
    ("events/src/{{module}}/{{aggregate}}/events.rs", include_str!("../templates/events.rs.in")),
    (
        "events/src/{{module}}/{{aggregate}}/commands.rs",
        include_str!("../templates/commands.rs.in"),
    ),
    ("events/src/{{module}}/{{aggregate}}/state.rs", include_str!("../templates/state.rs.in")),
    ("events/src/{{module}}/{{aggregate}}/decide.rs", include_str!("../templates/decide.rs.in")),
    ("events/src/{{module}}/{{aggregate}}/tests.rs", include_str!("../templates/tests.rs.in")),
    (
        "events/samples/{{module}}.{{aggregate}}.created.json",
        include_str!("../templates/sample.json.in"),
    ),
    ("command-api/src/{{module}}/mod.rs", include_str!("../templates/commands_in.rs.in")),
    ("projectors/src/{{module}}/mod.rs", include_str!("../templates/rows_out.rs.in")),
    ("projectors/src/{{module}}/{{aggregates}}.rs", include_str!("../templates/read_model.rs.in")),
    ("query-api/src/{{module}}/mod.rs", include_str!("../templates/questions.rs.in")),
    ("workers/src/{{module}}/mod.rs", include_str!("../templates/jobs.rs.in")),
    (
        "migrations/sql/{{time}}_{{module}}_read_models.up.sql",
        include_str!("../templates/up.sql.in"),
    ),
    (
        "migrations/sql/{{time}}_{{module}}_read_models.down.sql",
        include_str!("../templates/down.sql.in"),
    ),
];

/// Where something is to be added by hand, after what, and what; the compiler asks for the rest.
const STEPS: &[(&str, &str, &str)] = &[
    ("events/src/modules.rs", "pub enum Module {", "    /// {{Title}}.\n    {{Module}},"),
    (
        "events/src/modules.rs",
        "    match module {",
        "        Module::{{Module}} => visitor.visit::<crate::{{module}}::{{aggregate}}::{{Aggregate}}>(),",
    ),
    ("events/src/lib.rs", "pub mod text;", "pub mod {{module}};"),
    ("events/src/ids.rs", "ids! {", "    /// One {{aggregate words}}.\n    {{Aggregate}}Id,"),
    (
        "events/src/permission.rs",
        "pub enum Permission {",
        "    /// Create, change and delete {{aggregates words}}.\n    \
         #[serde(rename = \"{{module}}.{{aggregates}}:manage\")] \
         #[strum(serialize = \"{{module}}.{{aggregates}}:manage\")]\n    \
         {{Module}}{{Aggregates}}Manage,",
    ),
    (
        "platform/src/dataset/catalogue.rs",
        "    match module {",
        "        Module::{{Module}} => {{MODULE}},",
    ),
    (
        "platform/src/dataset/catalogue.rs",
        "pub(super) const CHANGED_AT: Column = Column::new(\"changed_at\", \"Changed\", Time);",
        include_str!("../templates/dataset.rs.in"),
    ),
    ("command-api/src/lib.rs", "mod app;", "mod {{module}};"),
    (
        "command-api/src/lib.rs",
        "        match module {",
        "            Module::{{Module}} => {{module}}::routes(&mut registry),",
    ),
    ("projectors/src/lib.rs", "pub mod runtime;", "mod {{module}};"),
    (
        "projectors/src/lib.rs",
        "    match module {",
        "        Module::{{Module}} => {{module}}::projections(),",
    ),
    ("query-api/src/lib.rs", "mod app;", "mod {{module}};"),
    (
        "query-api/src/lib.rs",
        "    match module {",
        "        Module::{{Module}} => {{module}}::endpoints(),",
    ),
    ("workers/src/lib.rs", "mod runtime;", "mod {{module}};"),
    (
        "workers/src/runtime/mod.rs",
        "    match module {",
        "        Module::{{Module}} => crate::{{module}}::jobs(),",
    ),
];

impl NewModule {
    /// Checks the names: the module's folder and its first aggregate, a singular noun of its own.
    pub fn new(module: &str, aggregate: &str) -> anyhow::Result<Self> {
        for name in [module, aggregate] {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            ensure!(
                name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain),
                "{name:?} must be snake_case"
            );
        }
        ensure!(module != aggregate, "the aggregate needs a noun of its own, not the module's");
        Ok(Self { module: module.into(), aggregate: aggregate.into() })
    }

    /// Writes the files below `root`; refuses when one is there already. The paths written.
    pub fn write(&self, root: &Path, time: &str) -> anyhow::Result<Vec<String>> {
        let files: Vec<(String, String)> = FILES
            .iter()
            .map(|(path, text)| (self.fill(path).replace("{{time}}", time), self.fill(text)))
            .collect();
        for (path, _) in &files {
            ensure!(!root.join(path).exists(), "{path} exists already");
        }
        for (path, text) in &files {
            let path = root.join(path);
            let folder = path.parent().context("a file without a folder")?;
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, text))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }

    /// What remains to be done by hand, in order.
    pub fn steps(&self) -> Vec<Step> {
        STEPS.iter().map(|(file, after, add)| Step { file, after, add: self.fill(add) }).collect()
    }

    fn fill(&self, text: &str) -> String {
        let (module, aggregate) = (&self.module, &self.aggregate);
        let aggregates = plural(aggregate);
        let words = |name: &str| name.replace('_', " ");
        [
            ("module-kebab", module.replace('_', "-")),
            ("module words", words(module)),
            ("aggregate words", words(aggregate)),
            ("aggregates words", words(&aggregates)),
            ("Title", capital(&words(module))),
            ("module", module.clone()),
            ("aggregates", aggregates.clone()),
            ("aggregate", aggregate.clone()),
            ("Module", pascal(module)),
            ("Aggregates", pascal(&aggregates)),
            ("Aggregate", pascal(aggregate)),
            ("AGGREGATE", aggregate.to_uppercase()),
            ("MODULE", module.to_uppercase()),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{{{name}}}}}"), value)
        })
    }
}

/// Writes the files into the working tree and says what comes next.
pub(crate) fn run(module: &str, aggregate: &str) -> anyhow::Result<()> {
    let new = NewModule::new(module, aggregate)?;
    let output = Command::new("date").args(["--utc", "+%Y%m%d%H%M%S"]).output();
    let time = String::from_utf8(output.context("cannot run date")?.stdout)?;
    for path in new.write(&crate::root(), time.trim())? {
        println!("wrote {path}");
    }
    println!("\nBy hand, or as the compiler asks for it:");
    for (number, step) in new.steps().iter().enumerate() {
        let Step { file, after, add } = step;
        println!("{:>3}. {file}, after `{}`:\n{add}", number + 1, after.trim());
    }
    println!(
        "\nThen `cargo fmt`, `cargo xtask generate`, `cargo xtask test`. The words, rules, rows and questions are yours."
    );
    Ok(())
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        Some(_) | None => format!("{noun}s"),
    }
}

fn pascal(snake: &str) -> String {
    snake.split('_').map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_their_forms() {
        assert_eq!(pascal("calendar_sync"), "CalendarSync");
        assert_eq!(plural("delivery"), "deliveries");
        assert_eq!(plural("survey"), "surveys");
        assert_eq!(plural("work_order"), "work_orders");
    }

    #[test]
    fn bad_names_are_refused() {
        for (module, aggregate) in
            [("Booking", "order"), ("booking", "booking"), ("", "order"), ("a-b", "order")]
        {
            assert!(NewModule::new(module, aggregate).is_err(), "{module} {aggregate}");
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        let new = NewModule::new("calendar_sync", "feed").unwrap();
        for (path, text) in FILES {
            let path = new.fill(path).replace("{{time}}", "x");
            assert!(!path.contains("{{"), "{path}");
            assert!(!new.fill(text).contains("{{"), "{path}");
        }
        for step in new.steps() {
            assert!(!step.add.contains("{{"), "{step:?}");
        }
    }
}
