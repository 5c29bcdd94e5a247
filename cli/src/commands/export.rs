//! `annals export`: asking for a file, waiting for it with its progress on a terminal, and fetching it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Subcommand, ValueEnum};
use events::ExportId;
use platform::clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::bar;
use super::client::{Client, read};
use super::follow;
use super::manner::Manner;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Ask for a file; workers make it
    Create(Box<Create>),
    /// Wait until a file is made
    Wait {
        /// The export
        export: ExportId,
        #[command(flatten)]
        manner: Manner,
    },
    /// Fetch the signed manifest of a file, with which `annals verify` finds out whether it is as it was made
    Manifest {
        /// The export
        export: ExportId,
        /// Where to write it
        #[arg(long, value_name = "PATH")]
        output: PathBuf,
        #[command(flatten)]
        manner: Manner,
    },
    /// Fetch a file that is made, and check that it is the one that was promised
    Download {
        /// The export
        export: ExportId,
        /// Where to write it; into a folder it goes under its own name
        #[arg(long, value_name = "PATH", default_value = ".")]
        output: PathBuf,
        #[command(flatten)]
        manner: Manner,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// What to export, such as identity.users; `GET /exports/datasets` lists all
    #[arg(required_unless_present = "template")]
    dataset: Option<String>,
    /// The template to take from what is not said here, by its name
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// What kind of file
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The columns in the order of the file, separated by commas; all that are not sensitive when absent
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    /// Which rows, such as 'status = "active"'
    #[arg(long)]
    filter: Option<String>,
    /// The order, such as `-created_at,handle`
    #[arg(long, allow_hyphen_values = true)]
    sort: Option<String>,
    /// What stands above the rows and in the file's name
    #[arg(long)]
    title: Option<String>,
    /// Language and region of numbers and dates, such as de-CH
    #[arg(long)]
    locale: Option<String>,
    /// Time zone of moments, such as Europe/Zurich
    #[arg(long)]
    time_zone: Option<String>,
    #[command(flatten)]
    look: Look,
    /// Wait until it is made
    #[arg(long)]
    wait: bool,
    /// Wait, and write it here; into a folder it goes under its own name
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

/// How the file is made, where it shall be otherwise than usual.
#[derive(Debug, clap::Args)]
struct Look {
    /// How values are written
    #[arg(long, value_parser = ["formatted", "raw"])]
    style: Option<String>,
    /// For whom a CSV file is: for spreadsheet programs, or for others
    #[arg(long, value_parser = ["excel", "raw"])]
    dialect: Option<String>,
    /// What the columns are called
    #[arg(long, value_parser = ["labels", "keys"])]
    headings: Option<String>,
    /// The heading of one column; may be repeated
    #[arg(long = "label", value_name = "COLUMN=HEADING", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Whether a workbook or a PDF begins with what it is
    #[arg(long, value_name = "BOOL")]
    cover: Option<bool>,
    /// Columns whose sums stand below the rows of a workbook or a PDF, separated by commas
    #[arg(long, value_delimiter = ',')]
    totals: Vec<String>,
    /// What happens to what a workbook or a PDF has no room for
    #[arg(long, value_parser = ["split", "fail", "truncate"])]
    limit_policy: Option<String>,
    /// Only what has changed since the last file that was asked for so, or since the one that is named
    #[arg(long, value_name = "EXPORT", num_args = 0..=1, default_missing_value = "")]
    changes: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Rows of text, separated as the locale does
    Csv,
    /// A workbook with real numbers and dates
    Xlsx,
    /// Pages to print
    Pdf,
    /// One JSON object per line
    Ndjson,
    /// Columns with their types, for data tools
    Parquet,
}

/// A link to a file, and what is promised of it.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) url: String,
    pub(super) file_name: String,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

/// A file that arrived as it was promised.
#[derive(Debug, Serialize)]
struct Fetched {
    export_id: ExportId,
    file: PathBuf,
    size_bytes: u64,
    sha256: String,
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
            Self::Create(create) => &create.manner,
            Self::Wait { manner, .. }
            | Self::Manifest { manner, .. }
            | Self::Download { manner, .. } => manner,
        }
    }
}

async fn act(client: &Client, action: Action) -> anyhow::Result<()> {
    match action {
        Action::Create(create) => create.run(client).await,
        Action::Wait { export, manner } => {
            let job = follow::finished(client, export.0).await?;
            manner.tell(&job, &format!("{export} is made"));
            Ok(())
        }
        Action::Manifest { export, output, manner } => {
            let path = format!("/exports/{export}/manifest");
            let manifest: Value = client.get(&path, None).await?;
            let taken = || format!("{} is there already; name another --output", output.display());
            let mut file = std::fs::File::create_new(&output).with_context(taken)?;
            writeln!(file, "{manifest:#}")?;
            manner.tell(&manifest, &format!("the manifest is in {}", output.display()));
            Ok(())
        }
        Action::Download { export, output, manner } => {
            fetch(client, export, &output).await?.tell(&manner);
            Ok(())
        }
    }
}

