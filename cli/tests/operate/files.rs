//! Files are sent, shown, linked, fetched and deleted; what cannot be is said with its remedy.

use serde_json::{Value, json};

use crate::house::{House, both, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_sent_linked_fetched_and_deleted() {
    let house = House::start().await;
    let path = house.file("agreement.txt", "What was agreed on.\n");
    let tenant: String = sqlx::query_scalar("select tenant_id::text from log.tenants limit 1")
        .fetch_one(&house.owner)
        .await
        .unwrap();
    let subject = format!("identity.organization:{tenant}");
    let upload = ["files", "upload", text(&path), "--name", "Agreement.txt", "--subject", &subject];
    let sent = house.json(&[&upload[..], &["--role", "proof"]].concat()).await;
    let file = sent["file_id"].as_str().unwrap();
    assert_eq!((&sent["name"], &sent["size_bytes"]), (&json!("Agreement.txt"), &json!(20)));

    let shown = house.json(&["files", "show", file]).await;
    assert_eq!((&shown["status"], &shown["media_type"]), (&json!("stored"), &json!("text/plain")));
    assert_eq!(shown["links"][0]["role"], "proof", "{shown}");
    let about = house.json(&["files", "list", "--subject", &subject]).await;
    assert_eq!(about.as_array().map(Vec::len), Some(1), "{about}");
    let none = house.json(&["files", "list", "--filter", "purpose = photo"]).await;
    assert_eq!(none, Value::Array(Vec::new()));
    let linked = house.as_owner(&["files", "delete", file]).output().await.unwrap();
    assert!(both(&linked).contains("unlink it from them first (FILE_LINKED)"), "{}", both(&linked));

    let folder = house.path("fetched");
    std::fs::create_dir(&folder).unwrap();
    let fetched = house.json(&["files", "download", file, "--output", text(&folder)]).await;
    assert_eq!(fetched["file"], json!(folder.join("Agreement.txt")));
    assert_eq!(std::fs::read(folder.join("Agreement.txt")).unwrap(), b"What was agreed on.\n");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");

    house.json(&["files", "unlink", file, &subject]).await;
    house.json(&["files", "link", file, &subject, "--role", "minutes"]).await;
    house.json(&["files", "unlink", file, &subject]).await;
    house.json(&["files", "delete", file]).await;
    assert_eq!(house.json(&["files", "show", file]).await["status"], "deleted");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_or_fetched_is_said() {
    let house = House::start().await;
    let page = house.file("page.png", "<!DOCTYPE html><script>alert(1)</script>");
    let (page, folder) = (text(&page), house.path("."));
    let nowhere = "0198c200-1d2a-7e10-8f1e-2b7e9a6d3c44";
    for (arguments, status, told) in [
        (vec!["files", "upload", text(&folder)], 1, "is no file; name one"),
        (vec!["files", "upload", page, "--name", "a/b"], 1, "--name is a path"),
        (vec!["files", "upload", page, "--purpose", "fun"], 2, "there are attachment, logo"),
        (vec!["files", "upload", page, "--subject", "x"], 2, "subject must be a type and an id"),
        (vec!["files", "upload", page, "--media-type", "image/png"], 1, "FILE_CONTENT_UNFIT"),
        (vec!["files", "download", nowhere], 1, "NOT_FOUND"),
        (vec!["files", "show", nowhere], 1, "NOT_FOUND"),
    ] {
        let refused = house.as_owner(&arguments).output().await.unwrap();
        assert_eq!(refused.status.code(), Some(status), "{arguments:?}: {}", both(&refused));
        assert!(both(&refused).contains(told), "{arguments:?}: {}", both(&refused));
    }
    assert_eq!(house.count("files.file.stored").await, 0);
    house.end().await;
}
