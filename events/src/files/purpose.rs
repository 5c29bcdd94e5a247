//! What files are for, and what follows from it: how large they may be, of which types, and for how long they stay unused.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content;

const MIB: u64 = 1024 * 1024;
const DAY_HOURS: i64 = 24;

/// What a file is for.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::VariantArray,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// It belongs to something: any type but programs, at most 100 MiB.
    #[default]
    Attachment,
    /// The sign of an organisation: a picture of at most 2 MiB.
    Logo,
    /// A picture of at most 25 MiB; it goes when nothing was linked to it for 90 days.
    Photo,
    /// Rows to read in: a table or text of at most 200 MiB; it goes when nothing was linked to it for 30 days.
    Import,
    /// Proof that something was done: pictures, documents, sound or film of at most 200 MiB.
    Evidence,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The most bytes of any file.
    pub const BYTES_MOST: u64 = 200 * MIB;

    /// The most bytes.
    pub fn max_bytes(self) -> u64 {
        match self {
            Self::Logo => 2 * MIB,
            Self::Photo => 25 * MIB,
            Self::Attachment => 100 * MIB,
            Self::Import | Self::Evidence => Self::BYTES_MOST,
        }
    }

    /// Whether content of this media type serves it.
    pub fn admits(self, media_type: &str) -> bool {
        let picture = content::PICTURES.contains(&media_type);
        match self {
            Self::Attachment => true,
            Self::Logo | Self::Photo => picture,
            Self::Import => content::TABLES.contains(&media_type),
            Self::Evidence => {
                let kind = media_type.split('/').next().unwrap_or_default();
                let active = content::ACTIVE.contains(&media_type);
                let documents = content::DOCUMENTS.contains(&media_type);
                picture || documents || (matches!(kind, "text" | "audio" | "video") && !active)
            }
        }
    }

    /// For how long a file stays that nothing is linked to; forever without one.
    pub fn kept_unlinked(self) -> Option<SignedDuration> {
        match self {
            Self::Import => Some(SignedDuration::from_hours(30 * DAY_HOURS)),
            Self::Photo => Some(SignedDuration::from_hours(90 * DAY_HOURS)),
            Self::Attachment | Self::Logo | Self::Evidence => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_purpose_takes_more_than_the_most() {
        for purpose in Purpose::ALL {
            assert!(purpose.max_bytes() <= Purpose::BYTES_MOST, "{purpose:?}");
        }
    }

    #[test]
    fn pictures_serve_where_pictures_are_wanted_and_pages_nowhere_but_as_attachments() {
        for (media_type, serves) in [
            ("image/png", "attachment logo photo evidence"),
            ("image/svg+xml", "attachment"),
            ("text/html", "attachment"),
            ("text/csv", "attachment import evidence"),
            ("application/pdf", "attachment evidence"),
            ("video/mp4", "attachment evidence"),
            ("application/zip", "attachment"),
        ] {
            let found = Purpose::ALL.iter().filter(|purpose| purpose.admits(media_type));
            let found: Vec<&str> = found.map(|purpose| purpose.name()).collect();
            assert_eq!(found.join(" "), serves, "{media_type}");
        }
    }
}