impl Create {
    async fn run(self, client: &Client) -> anyhow::Result<()> {
        let id: ExportId = clock::new_id();
        let path = match self.format {
            Format::Csv => "/exports/csv",
            Format::Xlsx => "/exports/excel",
            Format::Pdf => "/exports/pdf",
            Format::Ndjson => "/exports/ndjson",
            Format::Parquet => "/exports/parquet",
        };
        let template = match &self.template {
            Some(name) => Some(template(client, name).await?),
            None => None,
        };
        let taken = client.post(path, id.0, &self.body(id, template.as_deref())).await?;
        if !self.wait && self.output.is_none() {
            self.manner.tell(&taken, &id.to_string());
            return Ok(());
        }
        let job = follow::finished(client, id.0).await?;
        match &self.output {
            Some(output) => fetch(client, id, output).await?.tell(&self.manner),
            None => self.manner.tell(&job, &format!("{id} is made")),
        }
        Ok(())
    }

    /// The request; what was not said is left to the server.
    fn body(&self, id: ExportId, template: Option<&str>) -> Value {
        let mut body = json!({ "id": id, "columns": self.columns });
        let options = self.look.options();
        if options != json!({}) {
            body["options"] = options;
        }
        let template = template.map(str::to_owned);
        let said = [
            ("template_id", &template),
            ("dataset", &self.dataset),
            ("filter", &self.filter),
            ("sort", &self.sort),
            ("title", &self.title),
            ("locale", &self.locale),
            ("time_zone", &self.time_zone),
        ];
        for (member, value) in said {
            if let Some(value) = value {
                body[member] = value.as_str().into();
            }
        }
        body
    }
}

/// The id of the template of that name.
async fn template(client: &Client, name: &str) -> anyhow::Result<String> {
    let quoted = name.replace('\\', r"\\").replace('"', r#"\""#).replace('*', r"\*");
    let filter = format!("status = \"defined\" AND name = \"{quoted}\"");
    let token = client.here().await?.token;
    let asked = [("filter", filter.as_str())];
    let found: Value = read(client.ask("/exports/templates", &asked, Some(&token)).await?).await?;
    let id = found["items"][0]["template_id"].as_str();
    id.map(str::to_owned).with_context(|| format!("there is no template called {name}"))
}

impl Look {
    fn options(&self) -> Value {
        let mut options = json!({});
        let said = [
            ("style", &self.style),
            ("dialect", &self.dialect),
            ("headings", &self.headings),
            ("limit_policy", &self.limit_policy),
        ];
        for (member, value) in said {
            if let Some(value) = value {
                options[member] = value.as_str().into();
            }
        }
        if let Some(cover) = self.cover {
            options["cover"] = cover.into();
        }
        if let Some(since) = &self.changes {
            options["changes"] =
                if since.is_empty() { json!({}) } else { json!({ "since": since }) };
        }
        if !self.totals.is_empty() {
            options["totals"] = self.totals.clone().into();
        }
        for (column, heading) in &self.labels {
            options["labels"][column] = heading.as_str().into();
        }
        options
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write it like status=State")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// Writes the file where it belongs once all of it has arrived and is what was promised.
async fn fetch(client: &Client, id: ExportId, output: &Path) -> anyhow::Result<Fetched> {
    let key: Uuid = clock::new_id();
    let answer = client.post(&format!("/exports/{id}/downloads"), key, &json!({})).await?;
    let link = Link::deserialize(&answer).context("the answer names no link to the file")?;
    let target = place(output, &link.file_name)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut arriving = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .with_context(|| format!("cannot write beside {}", target.display()))?;
    let bar = bar::styled("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_length(link.size_bytes);
    let (mut hash, mut size_bytes) = (Sha256::new(), 0);
    let mut response = client.open(&link.url).await?;
    while let Some(part) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        size_bytes += part.len() as u64;
        ensure!(size_bytes <= link.size_bytes, "more arrives than was promised; nothing was kept");
        hash.update(&part);
        arriving.write_all(&part)?;
        bar.set_position(size_bytes);
    }
    bar.finish_and_clear();
    let sha256 = hex::encode(hash.finalize());
    ensure!(sha256 == link.sha256, "what arrived is not what was promised; nothing was kept");
    arriving.as_file().sync_all()?;
    let taken = || format!("{} is there already; name another --output", target.display());
    arriving.persist_noclobber(&target).map_err(|error| error.error).with_context(taken)?;
    Ok(Fetched { export_id: id, file: target, size_bytes, sha256 })
}

impl Fetched {
    fn tell(&self, manner: &Manner) {
        let Self { file, size_bytes, sha256, .. } = self;
        let words = format!("{} has {size_bytes} bytes, SHA-256 {sha256}", file.display());
        manner.tell(&json!(self), &words);
    }
}

/// Where a file goes: under its own name in a folder, and never elsewhere than told.
fn place(output: &Path, file_name: &str) -> anyhow::Result<PathBuf> {
    let target = if output.is_dir() {
        let name = Path::new(file_name).file_name().context("the file has no name; name one")?;
        output.join(name)
    } else {
        output.to_owned()
    };
    ensure!(!target.exists(), "{} is there already; name another --output", target.display());
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_under_its_own_name_into_a_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let into = |name| place(folder.path(), name).unwrap();
        assert_eq!(into("Users_2026.csv"), folder.path().join("Users_2026.csv"));
        assert_eq!(into("../../etc/passwd"), folder.path().join("passwd"));
        assert!(place(folder.path(), "..").is_err());
        let named = folder.path().join("mine.csv");
        assert_eq!(place(&named, "Users.csv").unwrap(), named);
        std::fs::write(&named, "").unwrap();
        assert!(place(&named, "Users.csv").unwrap_err().to_string().contains("is there already"));
    }
}
