//! What a file is and is made of, in words that can be verified without us: a JSON object in canonical form (RFC 8785), signed
//! as a note (C2SP signed-note) with the key that signs checkpoints of the organisation's log.

use aws_lc_rs::signature::Ed25519KeyPair;
use events::exports::export::{Dialect, Format, Headings, LimitPolicy, Sort, Style};
use events::{ExportId, TenantId, UnitId, UserId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checkpoint::Origin;
use super::note::{self, NoteError, VerifierKey};

/// First line of the note: what is signed as a manifest can never pass for a checkpoint, nor the other way round.
const HEAD: &str = "annals export manifest v1\n";

/// Why a manifest is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The note is not.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// It is of something else.
    #[error("the note is not that of a manifest: {0}")]
    Other(&'static str),
    /// It cannot be read.
    #[error("the manifest in the note cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// What a file is and is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The export.
    pub export_id: ExportId,
    /// The organisation.
    pub tenant_id: TenantId,
    /// The organisation's name, as the file has it.
    pub organization: String,
    /// The dataset it is made from.
    pub dataset: String,
    /// What is asked of the dataset.
    pub question: Question,
    /// How it is made.
    pub made: Made,
    /// Whose file it is.
    pub requested_by: UserId,
    /// The request that asked for it, as the audit trail has it.
    pub request_id: Option<String>,
    /// When it was asked for; `now` in the filter is this moment.
    #[schemars(with = "String")]
    pub requested_at: Timestamp,
    /// Where its rows stand.
    pub as_of: AsOf,
    /// What was signed of the organisation's log when it was made, if anything was.
    pub checkpoint: Option<Signed>,
    /// The file itself.
    pub file: File,
}

/// Which rows and columns there are, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The columns, in the order of the file.
    pub columns: Vec<String>,
    /// Which rows, in the filter grammar; all of them without one.
    pub filter: Option<String>,
    /// The order of the rows.
    pub sort: Vec<Sort>,
    /// The units whose rows are in it, with all below them; of the organisation as a whole when empty.
    pub units: Vec<UnitId>,
    /// The earlier file since which only changes are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// An earlier file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// Its export.
    pub export_id: ExportId,
    /// Where its rows stood.
    pub position: i64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

/// How the file was made, with what was not wished as it is usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The kind of file.
    pub format: Format,
    /// How values are written.
    pub style: Style,
    /// For whom a CSV file is.
    pub dialect: Option<Dialect>,
    /// What the columns are called.
    pub headings: Headings,
    /// Headings of single columns.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Whether the file says what it is; by the kind of file unless that was wished.
    pub cover: Option<bool>,
    /// Columns whose sums stand below the rows.
    pub totals: Vec<String>,
    /// What happened at the limits of the kind of file.
    pub limit_policy: LimitPolicy,
    /// What stands above the rows and in the file's name.
    pub title: Option<String>,
    /// The language and region of numbers and dates.
    pub locale: String,
    /// The zone of moments.
    pub time_zone: String,
}

/// A place in the log: the last event of the organisation that the file can depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// Its position.
    pub position: i64,
    /// When it was recorded.
    #[schemars(with = "String")]
    pub time: Timestamp,
}

/// A checkpoint of the organisation's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// How many events it covers.
    pub size: i64,
    /// Where the last of them stands.
    pub position: i64,
    /// The root of the tree over them, SHA-256 in hexadecimal digits.
    pub root: String,
}

/// The file as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The name to save it under.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Rows in it.
    pub rows: u64,
    /// Rows that were asked for and had no room.
    pub rows_left_out: u64,
    /// Sheets or row groups that its rows stand on.
    pub parts: u32,
    /// Texts that are not in it whole.
    pub cut_cells: u64,
    /// What whoever opens it should know, as stable codes.
    pub warnings: Vec<String>,
}

impl Manifest {
    /// Signs it in the name of the organisation's log. All numbers are whole and below 2^53 and all names are ASCII, where the order and
    /// the escapes of `serde_json` are those of RFC 8785.
    pub fn sign(&self, log: &Origin, pair: &Ed25519KeyPair) -> Result<String, ManifestError> {
        let canonical = serde_json::to_value(self)?.to_string();
        Ok(note::sign(&format!("{HEAD}{canonical}\n"), &log.to_string(), pair)?)
    }
}

/// The manifest of a note that one of `keys` signed; without keys, whoever kept the note vouches for it.
pub fn open(note: &str, keys: &[VerifierKey]) -> Result<Manifest, ManifestError> {
    let text = if keys.is_empty() { note::unverified(note)? } else { note::open(note, keys)? };
    let json = text.strip_prefix(HEAD).ok_or(ManifestError::Other("its first line is another"))?;
    let manifest: Manifest = serde_json::from_str(json)?;
    // Another spelling of the same would be another note.
    if format!("{}\n", serde_json::to_value(&manifest)?) != json {
        return Err(ManifestError::Other("its JSON is not in canonical form"));
    }
    Ok(manifest)
}

