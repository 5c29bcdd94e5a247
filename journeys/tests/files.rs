//! Files from end to end: sent at once and in parts across a crash, read by whoever may read what they are about, fetched in ranges
//! and by links that end, kept while something is linked to them, and gone with the bytes when nothing is.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use journeys::house::Resident;
use journeys::{Client, House};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_mins(1);
const PART: &str = "application/offset+octet-stream";
const TEXT: &[u8] = b"What was agreed on, in words that stay.\n";

/// A role that may use files, and somebody who has it.
async fn clerk(owner: &Client, slug: &str, handle: &str) -> anyhow::Result<Client> {
    let clerk = owner.newcomer(slug, handle).await?;
    let role = json!({"name": handle, "code": handle, "permissions": ["files.files:use"]});
    let role = owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned();
    let assigned = json!({"user_id": clerk.user_id, "role_id": role});
    owner.post("/rbac/assign", &assigned).await?.ok()?;
    Ok(clerk)
}

fn content_of(client: &Client, file: &str) -> String {
    format!("{}/api/v1/files/{file}/content", client.query_url)
}

async fn range(client: &Client, file: &str, range: &str) -> anyhow::Result<(u16, String)> {
    let url = content_of(client, file);
    let reply = client.send(Method::GET, &url, None, &[("range", range)]).await?;
    Ok((reply.status, reply.text))
}

fn blobs(house: &House, tenant: &str) -> usize {
    let folder = house.files().join("blobs").join(tenant);
    std::fs::read_dir(folder).into_iter().flatten().count()
}

