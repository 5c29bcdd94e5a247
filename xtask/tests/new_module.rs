//! That `new-module`, in a copy of the tree, writes files that are in order and names the right places for the rest.

use std::path::Path;

use xtask::new_module::{NewModule, Step};
use xtask::tidy::{domain, files, relative, schema, source};

const TIME: &str = "20990101000000";

/// The files that the steps touch, copied below `to`.
fn copy(steps: &[Step], to: &Path) {
    for step in steps {
        let target = to.join(step.file);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(xtask::root().join(step.file), &target).unwrap();
    }
}

/// Does by machine what a developer does by hand.
fn follow(step: &Step, root: &Path) {
    let path = root.join(step.file);
    let text = std::fs::read_to_string(&path).unwrap();
    let places = text.lines().filter(|line| *line == step.after).count();
    assert_eq!(places, 1, "{}: `{}` must be there once", step.file, step.after);
    let text =
        text.replace(&format!("{}\n", step.after), &format!("{}\n{}\n", step.after, step.add));
    std::fs::write(path, text).unwrap();
}

#[test]
fn writes_files_in_order_and_names_the_places_for_the_rest() {
    let place = tempfile::tempdir().unwrap();
    let new = NewModule::new("calendar_sync", "feed").unwrap();
    let steps = new.steps();
    copy(&steps, place.path());
    let written = new.write(place.path(), TIME).unwrap();
    for step in &steps {
        follow(step, place.path());
    }

    let read = |path: &str| std::fs::read_to_string(place.path().join(path)).unwrap();
    let modules = domain::modules(&read("events/src/modules.rs"));
    assert!(modules.contains(&"calendar_sync".to_owned()), "{modules:?}");
    for process in ["events", "command-api", "projectors", "query-api", "workers"] {
        assert!(written.contains(&format!("{process}/src/calendar_sync/mod.rs")), "{process}");
    }
    for path in
        files(place.path()).iter().filter(|path| path.extension().is_some_and(|e| e == "rs"))
    {
        let text = std::fs::read_to_string(path).unwrap();
        let complaints = source::check(&relative(place.path(), path), &text);
        assert!(complaints.is_empty(), "{complaints:?}");
    }
    let types = domain::event_types(&read("events/src/calendar_sync/feed/events.rs"));
    assert_eq!(types, ["calendar_sync.feed.created"]);
    assert!(domain::check_event_types("calendar_sync", "feed", &types).is_empty());
    let samples = ["calendar_sync.feed.created.json".to_owned()];
    assert!(domain::check_samples(&types, &samples).is_empty());
    let migrations: Vec<String> = written
        .iter()
        .filter_map(|path| path.strip_prefix("migrations/sql/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(migrations.len(), 2);
    assert!(schema::check(&migrations, &modules, &[]).is_empty());
}

#[test]
fn never_writes_over_a_module() {
    let place = tempfile::tempdir().unwrap();
    let new = NewModule::new("calendar_sync", "feed").unwrap();
    new.write(place.path(), TIME).unwrap();
    let refused = new.write(place.path(), TIME).unwrap_err().to_string();
    assert_eq!(refused, "events/src/calendar_sync/mod.rs exists already");
}

#[test]
fn a_place_that_moved_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("lib.rs"), "mod app;\nmod app;\n").unwrap();
    let step = Step { file: "lib.rs", after: "mod app;", add: "mod x;".into() };
    let followed = std::panic::catch_unwind(|| follow(&step, place.path()));
    assert!(followed.is_err());
}
