//! Who is called in a text: `@handle` at the beginning of a word, and `@[handle]` for handles that are no word.
//!
//! Code is not looked at, be it fenced or within a line, nor are e-mail addresses and what stands behind a backslash.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;

use crate::identity::user::HANDLE_MAX_CHARS;
use crate::text;

/// Most handles that a text may call.
pub const HANDLES_MAX_COUNT: usize = 20;
/// The shortest line that begins or ends fenced code.
const FENCE_MIN_CHARS: usize = 3;

/// The handles that a text calls, in the form in which handles are compared, each once and in their order. Of a text that calls
/// too many there is one more than there may be.
pub fn handles(text: &str) -> Vec<String> {
    let text: String = text.nfc().collect();
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for paragraph in paragraphs(&text) {
        for handle in called(&without_code(&paragraph)) {
            if found.len() > HANDLES_MAX_COUNT {
                return found;
            }
            if seen.insert(handle.clone()) {
                found.push(handle);
            }
        }
    }
    found
}

/// A line that begins fenced code.
struct Fence {
    mark: char,
    chars: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        let (mark, chars, rest) = marks(line)?;
        let is_span = mark == '`' && rest.contains('`');
        (chars >= FENCE_MIN_CHARS && !is_span).then_some(Self { mark, chars })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        marks(line).is_some_and(|(mark, chars, rest)| {
            mark == self.mark && chars >= self.chars && rest.trim().is_empty()
        })
    }
}

/// With what a line begins that could be a fence, how often, and what follows. How far it is indented or quoted does not matter:
/// too much taken for code calls nobody, too little calls somebody whom nobody meant.
fn marks(line: &str) -> Option<(char, usize, &str)> {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '>');
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = line.trim_start_matches(mark);
    Some((mark, line.len() - rest.len(), rest))
}

/// The paragraphs of a text that are not fenced code; code that is never closed goes on to the end.
fn paragraphs(text: &str) -> Vec<String> {
    let (mut paragraphs, mut fence) = (vec![String::new()], None::<Fence>);
    for line in text.lines() {
        if let Some(open) = &fence {
            if open.is_closed_by(line) {
                fence = None;
            }
            continue;
        }
        fence = Fence::opened_by(line);
        if fence.is_some() || line.trim().is_empty() {
            paragraphs.push(String::new());
        } else if let Some(last) = paragraphs.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    paragraphs
}

/// A paragraph with a single backtick for each piece of code in it: what stands between two runs of as many backticks.
fn without_code(paragraph: &str) -> String {
    let (mut prose, mut rest) = (String::with_capacity(paragraph.len()), paragraph);
    while let Some(at) = rest.find(['`', '\\']) {
        let (before, here) = rest.split_at(at);
        prose.push_str(before);
        if here.starts_with('\\') {
            let escaped: usize = here.chars().take(2).map(char::len_utf8).sum();
            prose.push_str(&here[..escaped]);
            rest = &here[escaped..];
            continue;
        }
        let after = here.trim_start_matches('`');
        let ticks = here.len() - after.len();
        if let Some(end) = code_end(after, ticks) {
            prose.push('`');
            rest = &after[end..];
        } else {
            prose.push_str(&here[..ticks]);
            rest = after;
        }
    }
    prose.push_str(rest);
    prose
}

/// Where code ends that began with so many backticks.
fn code_end(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let run = &text[at + found..];
        let run = run.len() - run.trim_start_matches('`').len();
        at += found + run;
        if run == ticks {
            return Some(at);
        }
    }
    None
}

/// The handles called in prose.
fn called(prose: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in prose.match_indices('@') {
        if prose[..at].chars().next_back().is_some_and(is_within_word) {
            continue;
        }
        let rest = &prose[at + 1..];
        let handle = if let Some(bracketed) = rest.strip_prefix('[') {
            bracketed.split_once(']').map(|(handle, _)| handle)
        } else {
            word(rest)
        };
        found.extend(handle.filter(|handle| is_handle(handle)).map(text::fold));
    }
    found
}

/// The word that a text begins with, without the full stop or the dash behind it; none where it is the beginning of an address.
fn word(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !is_of_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (!rest.starts_with('@')).then(|| word.trim_end_matches(['.', '-']))
}

