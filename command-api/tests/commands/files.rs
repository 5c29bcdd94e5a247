//! Files as clients send them: at once or in parts, checked for what they are, linked, held back and deleted.

use std::io::Write as _;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::kit::{Answer, Api, code, made, send};

const PART: &str = "application/offset+octet-stream";
const CSV: &[u8] = b"name;city\nM\xc3\xbcller;Z\xc3\xbcrich\n";

/// A file as a form sends it.
struct Sent<'a> {
    name: &'a str,
    media_type: &'a str,
    content: &'a [u8],
}

const TABLE: Sent<'static> = Sent { name: "people.csv", media_type: "text/csv", content: CSV };

fn form(token: &str, fields: &[(&str, &str)], file: &Sent<'_>) -> Request<Body> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    let Sent { name, media_type, content } = file;
    let head = format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--x--\r\n");
    request(Method::POST, "/files", token, &[("content-type", "multipart/form-data; boundary=x")])
        .body(Body::from(body))
        .unwrap()
}

fn request(
    method: Method,
    path: &str,
    token: &str,
    headers: &[(&str, &str)],
) -> axum::http::request::Builder {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
}

async fn upload(api: &Api, token: &str, fields: &[(&str, &str)], file: &Sent<'_>) -> Answer {
    send(&api.router, form(token, fields, file)).await
}

/// The blobs that lie in the store.
fn blobs(api: &Api) -> usize {
    let tenants = std::fs::read_dir(api.settings.data_dir.join("blobs")).unwrap();
    tenants.flatten().map(|tenant| std::fs::read_dir(tenant.path()).unwrap().count()).sum()
}

fn left_over(api: &Api) -> usize {
    let scratch = std::fs::read_dir(api.settings.data_dir.join("scratch")).unwrap();
    scratch.flatten().filter(|entry| entry.path().is_file()).count()
}

#[tokio::test]
async fn the_same_bytes_are_kept_once_in_an_organisation_and_apart_in_another() {
    let api = Api::start().await;
    let (owner, other) = (api.found("acme").await, api.found("other").await);
    let first = upload(&api, &owner, &[("purpose", "import")], &TABLE).await;
    let content = |answer: &Answer| -> Vec<String> {
        let kinds = answer.body["events"].as_array().unwrap().iter();
        kinds.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(content(&first), ["files.file.initiated", "files.file.stored"]);
    let location = first.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("/api/v1/files/{}", made(&first)));
    let renamed = Sent { name: "again.csv", ..TABLE };
    made(&upload(&api, &owner, &[], &renamed).await);
    assert_eq!(blobs(&api), 1);
    made(&upload(&api, &other, &[], &TABLE).await);
    assert_eq!(blobs(&api), 2);
    let places: Vec<Value> = api
        .events()
        .await
        .into_iter()
        .filter_map(|(_, kind, payload)| {
            (kind == "files.file.stored").then(|| payload["blob_id"].clone())
        })
        .collect();
    assert!(places[0] == places[1] && places[1] != places[2], "{places:?}");
    assert_eq!(left_over(&api), 0);
    api.stop().await;
}