#[tokio::test]
async fn a_file_is_read_through_what_it_is_about_and_goes_when_nothing_is_linked_to_it()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let (ann, bob) = (clerk(&owner, "acme", "ann").await?, clerk(&owner, "acme", "bob").await?);
    let sent = owner.upload(&[("purpose", "evidence")], ("a greement.txt", "text/plain"), TEXT);
    let sent = sent.await?.ok()?;
    let file = sent.made().to_owned();
    let path = format!("/files/{file}");
    let shown = owner.get_after(&path, &sent).await?.ok()?;
    assert_eq!((&shown.body["status"], &shown.body["size_bytes"]), (&json!("stored"), &json!(40)));

    let url = content_of(&owner, &file);
    let whole = owner.send(Method::GET, &url, None, &[]).await?.ok()?;
    assert_eq!(whole.text.as_bytes(), TEXT);
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(TEXT)));
    assert_eq!((whole.header("etag"), whole.header("content-type")), (&*tag, "text/plain"));
    assert!(
        whole.header("content-disposition").starts_with("attachment; filename=\"a greement.txt\"")
    );
    assert_eq!(range(&owner, &file, "bytes=5-7").await?, (206, "was".into()));
    assert_eq!(range(&owner, &file, "bytes=40-").await?.0, 416);
    let known = owner.send(Method::GET, &url, None, &[("if-none-match", &tag)]).await?;
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    let other = [("range", "bytes=5-7"), ("if-range", "\"another\"")];
    assert_eq!(owner.send(Method::GET, &url, None, &other).await?.status, 200);

    for nobody in [&ann, &bob] {
        assert_eq!(nobody.get(&path).await?.status, 404);
        assert_eq!(range(nobody, &file, "bytes=0-").await?.0, 404);
        assert_eq!(nobody.post(&format!("{path}/downloads"), &json!({})).await?.status, 404);
    }
    let about_ann =
        json!({"subject": {"type": "identity.user", "id": ann.user_id}, "role": "proof"});
    let linked = owner.post(&format!("{path}/links"), &about_ann).await?.ok()?;
    assert_eq!(range(&ann, &file, "bytes=5-7").await?, (206, "was".into()));
    assert_eq!(range(&bob, &file, "bytes=5-7").await?.0, 404);
    let of_ann = format!("/files?subject=identity.user:{}", ann.user_id);
    let listed = ann.get_after(&of_ann, &linked).await?.ok()?;
    assert_eq!(listed.body["items"][0]["file_id"], file);
    assert_eq!(bob.get_after(&of_ann, &linked).await?.ok()?.body["items"], json!([]));
    let refused = owner.command(Method::DELETE, &path, &json!({}), &[]).await?;
    assert_eq!(refused.body["code"], "FILE_LINKED");

    let unlink = json!({"subject": about_ann["subject"]});
    owner.post(&format!("{path}/links/remove"), &unlink).await?.ok()?;
    assert_eq!(ann.get(&path).await?.status, 404);
    let twin = owner.upload(&[], ("twin.txt", "text/plain"), TEXT).await?.ok()?;
    assert_eq!(blobs(&house, &owner.tenant_id), 1);
    for (gone, left) in [(file.as_str(), 1), (twin.made(), 0)] {
        let path = format!("/files/{gone}");
        let deleted = owner.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
        let shown = owner.get_after(&path, &deleted).await?.ok()?;
        assert_eq!(shown.body["status"], "deleted");
        let began = Instant::now();
        while blobs(&house, &owner.tenant_id) > left && began.elapsed() < SOON {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(blobs(&house, &owner.tenant_id), left, "the twin keeps the bytes");
    }
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_link_lives_for_a_minute_and_opens_nothing_else() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let file = owner.upload(&[], ("a.txt", "text/plain"), TEXT).await?.ok()?.made().to_owned();
    let other = owner.upload(&[], ("b.txt", "text/plain"), b"other").await?.ok()?.made().to_owned();
    let download = owner.post(&format!("/files/{file}/downloads"), &json!({})).await?.ok()?;
    let url = download.body["url"].as_str().unwrap_or_default().to_owned();
    let anybody = owner.with_token("");
    let fetched = anybody.send(Method::GET, &url, None, &[("range", "bytes=0-3")]).await?;
    assert_eq!((fetched.status, fetched.text.as_str()), (206, "What"));
    let elsewhere = url.replace(&file, &other);
    assert_eq!(anybody.send(Method::GET, &elsewhere, None, &[]).await?.status, 404);
    let ends: jiff::Timestamp = serde_json::from_value(download.body["expires_at"].clone())?;
    let left = ends.duration_since(platform::clock::now());
    assert!((1..=60).contains(&left.as_secs()), "{left:?}");
    let tampered = format!("{url}x");
    assert_eq!(anybody.send(Method::GET, &tampered, None, &[]).await?.status, 401);
    let token = url.split_once("link=").map(|(_, token)| token.to_owned()).unwrap_or_default();
    let master = platform::secrets::MasterKey::parse(house.setting("ANNALS_MASTER_KEY"))?;
    let link = platform::files::verify_link(&master, &token, platform::clock::now())?;
    let past = platform::files::Link { expires_at: platform::clock::now(), ..link };
    let expired = url.replace(&token, &platform::files::sign_link(&master, &past));
    assert_eq!(anybody.send(Method::GET, &expired, None, &[]).await?.status, 401);
    owner.command(Method::DELETE, &format!("/files/{file}"), &json!({}), &[]).await?.ok()?;
    assert_eq!(anybody.send(Method::GET, &url, None, &[]).await?.status, 404);
    house.stop().await;
    Ok(())
}

/// What of an upload lies on the disk.
fn length(part: &Path) -> u64 {
    std::fs::metadata(part).map(|found| found.len()).unwrap_or_default()
}

