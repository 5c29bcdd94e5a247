//! What bytes are, as far as their beginning and their end tell, and whether that is what they are said to be.

use super::archive::{Archive, ENTRIES_MAX_COUNT, NESTED_MAX_COUNT, UNPACKED_MOST_TIMES};
use crate::aggregate::Class;

/// Longest media type.
pub const MEDIA_TYPE_MAX_CHARS: usize = 127;
/// The most pixels of a picture: a small file can claim so many that whoever draws it runs out of memory.
pub const PIXELS_MAX_COUNT: u64 = 100_000_000;
/// The most pixels of a side.
pub const SIDE_MAX_PIXELS: u32 = 30_000;

/// A declaration that leaves it open.
pub const OPEN: &str = "application/octet-stream";
/// Pictures whose size their beginning tells.
pub const PICTURES: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/tiff",
    "image/bmp",
    "image/heif",
];
/// Documents.
pub const DOCUMENTS: &[&str] = &[
    "application/pdf",
    "application/rtf",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
];
/// What rows are read in from.
pub const TABLES: &[&str] = &[
    "text/csv",
    "text/plain",
    "application/json",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.spreadsheet",
];
/// What can run scripts where it is shown.
pub const ACTIVE: &[&str] =
    &["text/html", "image/svg+xml", "application/xml", "text/xml", "application/xhtml+xml"];

/// Texts, which have no beginning of their own.
const TEXTS: &[&str] = &[
    "text/plain",
    "text/csv",
    "text/tab-separated-values",
    "text/markdown",
    "text/calendar",
    "text/vcard",
    "application/json",
    "text/html",
    "image/svg+xml",
    "application/xml",
    "text/xml",
    "application/xhtml+xml",
];
/// Others that are known by their beginning.
const OTHERS: &[&str] = &[
    "application/zip",
    "application/gzip",
    "application/x-7z-compressed",
    "image/avif",
    "video/mp4",
    "video/quicktime",
    "video/webm",
    "audio/mpeg",
    "audio/ogg",
    "audio/m4a",
    "audio/x-wav",
    "audio/x-flac",
];
/// What some call them.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("image/jpg", "image/jpeg"),
    ("image/heic", "image/heif"),
    ("application/x-zip-compressed", "application/zip"),
    ("application/x-gzip", "application/gzip"),
    ("audio/mp4", "audio/m4a"),
    ("audio/x-m4a", "audio/m4a"),
    ("audio/wav", "audio/x-wav"),
    ("audio/flac", "audio/x-flac"),
    ("audio/mp3", "audio/mpeg"),
    ("text/rtf", "application/rtf"),
    ("application/csv", "text/csv"),
];
const ZIP: &str = "application/zip";
const OLE: &str = "application/x-ole-storage";

/// What bytes turned out to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of one another")]
pub struct Finding {
    /// The media type that they begin as, where they begin as anything known.
    pub begins_as: Option<String>,
    /// Whether they are a program.
    pub is_program: bool,
    /// Whether all of them are text in UTF-8 without control characters.
    pub is_text: bool,
    /// Whether they begin as a page or a drawing that can hold scripts.
    pub is_markup: bool,
    /// Whether they end as a ZIP archive does, whatever they begin as.
    pub ends_as_archive: bool,
    /// What their list says, where they are an archive.
    pub archive: Archive,
    /// Width and height, of a picture that tells.
    pub pixels: Option<(u32, u32)>,
}

