//! Files made from read models: requested, alone or several as one, made by a worker, fetched for a while.

pub mod batch;
pub mod cleanup;
pub mod export;
mod report;
pub mod template;

pub use report::*;

/// Most characters of a title that are in the name of a file.
const STEM_MAX_CHARS: usize = 120;

/// A title as the name of a file, of characters that every file system takes; `otherwise` where nothing is left of it.
pub fn file_stem(title: &str, otherwise: &str) -> String {
    let safe = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '-' } else { c };
    let title: String = title.chars().map(safe).take(STEM_MAX_CHARS).collect();
    let title = title.trim().trim_start_matches('.').replace(' ', "-");
    if title.is_empty() { otherwise.to_owned() } else { title }
}
