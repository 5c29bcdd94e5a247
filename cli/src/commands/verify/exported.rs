//! Whether the file of an export is the one that was made, by its signed manifest alone.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use platform::transparency::manifest::{self, Manifest};
use platform::transparency::note::VerifierKey;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A manifest is shorter, twice.
const MANIFEST_MOST_BYTES: u64 = 1 << 18;
const READ_BYTES: usize = 1 << 20;

/// What `GET /exports/{id}/manifest` answers.
#[derive(Deserialize)]
struct Served {
    manifest: Value,
    signed: String,
}

pub(super) fn run(
    file: &Path,
    manifest: &Path,
    keys: &[VerifierKey],
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    ensure!(file.as_os_str() != "-", "name the file; its manifest is compared with all of it");
    let name = manifest.display();
    let mut text = String::new();
    let open =
        |path: &Path| File::open(path).with_context(|| format!("cannot read {}", path.display()));
    open(manifest)?
        .take(MANIFEST_MOST_BYTES)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {name}"))?;
    let served: Served = serde_json::from_str(&text)
        .with_context(|| format!("{name} is not what `annals export manifest` writes"))?;
    let (sha256, size_bytes) =
        digest(open(file)?).with_context(|| format!("cannot read {}", file.display()))?;
    let differences = differences(&served, keys, (&sha256, size_bytes));
    let is_same = differences.is_empty();
    if as_json {
        println!("{}", json!({ "ok": is_same, "differences": differences }));
    } else if is_same {
        let at = &served.manifest["as_of"];
        println!(
            "the file is the one that was made, as of position {} ({})",
            at["position"], at["time"]
        );
        if keys.is_empty() {
            println!("without --key nobody asked who signed the manifest");
        }
    } else {
        for difference in differences {
            eprintln!("annals: {difference}");
        }
    }
    Ok(ExitCode::from(u8::from(!is_same)))
}

fn digest(mut file: File) -> std::io::Result<(String, u64)> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; READ_BYTES]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex::encode(hash.finalize()), size));
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Everything that is not as it was signed.
fn differences(served: &Served, keys: &[VerifierKey], (sha256, size): (&str, u64)) -> Vec<String> {
    let mut found = Vec::new();
    let believed: Option<Manifest> = match manifest::open(&served.signed, keys) {
        Ok(manifest) => {
            let signed = serde_json::to_value(&manifest).unwrap_or_default();
            for member in manifest::differences(&signed, &served.manifest) {
                found.push(format!("the manifest was altered: {member} is not what was signed"));
            }
            Some(manifest)
        }
        Err(error) => {
            found.push(format!("the manifest is not believed: {error}"));
            None
        }
    };
    let promised = |name: &str| served.manifest["file"][name].clone();
    let (expected_sha256, expected_size) = match &believed {
        Some(manifest) => (json!(manifest.file.sha256), json!(manifest.file.size_bytes)),
        None => (promised("sha256"), promised("size_bytes")),
    };
    if expected_size != json!(size) {
        found.push(format!("the file has {size} bytes, and {expected_size} were made"));
    }
    if expected_sha256 != json!(sha256) {
        found.push(format!(
            "the file is another: its SHA-256 is {sha256}, and that of what was made {expected_sha256}"
        ));
    }
    found
}