/// Why content is not taken.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    thiserror::Error,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Unfit {
    /// It is not what it is said to be.
    #[default]
    #[error("is not of the media type that was declared: declare what it is")]
    Mismatched,
    /// It is of a type that is not taken.
    #[error("is of a media type that is not taken: send another")]
    Unsupported,
    /// It does not serve the purpose.
    #[error("is of a media type that does not serve the purpose: choose another file or purpose")]
    Unserving,
    /// It is a program.
    #[error("is a program: such files are not taken")]
    Program,
    /// It is one thing at its beginning and another at its end.
    #[error("ends as an archive and begins as something else: send it as one of the two")]
    Ambiguous,
    /// A picture that does not tell its size.
    #[error("is a picture that does not tell its size: save it anew")]
    Unreadable,
    /// A picture that would take too much memory.
    #[error(
        "is a picture of more than {PIXELS_MAX_COUNT} pixels or {SIDE_MAX_PIXELS} along a side: make it smaller"
    )]
    TooManyPixels,
    /// An archive whose list of what is in it is missing, broken or ambiguous.
    #[error("is an archive whose list of entries is not readable: pack it anew")]
    Unlisted,
    /// An archive with a link, or a name, that leads out of the folder that it is unpacked to.
    #[error(
        "is an archive with an entry that is a link, or whose name is absolute or has .. in it: pack it anew, without links and with names that stay within a folder"
    )]
    LeadsOutside,
    /// An archive of too much.
    #[error("is an archive of more than {ENTRIES_MAX_COUNT} entries: send it in several")]
    TooManyEntries,
    /// An archive of archives.
    #[error(
        "is an archive with more than {NESTED_MAX_COUNT} archives in it: send those by themselves"
    )]
    TooManyArchives,
    /// An archive that would fill a disk.
    #[error(
        "is an archive that unpacks to more than {UNPACKED_MOST_TIMES} times what its purpose allows: send it in several"
    )]
    TooLargeUnpacked,
}

impl Unfit {
    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub(super) const CLASS: Class = Class::Invalid;
}

/// A media type as it is compared: in lower case, without parameters, under its usual name.
pub fn declared(media_type: &str) -> Option<String> {
    let bare = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |part: &str| {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.bytes().all(known)
    };
    let (kind, of_kind) = bare.split_once('/')?;
    if bare.len() > MEDIA_TYPE_MAX_CHARS || !token(kind) || !token(of_kind) {
        return None;
    }
    Some(usual(&bare).to_owned())
}

/// The media type of content that is what it was declared to be.
pub fn fit(declared: &str, found: &Finding) -> Result<String, Unfit> {
    if found.is_program {
        return Err(Unfit::Program);
    }
    let begins_as = found.begins_as.as_deref().map(usual);
    let media_type = if declared == OPEN { begins_as.unwrap_or(OPEN) } else { declared };
    if TEXTS.contains(&media_type) {
        let is_page = ACTIVE.contains(&media_type) || media_type == "text/markdown";
        let begins_as_text = begins_as.is_none_or(|kind| TEXTS.contains(&kind));
        if !found.is_text || !begins_as_text || (found.is_markup && !is_page) {
            return Err(Unfit::Mismatched);
        }
    } else if is_known(media_type) {
        if !begins_as.is_some_and(|begins_as| holds(media_type, begins_as)) {
            return Err(Unfit::Mismatched);
        }
    } else if declared != OPEN {
        return Err(Unfit::Unsupported);
    }
    if found.ends_as_archive && !is_archive(media_type) {
        return Err(Unfit::Ambiguous);
    }
    if PICTURES.contains(&media_type) {
        check_pixels(found.pixels.ok_or(Unfit::Unreadable)?)?;
    }
    Ok(media_type.to_owned())
}

/// Whether content of this type is shown in a browser's window without danger, rather than saved.
pub fn is_shown(media_type: &str) -> bool {
    matches!(
        media_type,
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "application/pdf"
    )
}

fn check_pixels((width, height): (u32, u32)) -> Result<(), Unfit> {
    let many = u64::from(width) * u64::from(height) > PIXELS_MAX_COUNT;
    if many || width.max(height) > SIDE_MAX_PIXELS {
        return Err(Unfit::TooManyPixels);
    }
    Ok(())
}

fn usual(media_type: &str) -> &str {
    let known = OTHER_NAMES.iter().find(|(other, _)| *other == media_type);
    known.map_or(media_type, |(_, usual)| usual)
}

fn is_known(media_type: &str) -> bool {
    [PICTURES, DOCUMENTS, OTHERS].iter().any(|types| types.contains(&media_type))
}

/// Whether content of the type can begin like that: of documents that are archives inside, some do not tell more.
fn holds(media_type: &str, begins_as: &str) -> bool {
    let is_old_office = matches!(
        media_type,
        "application/msword" | "application/vnd.ms-excel" | "application/vnd.ms-powerpoint"
    );
    media_type == begins_as
        || (begins_as == ZIP && is_archive(media_type))
        || (begins_as == OLE && is_old_office)
}