#[tokio::test]
async fn an_upload_goes_on_behind_a_crash_in_the_middle_of_a_part() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let lines = (0..200_000).map(|number| format!("{number};something\n"));
    let content: Vec<u8> = lines.flat_map(String::into_bytes).collect();
    let sha256 = hex::encode(Sha256::digest(&content));
    let announced = json!({"name": "rows.csv", "media_type": "text/csv", "purpose": "import",
        "size_bytes": content.len()});
    let announced = owner.post("/files/uploads", &announced).await?.ok()?;
    let id = announced.made().to_owned();
    let url = format!("{}{}", owner.command_url, announced.header("location"));
    let at = |offset: &str| {
        [
            ("content-type".to_owned(), PART.to_owned()),
            ("upload-offset".to_owned(), offset.to_owned()),
        ]
    };
    let send = async |offset: u64, body: reqwest::Body| {
        let headers = at(&offset.to_string());
        let headers = headers.each_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        owner.stream(Method::PATCH, &url, body, &headers).await
    };
    let first = 1_000_000;
    assert_eq!(send(0, content[..first].to_vec().into()).await?.status, 204);

    let piece = content[first..first + 500_000].to_vec();
    let stalled = futures::stream::once(async { std::io::Result::Ok(piece) });
    let stalled = stalled.chain(futures::stream::pending());
    let part = house.files().join("scratch/parts").join(&owner.tenant_id).join(&id);
    let arrives = async {
        while length(&part) <= first as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        reply = send(first as u64, reqwest::Body::wrap_stream(stalled)) => panic!("{reply:?}"),
        () = arrives => house.kill(Resident::CommandApi)?,
    }
    house.move_in(Resident::CommandApi)?;
    house.ready().await?;

    let head = owner.send(Method::HEAD, &url, None, &[]).await?.ok()?;
    let offset: u64 = head.header("upload-offset").parse()?;
    assert!(offset > first as u64 && offset <= 1_500_000, "{offset}");
    assert_eq!(send(first as u64, "overlapping".into()).await?.status, 409);
    assert_eq!(send(offset + 1, "out of order".into()).await?.status, 409);
    let rest = content[usize::try_from(offset)?..].to_vec();
    assert_eq!(send(offset, rest.into()).await?.status, 204);
    let complete = format!("/files/uploads/{id}/complete");
    let stored = owner.post(&complete, &json!({"sha256": sha256})).await?.ok()?;
    let shown = owner.get_after(&format!("/files/{id}"), &stored).await?.ok()?;
    assert_eq!((&shown.body["status"], &shown.body["sha256"]), (&json!("stored"), &json!(sha256)));
    assert!(owner.bytes(&content_of(&owner, &id)).await? == content);
    assert_eq!(length(&part), 0);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn whoever_is_forgotten_takes_their_own_files_along() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let ann = clerk(&owner, "acme", "ann").await?;
    let own = ann.upload(&[("purpose", "attachment")], ("mine.txt", "text/plain"), b"mine").await?;
    let own = own.ok()?.made().to_owned();
    let shared =
        ann.upload(&[], ("ours.txt", "text/plain"), b"ours").await?.ok()?.made().to_owned();
    for (kind, of) in [("identity.organization", &owner.tenant_id), ("identity.user", &ann.user_id)]
    {
        let link = json!({"subject": {"type": kind, "id": of}});
        let by = if kind == "identity.user" { &ann } else { &owner };
        by.post(&format!("/files/{shared}/links"), &link).await?.ok()?;
    }
    let user = format!("/users/{}", ann.user_id);
    owner.post(&format!("{user}/deactivate"), &json!({"reason": "left"})).await?.ok()?;
    owner.post(&format!("{user}/erase"), &json!({"handle": "ann"})).await?.ok()?;
    let is = |status: &'static str| move |body: &Value| body["status"] == status;
    owner.until(&format!("/files/{own}"), SOON, is("deleted")).await?;
    let left = |body: &Value| body["subjects"].as_array().is_some_and(|all| all.len() == 1);
    let kept = owner.until(&format!("/files/{shared}"), SOON, left).await?;
    assert_eq!(kept.body["status"], "stored");
    let began = Instant::now();
    while blobs(&house, &owner.tenant_id) > 1 && began.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(blobs(&house, &owner.tenant_id), 1);
    house.stop().await;
    Ok(())
}

