//! Sending a file in parts: an unfinished upload of the same file is gone on with, and what arrived is checked by its digest.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use events::FileId;
use events::files::{Purpose, name};
use events::subject::Subject;
use platform::clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::bar;
use super::super::client::{Client, Error, read};
use super::super::manner::Manner;

/// Bytes that are sent at once; after a break, those of them that arrived are not sent again.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// What texts are by the endings of their names, for they have no beginning that tells; what others are is found out by the server.
const TEXTS: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("json", "application/json"),
    ("html", "text/html"),
    ("svg", "image/svg+xml"),
    ("xml", "application/xml"),
    ("ics", "text/calendar"),
    ("vcf", "text/vcard"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Upload {
    /// The file
    path: PathBuf,
    /// What it is called; as it is called here unless told
    #[arg(long)]
    name: Option<String>,
    /// What it is, such as text/csv; found out unless told
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
    /// What it is for: attachment, logo, photo, import or evidence
    #[arg(long, default_value = "attachment", value_parser = purpose)]
    purpose: Purpose,
    /// The record that it is about, such as identity.user:0190d0c8-7e34-7c51-9c2e-000000000001
    #[arg(long, value_name = "TYPE:ID")]
    subject: Option<Subject>,
    /// What it is to the record
    #[arg(long, default_value = "attachment", requires = "subject")]
    role: String,
    #[command(flatten)]
    pub(super) manner: Manner,
}

/// A file that was sent.
#[derive(Debug, Serialize)]
struct Sent {
    file_id: FileId,
    name: String,
    size_bytes: u64,
    sha256: String,
    /// How many of the bytes an earlier attempt had sent.
    begun_at_bytes: u64,
}

/// A file to be sent.
struct Source {
    file: File,
    name: String,
    media_type: String,
    purpose: Purpose,
    size_bytes: u64,
    sha256: String,
}

#[derive(Debug, Deserialize)]
struct Unfinished {
    items: Vec<Begun>,
}

#[derive(Debug, Deserialize)]
struct Begun {
    file_id: FileId,
}

fn purpose(text: &str) -> Result<Purpose, String> {
    let known = || Purpose::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
    text.parse().map_err(|_| format!("there is no such purpose; there are {}", known()))
}

impl Upload {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<()> {
        let Self { path, name, media_type, purpose, subject, role, manner } = self;
        let source = Source::open(&path, (name, media_type, purpose))?;
        let sent = match source.unfinished(client).await? {
            Some(begun) => match source.send(client, begun).await {
                // What was begun under that name and size was another file.
                Err(Error::Refused(problem)) if problem.code == "FILE_DIGEST_MISMATCH" => {
                    client.delete(&format!("/files/uploads/{begun}"), clock::new_id()).await?;
                    source.anew(client).await
                }
                sent => sent,
            },
            None => source.anew(client).await,
        };
        let sent = sent.map_err(after_a_break)?;
        if let Some(subject) = subject {
            let linked = super::link(client, sent.file_id, (subject, &role)).await;
            linked.with_context(|| {
                format!(
                    "{0} is stored, and not linked; link it by `annals files link {0} {subject}`",
                    sent.file_id
                )
            })?;
        }
        let Sent { file_id, size_bytes, sha256, .. } = &sent;
        manner.tell(&json!(sent), &format!("{file_id} has {size_bytes} bytes, SHA-256 {sha256}"));
        Ok(())
    }
}

/// What is not the file's fault passes, and then the same command goes on.
fn after_a_break(error: Error) -> anyhow::Error {
    let broken = match &error {
        Error::Refused(_) => false,
        Error::Failed(_) => true,
    };
    let error = anyhow::Error::new(error);
    if broken { error.context("the upload broke off; say it again, and it goes on") } else { error }
}

impl Source {
    fn open(
        path: &Path,
        (called, media_type, purpose): (Option<String>, Option<String>, Purpose),
    ) -> anyhow::Result<Self> {
        let mut file =
            File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(file.metadata()?.is_file(), "{} is no file; name one", path.display());
        let own = || path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let called = called.or_else(own).context("the file's name is not UTF-8; give --name")?;
        let name = name::checked(&called).map_err(|fault| anyhow::anyhow!("--name {fault}"))?;
        let media_type = media_type.unwrap_or_else(|| of_ending(&name).to_owned());
        let mut hash = Sha256::new();
        let size_bytes = super::take_in(&mut file, &mut hash)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let sha256 = hex::encode(hash.finalize());
        Ok(Self { file, name, media_type, purpose, size_bytes, sha256 })
    }

    /// What the caller began to send under this name and with this size, and did not end.
    async fn unfinished(&self, client: &Client) -> Result<Option<FileId>, Error> {
        let quoted = self.name.replace('\\', r"\\").replace('"', r#"\""#).replace('*', r"\*");
        let filter = format!(
            "status = uploading AND uploaded_by = me() AND ends_at > now AND purpose = {} \
             AND size_bytes = {} AND name = \"{quoted}\"",
            self.purpose.name(),
            self.size_bytes
        );
        let token = client.here().await?.token;
        let asked = [("filter", filter.as_str()), ("sort", "-created_at"), ("limit", "1")];
        let found: Unfinished = read(client.ask("/files", &asked, Some(&token)).await?).await?;
        Ok(found.items.first().map(|begun| begun.file_id))
    }

    async fn anew(&self, client: &Client) -> Result<Sent, Error> {
        let id: FileId = clock::new_id();
        let body = json!({
            "id": id, "name": self.name, "media_type": self.media_type, "purpose": self.purpose,
            "size_bytes": self.size_bytes,
        });
        client.post("/files/uploads", id.0, &body).await?;
        self.send(client, id).await
    }

    /// Sends what is not there yet, and says that all of it is.
    async fn send(&self, client: &Client, file_id: FileId) -> Result<Sent, Error> {
        let path = format!("/files/uploads/{file_id}");
        let begun_at_bytes = client.offset(&path).await?;
        let bar = bar::styled("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        bar.set_length(self.size_bytes);
        let mut at = begun_at_bytes;
        while at < self.size_bytes {
            bar.set_position(at);
            at = match client.append(&path, (at, self.part(at)?)).await {
                // Some of it arrived before it broke off.
                Err(error) if error.is("UPLOAD_OFFSET_WRONG") => client.offset(&path).await?,
                sent => sent?,
            };
        }
        bar.finish_and_clear();
        let sha256 = self.sha256.clone();
        let complete = json!({ "sha256": sha256 });
        client.post(&format!("{path}/complete"), clock::new_id(), &complete).await?;
        let (name, size_bytes) = (self.name.clone(), self.size_bytes);
        Ok(Sent { file_id, name, size_bytes, sha256, begun_at_bytes })
    }

    fn part(&self, at: u64) -> anyhow::Result<Vec<u8>> {
        let most = PART_BYTES.min(self.size_bytes - at);
        let mut part = Vec::with_capacity(usize::try_from(most)?);
        (&self.file).seek(SeekFrom::Start(at))?;
        (&self.file).take(most).read_to_end(&mut part)?;
        ensure!(
            part.len() as u64 == most,
            "the file became shorter while it was sent; send it anew"
        );
        Ok(part)
    }
}

fn of_ending(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let known = TEXTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    known.map_or(events::files::content::OPEN, |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_a_text_is_and_nothing_of_others() {
        for (name, media_type) in [
            ("rows.csv", "text/csv"),
            ("ROWS.CSV", "text/csv"),
            ("a.b.txt", "text/plain"),
            ("photo.png", "application/octet-stream"),
            ("csv", "application/octet-stream"),
        ] {
            assert_eq!(of_ending(name), media_type, "{name}");
        }
    }

    #[test]
    fn a_file_is_opened_under_a_name_that_can_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "a;b\n").unwrap();
        let open = |name: Option<&str>| {
            Source::open(&path, (name.map(str::to_owned), None, Purpose::Import))
        };
        let source = open(None).unwrap();
        assert_eq!(
            (&*source.name, &*source.media_type, source.size_bytes),
            ("rows.csv", "text/csv", 4)
        );
        assert_eq!(source.sha256, hex::encode(Sha256::digest("a;b\n")));
        assert_eq!(source.part(2).unwrap(), b"b\n");
        let refused = open(Some("../x")).err().unwrap().to_string();
        assert!(refused.starts_with("--name is a path"), "{refused}");
        let none = Source::open(folder.path(), (None, None, Purpose::Import));
        assert!(none.err().unwrap().to_string().contains("is no file"));
    }
}