fn is_archive(media_type: &str) -> bool {
    media_type == ZIP
        || media_type.starts_with("application/vnd.openxmlformats-officedocument.")
        || media_type.starts_with("application/vnd.oasis.opendocument.")
        || media_type == OPEN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(media_type: &str) -> Finding {
        Finding { begins_as: Some(media_type.into()), ..Finding::default() }
    }

    fn text() -> Finding {
        Finding { is_text: true, ..Finding::default() }
    }

    fn picture(pixels: (u32, u32)) -> Finding {
        Finding { pixels: Some(pixels), ..beginning("image/png") }
    }

    #[test]
    fn what_is_said_must_be_what_is_there() {
        let page = || Finding { is_markup: true, ..text() };
        let xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        for (said, found, fits) in [
            ("image/png", picture((10, 10)), Ok("image/png")),
            ("application/octet-stream", picture((10, 10)), Ok("image/png")),
            ("application/octet-stream", Finding::default(), Ok(OPEN)),
            ("application/octet-stream", beginning("application/x-tar"), Ok("application/x-tar")),
            ("image/jpeg", picture((10, 10)), Err(Unfit::Mismatched)),
            ("image/png", page(), Err(Unfit::Mismatched)),
            ("image/png", Finding::default(), Err(Unfit::Mismatched)),
            ("application/pdf", beginning("application/pdf"), Ok("application/pdf")),
            (
                "application/pdf",
                Finding { is_program: true, ..Finding::default() },
                Err(Unfit::Program),
            ),
            ("text/csv", text(), Ok("text/csv")),
            ("text/csv", Finding::default(), Err(Unfit::Mismatched)),
            ("text/plain", page(), Err(Unfit::Mismatched)),
            ("text/html", page(), Ok("text/html")),
            (
                "text/plain",
                Finding { is_text: true, ..beginning("application/pdf") },
                Err(Unfit::Mismatched),
            ),
            (xlsx, beginning(xlsx), Ok(xlsx)),
            (xlsx, beginning("application/zip"), Ok(xlsx)),
            ("application/pdf", beginning("application/zip"), Err(Unfit::Mismatched)),
            ("application/msword", beginning(OLE), Ok("application/msword")),
            ("application/x-unheard-of", Finding::default(), Err(Unfit::Unsupported)),
        ] {
            assert_eq!(fit(said, &found).as_deref(), fits.as_deref(), "{said} {found:?}");
        }
    }

    #[test]
    fn a_picture_that_is_an_archive_too_is_refused() {
        let both = Finding { ends_as_archive: true, ..picture((1, 1)) };
        assert_eq!(fit("image/png", &both), Err(Unfit::Ambiguous));
        let archive = Finding { ends_as_archive: true, ..beginning("application/zip") };
        assert_eq!(fit("application/zip", &archive).as_deref(), Ok("application/zip"));
    }

    #[test]
    fn a_picture_tells_its_size_and_is_not_too_large_to_draw() {
        assert_eq!(fit("image/png", &beginning("image/png")), Err(Unfit::Unreadable));
        for bomb in [(100_000, 100_000), (30_001, 1), (20_000, 20_000), (u32::MAX, u32::MAX)] {
            assert_eq!(fit("image/png", &picture(bomb)), Err(Unfit::TooManyPixels), "{bomb:?}");
        }
        assert!(fit("image/png", &picture((10_000, 10_000))).is_ok());
    }

    #[test]
    fn media_types_are_compared_under_their_usual_names() {
        assert_eq!(declared("Text/CSV; charset=utf-8").as_deref(), Some("text/csv"));
        assert_eq!(declared("image/jpg").as_deref(), Some("image/jpeg"));
        for none in ["", "png", "/", "a/", "/b", "a/b/c", "a b/c", "a/b\r\nX: y"] {
            assert_eq!(declared(none), None, "{none:?}");
        }
        assert_eq!(declared(&format!("a/{}", "b".repeat(127))), None);
    }

    #[test]
    fn only_pictures_and_pdf_are_shown() {
        assert!(is_shown("image/png") && is_shown("application/pdf"));
        for saved in ACTIVE.iter().chain(["text/plain", OPEN, "image/tiff"].iter()) {
            assert!(!is_shown(saved), "{saved}");
        }
    }
}
