//! How a source file must look.

/// The longest source file; tests may be longer.
pub const LONGEST: usize = 500;
/// The longest `main.rs`.
pub const LONGEST_MAIN: usize = 20;

/// What code must not contain, in pieces so that this file does not contain it.
const FORBIDDEN: &[(&[&str], &str)] = &[
    (&["#[al", "low("], "use #[expect(.., reason = \"..\")]"),
    (&["#![al", "low("], "use #![expect(.., reason = \"..\")]"),
    (&["to", "do!("], "finish it"),
    (&["unimple", "mented!("], "finish it"),
    (&["db", "g!("], "remove it"),
    (&["#[ig", "nore"], "a test that does not run is no test"),
];

/// Checks one Rust file by its path in the tree.
pub fn check(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("{path}: {what}"));
    if let Err(what) = opening(text) {
        complain(what);
    }
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        for (pieces, remedy) in FORBIDDEN {
            let word = pieces.concat();
            if code.contains(&word) {
                complain(format!("line {}: {word}: {remedy}", number + 1));
            }
        }
    }
    let length = text.lines().count();
    let is_main = path.ends_with("/main.rs") && !path.contains("/tests/");
    let is_tests = path.ends_with("tests.rs") || path.contains("/tests/");
    if is_main && length > LONGEST_MAIN {
        complain(format!("{length} lines; a main.rs has at most {LONGEST_MAIN}"));
    } else if !is_tests && path.contains("/src/") && length > LONGEST {
        complain(format!("{length} lines; a file has at most {LONGEST}"));
    }
    complaints
}

/// A file opens with one sentence that says what it is for.
fn opening(text: &str) -> Result<(), String> {
    let Some(first) = text.lines().next().and_then(|line| line.strip_prefix("//! ")) else {
        return Err("does not open with a //! sentence".into());
    };
    let paragraph: Vec<&str> = std::iter::once(first)
        .chain(text.lines().skip(1).map_while(|line| line.strip_prefix("//! ")))
        .collect();
    let sentence = paragraph.join(" ");
    // A crate is written as it is named, in lower case.
    let is_crate = sentence.split(' ').next().is_some_and(|word| word.contains('-'));
    let capital = |c: char| c.is_uppercase() || c == '`' || c.is_ascii_digit();
    let begins = is_crate || sentence.starts_with(capital);
    if begins && sentence.ends_with(['.', ':']) {
        Ok(())
    } else {
        Err("its opening is no sentence: a capital first, a full stop last".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proper_file_passes() {
        assert!(check("a/src/b.rs", "//! Does a thing.\nfn f() {}\n").is_empty());
        assert!(
            check("a/src/b.rs", "//! Does a thing,\n//! at length.\n//!\n//! More\n").is_empty()
        );
    }

    #[test]
    fn a_file_without_a_sentence_is_refused() {
        for text in ["", "fn f() {}", "//! placeholder", "//!\n//! Late.", "//! No stop\nfn f() {}"]
        {
            assert_eq!(check("a/src/b.rs", text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn forbidden_words_are_refused_outside_comments() {
        for (pieces, _) in FORBIDDEN {
            let word = pieces.concat();
            let code = format!("//! Does a thing.\n    {word}\n");
            assert_eq!(check("a/src/b.rs", &code).len(), 1, "{word}");
            let comment = format!("//! Does a thing.\n    // never {word}\n");
            assert!(check("a/src/b.rs", &comment).is_empty(), "{word}");
        }
    }

    #[test]
    fn long_files_are_refused() {
        let text = format!("//! Does a thing.\n{}", "\n".repeat(LONGEST));
        assert_eq!(check("a/src/b.rs", &text).len(), 1);
        assert!(check("a/src/b/tests.rs", &text).is_empty());
        assert!(check("a/tests/b.rs", &text).is_empty());
        let text = format!("//! Does a thing.\n{}", "\n".repeat(LONGEST_MAIN));
        assert_eq!(check("a/src/main.rs", &text).len(), 1);
    }
}