fn is_handle(text: &str) -> bool {
    let has_room = text.chars().any(char::is_whitespace);
    !text.is_empty() && !has_room && text.chars().count() <= HANDLE_MAX_CHARS
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Whether an `@` behind this is in the middle of an address, or meant to be no more than an `@`.
fn is_within_word(c: char) -> bool {
    is_of_word(c) || matches!(c, '+' | '%' | '&' | '=' | '#' | '$' | '/' | '@' | '\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn calls(text: &str, expected: &[&str]) {
        assert_eq!(handles(text), expected, "{text:?}");
    }

    #[test]
    fn a_handle_is_called_where_a_word_begins() {
        calls("@anna", &["anna"]);
        calls("see @anna", &["anna"]);
        calls("see\n@anna\tand\u{a0}@bob", &["anna", "bob"]);
        calls("(@anna), \"@bob\", *@carl*, [@dora], -> 'fine'", &["anna", "bob", "carl", "dora"]);
        calls("thanks!@anna", &["anna"]);
        for none in
            ["anna", "see@anna", "see_@anna", "see.@anna", "@", "@ anna", "@@anna", "#@anna"]
        {
            calls(none, &[]);
        }
    }

    #[test]
    fn punctuation_behind_a_handle_is_none_of_it() {
        for text in
            ["@anna.", "@anna...", "@anna,", "@anna:", "@anna!", "@anna?", "@anna's", "@anna-"]
        {
            calls(text, &["anna"]);
        }
        calls("@anna-lena.b_2 and (@bob.)", &["anna-lena.b_2", "bob"]);
        calls("@anna/@bob", &["anna"]);
    }

    #[test]
    fn a_handle_that_is_no_word_stands_in_brackets() {
        calls("@[ada@example.org] and @[o'neill]", &["ada@example.org", "o'neill"]);
        calls("@[Anna Berg](https://example.org)", &[]);
        calls("@[] @[anna", &[]);
    }

    #[test]
    fn an_address_calls_nobody() {
        for none in [
            "anna@example.org",
            "a.b@example.org",
            "a+b@example.org",
            "<mailto:anna@example.org>",
            "@anna@example.org",
            "https://example.org/@anna",
            "https://anna:pass@example.org",
        ] {
            calls(none, &[]);
        }
        calls("anna@example.org, @bob", &["bob"]);
    }

    #[test]
    fn code_within_a_line_calls_nobody() {
        calls("`@anna` @bob", &["bob"]);
        calls("``a ` @anna`` @bob", &["bob"]);
        calls("`over\n@anna two lines` @bob", &["bob"]);
        calls("`never closed @anna", &["anna"]);
        calls("``not closed by one @anna`", &["anna"]);
        calls("`ends with the paragraph\n\n@anna`", &["anna"]);
        calls("\\`no code @anna\\`", &["anna"]);
        calls("`ends with a backslash\\` @anna `", &["anna"]);
        calls("\\@anna @bob", &["bob"]);
    }

    #[test]
    fn fenced_code_calls_nobody() {
        calls("```\n@anna\n```\n@bob", &["bob"]);
        calls("~~~ rust\n@anna\n```\n@anna\n~~~\n@bob", &["bob"]);
        calls("````\n@anna\n```\n@anna\n`````\n@bob", &["bob"]);
        calls("> ```\n> @anna\n> ```\n@bob", &["bob"]);
        calls("1. first\n   ```\n   @anna\n   ```\n@bob", &["bob"]);
        calls("@bob\n```\n@anna, and it never ends", &["bob"]);
        calls("```@anna``` @bob", &["bob"]);
        calls("```\n@anna\n``` not its end\n@anna\n```", &[]);
        calls("~~\n@anna\n~~", &["anna"]);
    }

    #[test]
    fn case_and_encoding_make_no_difference() {
        calls("@ANNA @Anna @anna", &["anna"]);
        calls("@José @Jose\u{301}", &["josé"]);
        calls("@Straße, @ΣΟΦΟΣ, @李小龍。", &["strasse", "σοφοσ", "李小龍"]);
        calls("📣@anna👋", &["anna"]);
        calls("@an\u{200b}na", &["an"]);
    }

    #[test]
    fn one_more_than_may_be_called_is_found_and_no_further() {
        let many =
            |count: usize| (0..count).map(|n| format!("@u{n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(handles(&many(HANDLES_MAX_COUNT)).len(), HANDLES_MAX_COUNT);
        assert_eq!(handles(&many(300)).len(), HANDLES_MAX_COUNT + 1);
        assert_eq!(handles(&"@anna ".repeat(300)), ["anna"]);
        assert_eq!(handles(&format!("@{}", "a".repeat(HANDLE_MAX_CHARS + 1))).len(), 0);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[@`~>\\\\\\[\\] a.\né📣]{0,80}") {
            for handle in handles(&text) {
                prop_assert!(is_handle(&handle), "{handle:?}");
            }
        }

        #[test]
        fn nothing_is_called_in_code(text in "[@ a.\\[\\]]{0,40}") {
            prop_assert_eq!(handles(&format!("`{text}`")), Vec::<String>::new());
            prop_assert_eq!(handles(&format!("```\n{text}\n```")), Vec::<String>::new());
        }
    }
}
