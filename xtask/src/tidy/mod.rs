//! Checks of the house's own rules that no compiler makes; `tests/tidy.rs` runs them over the tree.

pub mod arrows;
pub mod docs;
pub mod domain;
pub mod schema;
pub mod source;

use std::path::{Path, PathBuf};

/// Files of the tree that are ours: not built, not private, not git's.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let skipped = ["target", ".git", ".annals", "node_modules"];
            if path.is_dir() {
                if !skipped.iter().any(|skipped| name == *skipped) {
                    folders.push(path);
                }
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A path as it is written in the tree: relative, with slashes.
pub fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}