/// How a way to a door fails when so many bytes went through.
#[derive(Debug, Clone, Copy)]
enum Fails {
    /// Each of so many connections is cut.
    Cut(usize),
    /// Nothing comes through any more, over whichever connection.
    Stall,
}

/// A way to a door that fails after so many bytes.
struct Way {
    url: String,
    /// How often it did.
    failed: Arc<AtomicUsize>,
    _open: JoinSet<()>,
}

async fn failing(door: &str, bytes: u64, how: Fails) -> anyhow::Result<Way> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (url, failed) = (format!("http://{}", listener.local_addr()?), Arc::default());
    let (door, count) = (door.trim_start_matches("http://").to_owned(), Arc::clone(&failed));
    let mut open = JoinSet::new();
    let of_all = Arc::new(AtomicU64::new(bytes));
    open.spawn(async move {
        let mut passing = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            let (door, count) = (door.clone(), Arc::clone(&count));
            let left = match how {
                Fails::Cut(_) => Arc::new(AtomicU64::new(bytes)),
                Fails::Stall => Arc::clone(&of_all),
            };
            passing.spawn(async move { pass(near, &door, (&left, how), &count).await });
        }
    });
    Ok(Way { url, failed, _open: open })
}

async fn pass(
    near: TcpStream,
    door: &str,
    (left, how): (&AtomicU64, Fails),
    failed: &AtomicUsize,
) -> std::io::Result<()> {
    let far = TcpStream::connect(door).await?;
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let there = async {
        let fails = all_went(&mut from_near, &mut to_far, left).await?;
        let before = if fails { failed.fetch_add(1, Ordering::SeqCst) } else { 0 };
        match how {
            Fails::Cut(most) if fails && before < most => return Ok(()),
            // Until whoever sends gives up, which the door then hears of.
            Fails::Stall if fails => {
                copy(&mut from_near, &mut tokio::io::sink()).await?;
                return Ok(());
            }
            Fails::Cut(_) | Fails::Stall => {}
        }
        copy(&mut from_near, &mut to_far).await?;
        to_far.shutdown().await?;
        std::future::pending().await
    };
    tokio::select! {
        ended = there => ended,
        back = copy(&mut from_far, &mut to_near) => back.map(drop),
    }
}

/// Passes on what comes, until as many bytes went through as were left; whether they did.
async fn all_went(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    left: &AtomicU64,
) -> std::io::Result<bool> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let room = usize::try_from(left.load(Ordering::SeqCst)).unwrap_or(usize::MAX);
        if room == 0 {
            return Ok(true);
        }
        let most = room.min(buffer.len());
        let read = from.read(&mut buffer[..most]).await?;
        if read == 0 {
            return Ok(false);
        }
        to.write_all(&buffer[..read]).await?;
        let went = |left: u64| Some(left.saturating_sub(read as u64));
        let _always_some = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, went);
    }
}

/// Rows that take several parts.
fn rows(house: &House, first: &str) -> anyhow::Result<(PathBuf, Vec<u8>)> {
    let lines = (0..1_000_000).map(|number| format!("{number};something\n"));
    let lines = std::iter::once(first.to_owned()).chain(lines);
    let content: Vec<u8> = lines.flat_map(String::into_bytes).collect();
    let path = house.path("rows.csv");
    std::fs::write(&path, &content)?;
    Ok((path, content))
}

