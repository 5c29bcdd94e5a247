//! What a file may be called: a name and no place, that every system can keep and that reads as what it is.

use unicode_normalization::UnicodeNormalization as _;

use crate::text;

/// The most characters.
pub const NAME_MAX_CHARS: usize = 200;
/// The most bytes in UTF-8, which is what file systems hold.
pub const NAME_MAX_BYTES: usize = 255;

/// Endings by which a double click starts a program.
const STARTING: &[&str] = &[
    "app", "bat", "cmd", "com", "cpl", "dll", "exe", "hta", "jar", "js", "jse", "lnk", "msi",
    "pif", "ps1", "reg", "scr", "sh", "url", "vb", "vbe", "vbs", "wsf",
];

/// Why a name cannot be used; reads on after `name`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum NameFault {
    /// Nothing but white space and dots.
    #[default]
    #[error("is empty: give at least one character")]
    Empty,
    /// More than file systems hold.
    #[error("is longer than {NAME_MAX_CHARS} characters or {NAME_MAX_BYTES} bytes: shorten it")]
    TooLong,
    /// A character that is not seen, or turns what stands beside it.
    #[error("holds a control, direction or invisible character: remove it")]
    Hidden,
    /// It says where a file is, or begins with a dot.
    #[error("is a path or begins with a dot: give the name alone")]
    Path,
    /// A character that some systems have no names with.
    #[error("holds one of < > : \" | ? *: remove it")]
    Character,
    /// It ends with a dot.
    #[error("ends with a dot: remove it")]
    Ending,
    /// A name that some systems keep for devices.
    #[error("is the name of a device on some systems: choose another")]
    Reserved,
    /// It ends as programs do.
    #[error("ends as programs do: such files are not taken")]
    Program,
}

/// The name as it is kept: composed (Unicode NFC), without white space around it.
pub fn checked(name: &str) -> Result<String, NameFault> {
    // Nobody's name is longer than this, and composing a longer one would cost more than looking at it.
    if name.len() > 4 * NAME_MAX_BYTES {
        return Err(NameFault::TooLong);
    }
    let name: String = name.trim().nfc().collect();
    if name.chars().any(|c| text::is_hidden(c) || text::is_zero_width(c)) {
        return Err(NameFault::Hidden);
    }
    if name.contains(['/', '\\']) || (name.starts_with('.') && name.len() > 1) {
        return Err(NameFault::Path);
    }
    if name.trim_matches('.').is_empty() {
        return Err(NameFault::Empty);
    }
    if name.chars().count() > NAME_MAX_CHARS || name.len() > NAME_MAX_BYTES {
        return Err(NameFault::TooLong);
    }
    if name.contains(['<', '>', ':', '"', '|', '?', '*']) {
        return Err(NameFault::Character);
    }
    if name.ends_with('.') {
        return Err(NameFault::Ending);
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    if is_device(&stem) {
        return Err(NameFault::Reserved);
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    if ending.is_some_and(|ending| STARTING.contains(&ending.as_str())) {
        return Err(NameFault::Program);
    }
    Ok(name)
}

fn is_device(stem: &str) -> bool {
    let numbered = ["com", "lpt"].iter().find_map(|device| stem.strip_prefix(device));
    matches!(stem, "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || numbered.is_some_and(|number| {
            matches!(
                number,
                "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
            )
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_are_paths_devices_programs_or_tricks_are_refused() {
        let long = "x".repeat(300);
        let wide = "\u{1f600}".repeat(70);
        for (name, fault) in [
            ("", NameFault::Empty),
            (" \t ", NameFault::Empty),
            (".", NameFault::Empty),
            ("../../etc/passwd", NameFault::Path),
            ("/etc/passwd", NameFault::Path),
            ("..", NameFault::Path),
            (".htaccess", NameFault::Path),
            ("C:\\x", NameFault::Path),
            ("a\\b.txt", NameFault::Path),
            ("C:x", NameFault::Character),
            ("a.txt:stream", NameFault::Character),
            ("what?.pdf", NameFault::Character),
            ("a\u{0}b", NameFault::Hidden),
            ("a\r\nb", NameFault::Hidden),
            ("invoice\u{202e}fdp.exe", NameFault::Hidden),
            ("in\u{200b}voice.pdf", NameFault::Hidden),
            ("x.", NameFault::Ending),
            ("CON", NameFault::Reserved),
            ("con.txt", NameFault::Reserved),
            ("Com1.pdf", NameFault::Reserved),
            ("lpt².csv", NameFault::Reserved),
            ("nul .txt", NameFault::Reserved),
            ("invoice.pdf.EXE", NameFault::Program),
            ("run.ps1", NameFault::Program),
            (long.as_str(), NameFault::TooLong),
            (wide.as_str(), NameFault::TooLong),
        ] {
            assert_eq!(checked(name), Err(fault), "{name:?}");
        }
    }

    #[test]
    fn ordinary_names_stay_and_are_composed() {
        for name in [
            "a",
            "Rechnung 2026.pdf",
            "büro.png",
            "档案.csv",
            "consent.txt",
            "com10.txt",
            "a..b.txt",
        ] {
            assert_eq!(checked(name).as_deref(), Ok(name));
        }
        assert_eq!(checked(" bu\u{308}ro.png ").as_deref(), Ok("büro.png"));
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_a_name_alone_and_stays_as_it_is(name in "\\PC{0,80}|[ -~]{0,40}") {
            if let Ok(kept) = checked(&name) {
                prop_assert!(!kept.contains(['/', '\\', '\0', '\n', '"']) && kept != "..");
                prop_assert_eq!(checked(&kept), Ok(kept.clone()));
            }
        }
    }
}