#[tokio::test]
async fn a_form_sent_again_under_its_key_is_the_same_file() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let keyed = |file: &Sent<'_>| {
        let mut request = form(&owner, &[], file);
        request.headers_mut().insert("idempotency-key", "k1".parse().unwrap());
        request
    };
    let first = send(&api.router, keyed(&TABLE)).await;
    let again = send(&api.router, keyed(&TABLE)).await;
    assert_eq!(made(&first), made(&again));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let other = Sent { content: b"something else\n", ..TABLE };
    let refused = send(&api.router, keyed(&other)).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(api.count("files.file.stored").await, 1);
    api.stop().await;
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused_and_leaves_nothing() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let exe = [b"MZ\x90\0\x03\0\0\0".as_slice(), &[0; 120]].concat();
    let mut bomb =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x06\0\0\0".to_vec();
    bomb.resize(40, 0);
    let page = b"<!DOCTYPE html><script>alert(1)</script>".as_slice();
    for (name, media_type, content, expected) in [
        ("../../etc/passwd", "text/csv", CSV, (422, "FILE_NAME_INVALID")),
        ("C:\\\\x", "text/csv", CSV, (422, "FILE_NAME_INVALID")),
        ("CON", "text/csv", CSV, (422, "FILE_NAME_INVALID")),
        ("in\u{202e}fdp.csv", "text/csv", CSV, (422, "FILE_NAME_INVALID")),
        (&"x".repeat(300), "text/csv", CSV, (422, "FILE_NAME_INVALID")),
        ("x.pdf", "application/pdf", &exe, (422, "FILE_CONTENT_UNFIT")),
        ("x.png", "image/png", &bomb, (422, "FILE_CONTENT_UNFIT")),
        ("x.png", "image/png", page, (422, "FILE_CONTENT_UNFIT")),
        ("x.csv", "text/csv", b"", (422, "FILE_EMPTY")),
    ] {
        let sent = Sent { name, media_type, content };
        let refused = upload(&api, &owner, &[], &sent).await;
        assert_eq!(code(&refused), expected, "{name}: {}", refused.body);
    }
    for (fields, expected) in [
        ([("purpose", "photo")], (422, "FILE_CONTENT_UNFIT")),
        ([("purpose", "anything")], (422, "FORM_INVALID")),
        ([("subject", "nobody:1")], (422, "FORM_INVALID")),
        ([("colour", "red")], (422, "FORM_INVALID")),
        ([("sha256", &*"0f".repeat(32))], (422, "FILE_DIGEST_MISMATCH")),
        ([("name", "a\u{0}b")], (422, "FILE_NAME_INVALID")),
    ] {
        let refused = upload(&api, &owner, &fields, &TABLE).await;
        assert_eq!(code(&refused), expected, "{fields:?}: {}", refused.body);
    }
    assert_eq!((blobs_or_none(&api), left_over(&api)), (0, 0));
    assert_eq!(api.count("files.file.initiated").await, 0);
    api.stop().await;
}

/// A real archive of files with such names, each of so many zeros.
fn packed(names: &[&str], size_bytes: usize) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in names {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&vec![0; size_bytes]).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[tokio::test]
async fn an_archive_is_refused_for_what_its_list_says_at_once_and_in_parts() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let book = packed(&["[Content_Types].xml", "xl/workbook.xml"], 1000);
    let end = book.windows(4).position(|mark| mark == b"PK\x01\x02").unwrap();
    let mut bomb = book.clone();
    bomb[end + 24..end + 28].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
    let nested: Vec<String> = (0..16).map(|number| format!("{number}.zip")).collect();
    let nested = packed(&nested.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    let outside = packed(&["../../a"], 1);
    for (name, media_type, content, why) in [
        ("x.xlsx", xlsx, &bomb, "unpacks to more than 20 times what its purpose allows"),
        ("x.zip", "application/zip", &nested, "more than 10 archives in it"),
        ("x.zip", "application/octet-stream", &outside, "whose name is absolute or has .. in it"),
        ("x.xlsx", xlsx, &book[..end].to_vec(), "whose list of entries is not readable"),
    ] {
        let sent = Sent { name, media_type, content };
        let refused = upload(&api, &owner, &[], &sent).await;
        assert_eq!(code(&refused), (422, "FILE_CONTENT_UNFIT"), "{why}: {}", refused.body);
        let error = &refused.body["errors"][0];
        assert_eq!(error["pointer"], "/file", "{}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains(why), "{}", refused.body);
    }
    made(
        &upload(&api, &owner, &[], &Sent { name: "x.xlsx", media_type: xlsx, content: &book })
            .await,
    );
    let body = json!({"name": "x.xlsx", "media_type": xlsx, "size_bytes": bomb.len()});
    let announced = api.post("/files/uploads", &owner, body).await;
    let path = format!("/files/uploads/{}", made(&announced));
    assert_eq!(part(&api, &path, &owner, (0, &bomb)).await.status, 204);
    let refused = api.post(&format!("{path}/complete"), &owner, json!({})).await;
    assert_eq!(code(&refused), (422, "FILE_CONTENT_UNFIT"), "{}", refused.body);
    let events = api.events().await;
    let (_, _, payload) = events.iter().find(|(_, kind, _)| kind == "files.file.refused").unwrap();
    assert_eq!(payload["reason"], "too_large_unpacked");
    assert_eq!(left_over(&api), 0);
    api.stop().await;
}

fn blobs_or_none(api: &Api) -> usize {
    if api.settings.data_dir.join("blobs").is_dir() { blobs(api) } else { 0 }
}

#[tokio::test]
async fn a_form_without_an_end_is_not_read_into_memory() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let endless = futures::stream::iter((0..64).map(move |_| std::io::Result::Ok(piece.clone())));
    let kind = [("content-type", "multipart/form-data; boundary=y")];
    let body = Body::from_stream(endless);
    let request = request(Method::POST, "/files", &owner, &kind).body(body).unwrap();
    assert_eq!(code(&send(&api.router, request).await), (400, "BODY_UNREADABLE"));
    api.stop().await;
}

