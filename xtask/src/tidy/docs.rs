//! Whether what a page says is there, is there.

use std::path::Path;

/// Checks the paths in backticks and the relative links of one page. `folder` is where the page is, for its links.
pub fn check(root: &Path, folder: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for mention in mentions(text) {
        let literal = mention.trim_end_matches('/').split('#').next().unwrap_or_default();
        if looks_like_a_path(root, literal) && !exists(root, literal) {
            complaints.push(format!("`{mention}` does not exist"));
        }
        if let Some((file, function)) = mention.split_once(".rs::")
            && !defines(root, &format!("{file}.rs"), function)
        {
            complaints.push(format!("`{mention}`: the file has no such function"));
        }
    }
    for link in links(text) {
        let target = link.split('#').next().unwrap_or_default();
        if !target.is_empty()
            && !target.contains("://")
            && !target.starts_with("mailto:")
            && !folder.join(target).exists()
        {
            complaints.push(format!("the link to {link} leads nowhere"));
        }
    }
    complaints
}

/// Checks a table of requirements: each has a number of its own, in order, one of our verdicts, and a file or test behind it
/// unless it is not met yet.
pub fn check_verdicts(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut last: Vec<u32> = Vec::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        let number: Option<Vec<u32>> = cells[0].split('.').map(|part| part.parse().ok()).collect();
        let Some(number) = number.filter(|number| number.len() == 3) else { continue };
        let named = cells.get(3).is_some_and(|evidence| evidence.contains('`'));
        match cells.get(2) {
            Some(&("met" | "partly")) if named => {}
            Some(&("met" | "partly")) => complaints.push(format!("{}: no evidence", cells[0])),
            Some(&"not yet") => {}
            _ => complaints.push(format!("{}: met, partly or not yet?", cells[0])),
        }
        if number <= last {
            complaints.push(format!("{}: twice or out of order", cells[0]));
        }
        last = number;
    }
    complaints
}

/// Whether a file of the tree has a function of that name.
fn defines(root: &Path, file: &str, function: &str) -> bool {
    let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
    text.contains(&format!("fn {function}("))
}

/// What stands in single backticks, outside code blocks.
fn mentions(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

fn links(text: &str) -> Vec<&str> {
    text.match_indices("](")
        .filter_map(|(at, _)| text[at + 2..].split([')', ' ', '\n']).next())
        .collect()
}

/// Only what begins with a folder of the tree's root, or a file's bare name, is meant as a path in it.
fn looks_like_a_path(root: &Path, mention: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-*{},".contains(c);
    mention.chars().all(plain)
        && match mention.split_once('/') {
            Some((first, _)) => !first.is_empty() && root.join(first).is_dir(),
            None => is_file_name(mention),
        }
}

/// A bare word is a path only when it is a file of a kind that we have.
fn is_file_name(word: &str) -> bool {
    [".rs", ".sql", ".toml", ".yaml"].iter().any(|end| word.ends_with(end)) && !word.contains('*')
}

fn exists(root: &Path, mention: &str) -> bool {
    if !mention.contains('/') {
        return super::files(root).iter().any(|path| path.ends_with(mention));
    }
    alternatives(mention).iter().all(|path| {
        let fixed = path.split('*').next().unwrap_or_default();
        if fixed.len() == path.len() {
            return root.join(path).exists();
        }
        super::files(root).iter().any(|file| matches(path, &super::relative(root, file)))
    })
}

/// `a.{up,down}.sql` means both.
fn alternatives(mention: &str) -> Vec<String> {
    match mention.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?))) {
        Some((head, (choices, tail))) => choices
            .split(',')
            .flat_map(|choice| alternatives(&format!("{head}{choice}{tail}")))
            .collect(),
        None => vec![mention.to_owned()],
    }
}

/// Whether a file lies on or below a path with stars.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    patterns.all(|pattern| parts.next().is_some_and(|part| matches_part(pattern, part)))
}

fn matches_part(pattern: &str, part: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == part,
        Some((head, tail)) => {
            part.len() >= head.len() + tail.len() && part.starts_with(head) && part.ends_with(tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(page: &str) -> Vec<String> {
        let root = crate::root();
        check(&root, &root, page)
    }

    #[test]
    fn what_exists_passes() {
        let page = "See `xtask/src/tidy/docs.rs`, `xtask/src/`, `Cargo.toml`, `xtask/src/*/docs.rs`, \
                    `cargo xtask up`, `a/b`, `events.<tenant>`, `xtask/src/tidy/{docs,mod}.rs`, [x](Cargo.toml#a), \
                    `xtask/src/tidy/docs.rs::check`, [y](https://example.org/a)\n```\n`xtask/none.rs`\n```\n";
        assert_eq!(complaints(page), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_exist_is_named() {
        for mention in
            ["xtask/none.rs", "xtask/src/*/none.rs", "none.rs", "xtask/src/tidy/{docs,none}.rs"]
        {
            assert_eq!(complaints(&format!("See `{mention}`.")).len(), 1, "{mention}");
        }
        assert_eq!(complaints("See [it](docs/none.md).").len(), 1);
        for mention in ["xtask/none.rs::check", "xtask/src/tidy/docs.rs::chec"] {
            assert_eq!(complaints(&format!("See `{mention}`.")).len(), 1, "{mention}");
        }
    }

    #[test]
    fn a_verdict_without_evidence_or_out_of_order_is_named() {
        let good = "| id | asks | verdict | evidence |\n|---|---|---|---|\n| 1.2.9 | a | met | `a.rs` |\n\
                    | 1.2.10 | b | not yet | |\n| 2.1.1 | c | partly | `b.rs`, but not c |\n";
        assert_eq!(check_verdicts(good), Vec::<String>::new());
        for bad in [
            "| 1.1.1 | a | met | by design |",
            "| 1.1.1 | a | partly | |",
            "| 1.1.1 | a | fine | `a.rs` |",
            "| 1.1.1 | a | not yet | |\n| 1.1.1 | a | not yet | |",
        ] {
            assert_eq!(check_verdicts(bad).len(), 1, "{bad}");
        }
    }
}