/// The members in which two JSON objects differ, as paths like `file.sha256`.
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", one, other, &mut found);
    found
}

fn compare(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    let (Some(left), Some(right)) = (one.as_object(), other.as_object()) else {
        if one != other {
            found.push(path.to_owned());
        }
        return;
    };
    let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned();
        match (of(left), of(right)) {
            (Some(one), Some(other)) => compare(&path, &one, &other, found),
            (None, _) | (_, None) => found.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};

    use super::*;
    use crate::secrets::{key_pair, new_key};

    fn manifest() -> Manifest {
        Manifest {
            export_id: id(1),
            tenant_id: id(2),
            organization: "Käserei \"Zürich\"\u{2028}".into(),
            dataset: "rbac.roles".into(),
            question: Question {
                columns: vec!["name".into()],
                filter: Some("name=\"\\x\"\nOR level>1".into()),
                sort: vec![Sort { column: "name".into(), descending: false }],
                units: vec![id(3)],
                since: None,
            },
            made: Made {
                format: Format::Csv,
                style: Style::Raw,
                dialect: Some(Dialect::Raw),
                headings: Headings::Keys,
                labels: [("name".to_owned(), "Name".to_owned())].into(),
                cover: None,
                totals: vec![],
                limit_policy: LimitPolicy::Fail,
                title: None,
                locale: "de-CH".into(),
                time_zone: "Europe/Zurich".into(),
            },
            requested_by: id(4),
            request_id: Some("r".into()),
            requested_at: at("2026-01-01T12:00:00Z"),
            as_of: AsOf { position: 7, time: at("2026-01-01T11:00:00.123456Z") },
            checkpoint: Some(Signed { size: 5, position: 6, root: "0a".repeat(32) }),
            file: File {
                name: "Rollen.csv".into(),
                size_bytes: 10,
                sha256: "0f".repeat(32),
                rows: 3,
                rows_left_out: 0,
                parts: 1,
                cut_cells: 0,
                warnings: vec![],
            },
        }
    }

    fn pair() -> (Ed25519KeyPair, [u8; 32]) {
        let key = new_key().unwrap();
        let pair = key_pair(&key.private).unwrap();
        let public = note::public(&pair).unwrap();
        (pair, public)
    }

    #[test]
    fn what_is_signed_is_read_again_with_the_key_and_with_no_other() {
        let log = Origin::new("https://annals.example", id(2), 1);
        let ((pair, public), (_, other)) = (pair(), pair());
        let note = manifest().sign(&log, &pair).unwrap();
        let key = |public| VerifierKey::new(&log.to_string(), public).unwrap();
        assert_eq!(open(&note, &[key(public)]).unwrap(), manifest());
        assert_eq!(open(&note, &[]).unwrap(), manifest());
        let refused = open(&note, &[key(other)]).unwrap_err();
        assert!(matches!(refused, ManifestError::Note(NoteError::Unsigned)), "{refused}");
        for (from, to) in [("rbac.roles", "rbac.rules"), ("\"rows\":3", "\"rows\":4")] {
            let altered = note.replace(from, to);
            assert_ne!(altered, note);
            let refused = open(&altered, &[key(public)]).unwrap_err();
            assert!(matches!(refused, ManifestError::Note(NoteError::Forged(_))), "{refused}");
        }
    }

    #[test]
    fn it_is_written_as_rfc_8785_has_it() {
        let log = Origin::new("https://annals.example", id(2), 1);
        let note = manifest().sign(&log, &pair().0).unwrap();
        let json = note.lines().nth(1).unwrap();
        assert!(
            json.starts_with(r#"{"as_of":{"position":7,"time":"2026-01-01T11:00:00.123456Z"},"#)
        );
        assert!(json.contains(r#""filter":"name=\"\\x\"\nOR level>1""#), "{json}");
        assert!(json.contains("Käserei \\\"Zürich\\\"\u{2028}"), "{json}");
        assert!(!json.contains(": "), "{json}");
    }

    #[test]
    fn a_note_of_something_else_is_no_manifest() {
        let (pair, public) = pair();
        let signed = note::sign("example/t/1\n2\n", "example", &pair).unwrap();
        let key = VerifierKey::new("example", public).unwrap();
        assert!(matches!(open(&signed, &[key]), Err(ManifestError::Other(_))));
    }

    #[test]
    fn differences_are_named_by_their_paths() {
        let one = serde_json::json!({"a": 1, "b": {"c": 2, "d": [3]}, "e": 4});
        let other = serde_json::json!({"a": 1, "b": {"c": 5, "d": [6]}, "f": 4});
        assert_eq!(differences(&one, &other), ["b.c", "b.d", "e", "f"]);
        assert!(differences(&one, &one).is_empty());
    }
}
