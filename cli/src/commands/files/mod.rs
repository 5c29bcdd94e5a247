//! `annals files`: which there are, sending and fetching them across breaks, and what they are about.

mod download;
mod upload;

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use events::FileId;
use events::subject::Subject;
use jiff::Timestamp;
use platform::clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::client::Client;
use super::manner::Manner;
use super::table::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The latest files, one's own or everybody's with the permission
    List {
        /// Those about this record, such as identity.user:0190d0c8-7e34-7c51-9c2e-000000000001
        #[arg(long, value_name = "TYPE:ID")]
        subject: Option<Subject>,
        /// Which, such as 'status = stored AND purpose = photo'
        #[arg(long)]
        filter: Option<String>,
        /// Most of them to show
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
        #[command(flatten)]
        manner: Manner,
    },
    /// What a file is and is about
    Show {
        /// The file
        file: FileId,
        #[command(flatten)]
        manner: Manner,
    },
    /// Send a file in parts; said again after a break, it goes on where it was
    Upload(Box<upload::Upload>),
    /// Fetch a file and check that it is the one that was promised; said again after a break, it goes on where it was
    Download {
        /// The file
        file: FileId,
        /// Where to write it; into a folder it goes under its own name
        #[arg(long, value_name = "PATH", default_value = ".")]
        output: PathBuf,
        #[command(flatten)]
        manner: Manner,
    },
    /// Delete a file that nothing is linked to
    Delete {
        /// The file
        file: FileId,
        #[command(flatten)]
        manner: Manner,
    },
    /// Say that a file is about a record: whoever may see the record may read the file
    Link {
        /// The file
        file: FileId,
        /// The record, such as identity.user:0190d0c8-7e34-7c51-9c2e-000000000001
        #[arg(value_name = "TYPE:ID")]
        subject: Subject,
        /// What the file is to it
        #[arg(long, default_value = "attachment")]
        role: String,
        #[command(flatten)]
        manner: Manner,
    },
    /// Say that a file is no longer about a record
    Unlink {
        /// The file
        file: FileId,
        /// The record
        #[arg(value_name = "TYPE:ID")]
        subject: Subject,
        #[command(flatten)]
        manner: Manner,
    },
}

/// A file as the read model has it.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    file_id: FileId,
    name: String,
    media_type: String,
    size_bytes: Option<u64>,
    purpose: String,
    status: String,
    subjects: Vec<String>,
    created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Listed>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = Client::start(&arguments.action.manner().client).await?;
    let outcome = act(&client, arguments.action).await;
    client.sign_out().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

impl Action {
    fn manner(&self) -> &Manner {
        match self {
            Self::Upload(upload) => &upload.manner,
            Self::List { manner, .. }
            | Self::Show { manner, .. }
            | Self::Download { manner, .. }
            | Self::Delete { manner, .. }
            | Self::Link { manner, .. }
            | Self::Unlink { manner, .. } => manner,
        }
    }
}

async fn act(client: &Client, action: Action) -> anyhow::Result<()> {
    match action {
        Action::List { subject, filter, limit, manner } => {
            let (limit, subject) = (limit.to_string(), subject.map(|subject| subject.to_string()));
            let mut query = vec![("limit", limit.as_str())];
            query.extend(subject.as_deref().map(|subject| ("subject", subject)));
            query.extend(filter.as_deref().map(|filter| ("filter", filter)));
            let token = client.here().await?.token;
            let answer = client.ask("/files", &query, Some(&token)).await?;
            let page: Page = super::client::read(answer).await?;
            if manner.json {
                println!("{}", serde_json::to_string(&page.items)?);
            } else {
                print!("{}", listed(page.items));
            }
        }
        Action::Show { file, manner } => {
            let token = client.here().await?.token;
            let answer: Value = client.get(&format!("/files/{file}"), Some(&token)).await?;
            if manner.json { println!("{answer}") } else { print!("{}", told(&answer)) }
        }
        Action::Upload(upload) => upload.run(client).await?,
        Action::Download { file, output, manner } => {
            download::fetch(client, file, &output).await?.tell(&manner);
        }
        Action::Delete { file, manner } => {
            let answer = client.delete(&format!("/files/{file}"), clock::new_id()).await?;
            manner.tell(&answer, &format!("{file} is deleted"));
        }
        Action::Link { file, subject, role, manner } => {
            let answer = link(client, file, (subject, &role)).await?;
            manner.tell(&answer, &format!("{file} is about {subject}"));
        }
        Action::Unlink { file, subject, manner } => {
            let (path, body) = (format!("/files/{file}/links/remove"), json!({"subject": subject}));
            let answer = client.post(&path, clock::new_id(), &body).await?;
            manner.tell(&answer, &format!("{file} is no longer about {subject}"));
        }
    }
    Ok(())
}

async fn link(
    client: &Client,
    file: FileId,
    (subject, role): (Subject, &str),
) -> Result<Value, super::client::Error> {
    let body = json!({ "subject": subject, "role": role });
    client.post(&format!("/files/{file}/links"), clock::new_id(), &body).await
}

/// Takes the rest of a file into a digest; how many bytes that was.
fn take_in(file: &mut File, hash: &mut Sha256) -> std::io::Result<u64> {
    let (mut size_bytes, mut buffer) = (0, vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(size_bytes),
            read => {
                hash.update(&buffer[..read]);
                size_bytes += read as u64;
            }
        }
    }
}

fn listed(files: Vec<Listed>) -> String {
    if files.is_empty() {
        return "there are no files\n".to_owned();
    }
    let mut table = Table::new(&["file", "name", "type", "bytes", "for", "state", "sent"]);
    for file in files {
        table.row([
            file.file_id.to_string(),
            file.name,
            file.media_type,
            file.size_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
            file.purpose,
            file.status,
            format!("{:.0}", file.created_at),
        ]);
    }
    table.to_string()
}

/// One thing a line, as far as it is known.
fn told(file: &Value) -> String {
    let lines = [
        ("file", &file["file_id"]),
        ("name", &file["name"]),
        ("type", &file["media_type"]),
        ("bytes", &file["size_bytes"]),
        ("SHA-256", &file["sha256"]),
        ("for", &file["purpose"]),
        ("state", &file["status"]),
        ("refused as", &file["refused_reason"]),
        ("held back as", &file["flag_reason"]),
        ("fetched", &file["downloads"]),
        ("by", &file["uploaded_by"]),
        ("announced", &file["created_at"]),
        ("goes", &file["ends_at"]),
    ];
    let known = lines.iter().filter(|(_, value)| !value.is_null());
    let line = |(name, value): &(&str, &Value)| match value.as_str() {
        Some(text) => format!("{name:13} {text}\n"),
        None => format!("{name:13} {value}\n"),
    };
    let about = |link: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let subject = &link["subject"];
        let (kind, id, role) = (text(&subject["type"]), text(&subject["id"]), text(&link["role"]));
        format!("{:13} {kind}:{id} ({role})\n", "about")
    };
    let records = file["links"].as_array().into_iter().flatten();
    known.map(line).chain(records.map(about)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_line_by_line_with_what_it_is_about() {
        let file = json!({
            "file_id": "f1", "name": "a.png", "size_bytes": 7, "sha256": null,
            "links": [{"subject": {"type": "identity.user", "id": "u1"}, "role": "photo"}],
        });
        let told = told(&file);
        let expected = [
            "file          f1",
            "name          a.png",
            "bytes         7",
            "about         identity.user:u1 (photo)",
        ];
        assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    }
}