#[tokio::test]
async fn a_quota_of_the_organisation_is_kept() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let set = json!({"value": 1});
    let path = "/settings/files.organization_quota_mib";
    let set = api.call(Method::PUT, path, &owner, set).await;
    assert_eq!(set.status, 200, "{}", set.body);
    let text = |letter: u8| vec![letter; 700 * 1024];
    let (file, next) = (text(b'a'), text(b'b'));
    let large = |content| Sent { name: "x.txt", media_type: "text/plain", content };
    let first = made(&upload(&api, &owner, &[], &large(&file)).await);
    let refused = upload(&api, &owner, &[], &large(&next)).await;
    assert_eq!(code(&refused), (409, "FILE_ORGANIZATION_QUOTA_EXCEEDED"));
    let path = format!("/files/{first}");
    let deleted = api.call(Method::DELETE, &path, &owner, json!({})).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    made(&upload(&api, &owner, &[], &large(&next)).await);
    api.stop().await;
}

#[tokio::test]
async fn whoever_may_not_read_a_file_is_told_of_none() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, nobody) = api.newcomer("acme", &owner, "nobody").await;
    let (user, clerk) = api.newcomer("acme", &owner, "clerk").await;
    let role = json!({"name": "Clerk", "permissions": ["files.files:use"]});
    assert_eq!(api.post("/rbac/roles", &owner, role).await.status, 201);
    let assigned = json!({"user_id": user, "role_id": role_of(&api, "Clerk").await});
    let assigned = api.post("/rbac/assign", &owner, assigned).await;
    assert!(assigned.status.is_success(), "{}", assigned.body);
    let file = made(&upload(&api, &owner, &[], &TABLE).await);
    let about = json!({"subject": {"type": "identity.user", "id": user}, "role": "photo"});
    let (links, downloads) = (format!("/files/{file}/links"), format!("/files/{file}/downloads"));
    assert_eq!(api.post(&downloads, &nobody, json!({})).await.status, 403);
    assert_eq!(code(&api.post(&downloads, &clerk, json!({})).await), (404, "NOT_FOUND"));
    assert_eq!(code(&api.post(&links, &clerk, about.clone()).await), (404, "NOT_FOUND"));
    let linked = api.post(&links, &owner, about.clone()).await;
    assert_eq!(linked.status, 200, "{}", linked.body);
    let fetched = api.post(&downloads, &clerk, json!({})).await;
    assert_eq!(fetched.status, 201, "whoever a file is about reads it: {}", fetched.body);
    let path = format!("/files/{file}");
    let kept = api.call(Method::DELETE, &path, &owner, json!({})).await;
    assert_eq!(code(&kept), (409, "FILE_LINKED"));
    let not_theirs = api.call(Method::DELETE, &path, &clerk, json!({})).await;
    assert_eq!(not_theirs.status, 403, "{}", not_theirs.body);
    let flagged = json!({"reason": "looks wrong"});
    assert_eq!(api.post(&format!("{path}/flag"), &owner, flagged).await.status, 200);
    assert_eq!(code(&api.post(&downloads, &clerk, json!({})).await), (409, "FILE_HELD"));
    assert_eq!(api.post(&downloads, &owner, json!({})).await.status, 201);
    let stranger = json!({"subject": {"type": "identity.user", "id": file}, "role": "photo"});
    let unknown = api.post(&links, &owner, stranger).await;
    assert_eq!(code(&unknown), (422, "FILE_SUBJECT_UNKNOWN"));
    api.stop().await;
}

async fn role_of(api: &Api, name: &str) -> String {
    let events = api.events().await;
    let created = events
        .iter()
        .find(|(_, kind, payload)| kind == "rbac.policy.role_created" && payload["name"] == name);
    created.unwrap().2["role_id"].as_str().unwrap().to_owned()
}