fn said(output: &std::process::Output) -> anyhow::Result<Value> {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{told}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_terminal_a_file_arrives_over_a_line_that_breaks() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let (path, content) = rows(&house, "the beginning\n")?;
    let path = path.display().to_string();
    let way = failing(&owner.command_url, 3_000_000, Fails::Cut(3)).await?;
    let subject = format!("identity.user:{}", owner.user_id);
    let upload = ["files", "upload", &path, "--purpose", "import", "--subject", &subject, "--json"];
    let environment = [("ANNALS_TOKEN", owner.token.as_str())];
    let variables = [environment[0], ("ANNALS_COMMAND_URL", way.url.as_str())];
    let sent = said(&house.annals_with(&upload, &variables)?)?;
    assert!(way.failed.load(Ordering::SeqCst) >= 3, "the line broke");
    let sha256 = hex::encode(Sha256::digest(&content));
    assert_eq!((&sent["sha256"], &sent["begun_at_bytes"]), (&json!(sha256), &json!(0)));
    let file = sent["file_id"].as_str().unwrap_or_default();
    let listed =
        house.annals_with(&["files", "list", "--subject", &subject, "--json"], &environment)?;
    let listed = said(&listed)?;
    assert_eq!((&listed[0]["file_id"], &listed[0]["status"]), (&json!(file), &json!("stored")));

    // What an earlier attempt left of it is gone on with, if it is of it.
    let target = house.path("fetched.csv");
    let part = house.path(&format!("fetched.csv.{}.part", &sha256[..16]));
    let fetch = ["files", "download", file, "--output", &target.display().to_string(), "--json"];
    std::fs::write(&part, "something else")?;
    let refused = house.annals_with(&fetch, &environment)?;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("what arrived is not what was promised; nothing was kept"), "{told}");
    assert!(!target.exists() && !part.exists());
    std::fs::write(&part, &content[..5_000_000])?;
    let fetched = said(&house.annals_with(&fetch, &environment)?)?;
    assert_eq!(
        (&fetched["sha256"], &fetched["begun_at_bytes"]),
        (&json!(sha256), &json!(5_000_000))
    );
    assert!(std::fs::read(&target)? == content && !part.exists());
    let again = house.annals_with(&fetch, &environment)?;
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already; name another"));
    house.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_killed_goes_on_when_it_is_said_again() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let (path, _) = rows(&house, "as it was\n")?;
    let upload = ["files", "upload", &path.display().to_string(), "--purpose", "import", "--json"];
    let environment = [("ANNALS_TOKEN", owner.token.as_str())];
    let broken_off = async || -> anyhow::Result<()> {
        let way = failing(&owner.command_url, 10_000_000, Fails::Stall).await?;
        let mut sending = tokio::process::Command::new(journeys::house::annals()?);
        sending.args(upload).envs(environment).kill_on_drop(true);
        sending.env("ANNALS_COMMAND_URL", &way.url).env("ANNALS_QUERY_URL", &owner.query_url);
        let mut sending = sending.stdin(Stdio::null()).spawn()?;
        let stalls = async || Ok(way.failed.load(Ordering::SeqCst) > 0);
        house.until("it stalls", SOON, stalls).await?;
        sending.kill().await?;
        Ok(())
    };
    broken_off().await?;
    let sent = said(&house.annals_with(&upload, &environment)?)?;
    let begun_at = sent["begun_at_bytes"].as_u64().unwrap_or_default();
    assert!((8_000_000..10_000_000).contains(&begun_at), "{sent}");

    // Another file of that name and size is not mixed with the one that was begun.
    broken_off().await?;
    let (_, other) = rows(&house, "as it is!\n")?;
    let sent = said(&house.annals_with(&upload, &environment)?)?;
    assert_eq!(sent["begun_at_bytes"], 0, "{sent}");
    assert_eq!(sent["sha256"], hex::encode(Sha256::digest(&other)));
    let file = sent["file_id"].as_str().unwrap_or_default();
    assert!(owner.bytes(&content_of(&owner, file)).await? == other);
    let aborted = "/files?status=aborted";
    let given_up = |body: &Value| body["items"].as_array().is_some_and(|all| all.len() == 1);
    owner.until(aborted, SOON, given_up).await?;
    house.stop().await;
    Ok(())
}