async fn announced(api: &Api, token: &str, size_bytes: usize) -> String {
    let body = json!({"name": "people.csv", "media_type": "text/csv", "size_bytes": size_bytes});
    let announced = api.post("/files/uploads", token, body).await;
    let location = announced.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("/api/v1/files/uploads/{}", made(&announced)));
    location.trim_start_matches("/api/v1").to_owned()
}

async fn part(api: &Api, path: &str, token: &str, (at, bytes): (usize, &[u8])) -> Answer {
    let headers = [("upload-offset", &*at.to_string()), ("content-type", PART)];
    let request = request(Method::PATCH, path, token, &headers);
    send(&api.router, request.body(Body::from(bytes.to_vec())).unwrap()).await
}

async fn offset(api: &Api, path: &str, token: &str) -> String {
    let request = request(Method::HEAD, path, token, &[("tus-resumable", "1.0.0")]);
    let answer = send(&api.router, request.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["tus-resumable"]),
        (200, &"1.0.0".parse().unwrap())
    );
    answer.headers["upload-offset"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn parts_come_in_order_and_once_and_make_the_file_that_was_announced() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let path = announced(&api, &owner, CSV.len()).await;
    assert_eq!(offset(&api, &path, &owner).await, "0");
    assert_eq!(
        code(&part(&api, &path, &owner, (4, &CSV[4..])).await),
        (409, "UPLOAD_OFFSET_WRONG")
    );
    assert_eq!(part(&api, &path, &owner, (0, &CSV[..10])).await.status, 204);
    for at in [0, 5, 11] {
        let refused = part(&api, &path, &owner, (at, &CSV[at..])).await;
        assert_eq!(code(&refused), (409, "UPLOAD_OFFSET_WRONG"), "{at}");
        assert_eq!(refused.body["params"]["offset"], 10);
    }
    let complete = format!("{path}/complete");
    let early = api.post(&complete, &owner, json!({})).await;
    assert_eq!(code(&early), (422, "FILE_SIZE_MISMATCH"));
    let long = [&CSV[10..], b"x"].concat();
    assert_eq!(code(&part(&api, &path, &owner, (10, &long)).await), (413, "BODY_TOO_LARGE"));
    assert_eq!(offset(&api, &path, &owner).await, "10");
    assert_eq!(part(&api, &path, &owner, (10, &CSV[10..])).await.status, 204);
    let wrong = api.post(&complete, &owner, json!({"sha256": "0f".repeat(32)})).await;
    assert_eq!(code(&wrong), (422, "FILE_DIGEST_MISMATCH"));
    let sha256 = hex::encode(Sha256::digest(CSV));
    let stored = api.post(&complete, &owner, json!({"sha256": sha256})).await;
    assert_eq!(stored.status, 200, "{}", stored.body);
    let again = api.post(&complete, &owner, json!({})).await;
    assert_eq!((again.status.as_u16(), &again.body["events"]), (200, &json!([])));
    assert_eq!(offset(&api, &path, &owner).await, CSV.len().to_string());
    let late = part(&api, &path, &owner, (CSV.len(), b"x")).await;
    assert_eq!(code(&late), (409, "FILE_NOT_UPLOADING"));
    api.stop().await;
}

#[tokio::test]
async fn a_part_that_arrives_otherwise_or_breaks_off_is_known() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let path = announced(&api, &owner, CSV.len()).await;
    let summed = |sum: String, bytes: &[u8]| {
        let headers =
            [("upload-offset", "0"), ("content-type", PART), ("upload-checksum", sum.as_str())];
        let body = Body::from(bytes.to_vec());
        request(Method::PATCH, &path, &owner, &headers).body(body).unwrap()
    };
    let sum = |bytes: &[u8]| format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)));
    let wrong = send(&api.router, summed(sum(b"else"), CSV)).await;
    assert_eq!(code(&wrong), (460, "UPLOAD_CHECKSUM_WRONG"));
    let unknown = send(&api.router, summed("md5 x".into(), CSV)).await;
    assert_eq!(code(&unknown), (400, "UPLOAD_CHECKSUM_INVALID"));
    assert_eq!(offset(&api, &path, &owner).await, "0");
    let broken = futures::stream::iter([
        Ok(Bytes::from_static(&CSV[..7])),
        Err(std::io::Error::other("the connection broke")),
    ]);
    let headers = [("upload-offset", "0"), ("content-type", PART)];
    let cut = request(Method::PATCH, &path, &owner, &headers).body(Body::from_stream(broken));
    assert_eq!(code(&send(&api.router, cut.unwrap()).await), (400, "BODY_UNREADABLE"));
    assert_eq!(offset(&api, &path, &owner).await, "7", "what came stays");
    let other = [("upload-offset", "7"), ("content-type", PART), ("tus-resumable", "0.2.2")];
    let other = request(Method::PATCH, &path, &owner, &other).body(Body::empty()).unwrap();
    assert_eq!(code(&send(&api.router, other).await), (412, "UPLOAD_VERSION_UNKNOWN"));
    let given_up = api.call(Method::DELETE, &path, &owner, json!({})).await;
    assert_eq!(given_up.status, 200, "{}", given_up.body);
    let late = part(&api, &path, &owner, (7, &CSV[7..])).await;
    assert_eq!(code(&late), (409, "FILE_NOT_UPLOADING"));
    api.stop().await;
}

#[tokio::test]
async fn a_file_in_parts_that_is_not_what_it_says_is_refused_for_good() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let page = b"<!DOCTYPE html><p>no table";
    let path = announced(&api, &owner, page.len()).await;
    assert_eq!(part(&api, &path, &owner, (0, page)).await.status, 204);
    let refused = api.post(&format!("{path}/complete"), &owner, json!({})).await;
    assert_eq!(code(&refused), (422, "FILE_CONTENT_UNFIT"));
    assert_eq!(api.count("files.file.refused").await, 1);
    assert_eq!(blobs_or_none(&api), 0);
    api.stop().await;
}

/// Eight pixels by four, all red.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAECAIAAAA8r+mnAAAAEUlEQVR42mM4ISeHFTFQTwIAbv4ggT2otR8AAAAASUVORK5CYII=";

#[tokio::test]
async fn only_a_logo_that_the_requester_may_read_stands_on_a_document() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let picture = STANDARD.decode(PICTURE).unwrap();
    let png = Sent { name: "sign.png", media_type: "image/png", content: &picture };
    let gif =
        Sent { name: "sign.gif", media_type: "image/gif", content: b"GIF89a\x01\0\x01\0\0\0\0," };
    let logo = made(&upload(&api, &owner, &[("purpose", "logo")], &png).await);
    let photo = made(&upload(&api, &owner, &[("purpose", "photo")], &png).await);
    let moving = made(&upload(&api, &owner, &[("purpose", "logo")], &gif).await);
    let nothing = "0199c200-1d2a-7e10-8f1e-00000000dead".to_owned();
    let ask = async |token: &str, logo: &str| {
        let wish = json!({"dataset": "identity.users", "layout": {"logo": logo}});
        api.post("/exports/pdf", token, wish).await
    };
    assert_eq!(ask(&owner, &logo).await.status, 201);
    for (other, remedy) in
        [(&photo, "purpose logo"), (&moving, "neither PNG nor JPEG"), (&nothing, "names no file")]
    {
        let refused = ask(&owner, other).await;
        assert_eq!(code(&refused), (422, "EXPORT_LAYOUT_INVALID"), "{}", refused.body);
        assert_eq!(refused.body["errors"][0]["pointer"], "/layout/logo");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.starts_with("layout.logo") && detail.contains(remedy), "{detail}");
    }
    let role = json!({"name": "Clerk", "level": 50,
        "permissions": ["exports.files:request", "identity.users:read", "files.files:use"]});
    let role = made(&api.post("/rbac/roles", &owner, role).await);
    let (user, clerk) = api.newcomer("acme", &owner, "clerk").await;
    let held = json!({"user_id": user, "role_id": role});
    assert_eq!(api.post("/rbac/assign", &owner, held).await.status, 200);
    let refused = ask(&clerk, &logo).await;
    assert!(
        refused.body["detail"].as_str().unwrap().contains("that you may read"),
        "{}",
        refused.body
    );
    let own = made(&upload(&api, &clerk, &[("purpose", "logo")], &png).await);
    assert_eq!(ask(&clerk, &own).await.status, 201);
}
