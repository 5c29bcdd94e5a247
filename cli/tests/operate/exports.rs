//! A file is asked for, waited for and fetched; what is wrong with the wish is said at once, and nothing is written over.

use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::house::{House, both, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_asked_for_waited_for_and_fetched_as_it_was_promised() {
    let house = House::start().await;
    house.with_workers();
    let matrix = house.file("matrix", "anna 1\nberta 2\ncarla 1\n");
    house.json(&["import", "access", text(&matrix)]).await;

    let users = house.path("users.csv");
    let create = ["export", "create", "identity.users", "--columns", "handle,status"];
    let sorted = ["--sort", "-handle", "--filter", "handle != \"owner\"", "--output", text(&users)];
    let fetched = house.json(&[&create[..], &sorted].concat()).await;
    let written = std::fs::read(&users).unwrap();
    assert_eq!(fetched["sha256"], hex::encode(Sha256::digest(&written)));
    assert_eq!(fetched["size_bytes"], written.len());
    let rows = String::from_utf8(written.clone()).unwrap();
    let handles = rows.lines().skip(1).filter_map(|row| row.split([',', ';']).next());
    assert_eq!(handles.collect::<Vec<_>>(), ["carla", "berta", "anna"], "{rows}");

    let id = fetched["export_id"].as_str().unwrap();
    let waited = house.json(&["export", "wait", id]).await;
    assert_eq!((&waited["state"], &waited["progress"]["done"]), (&"succeeded".into(), &3.into()));
    let again = ["export", "download", id, "--output", text(&users)];
    let refused = house.as_owner(&again).output().await.unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(both(&refused).contains("is there already"), "{}", both(&refused));

    let folder = house.path("files");
    std::fs::create_dir(&folder).unwrap();
    let into = house.json(&["export", "download", id, "--output", text(&folder)]).await;
    let file = Path::new(into["file"].as_str().unwrap());
    assert_eq!((file.parent(), file.extension()), (Some(&*folder), Some("csv".as_ref())));
    assert_eq!(std::fs::read(file).unwrap(), written);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_made_by_the_template_of_a_name_and_by_what_is_said_besides() {
    let house = House::start().await;
    house.with_workers();
    let named = "People \"here\"";
    let template = json!({"name": named, "dataset": "identity.users", "columns": ["handle"],
        "title": "Who is here"});
    house.send(reqwest::Method::POST, "/exports/templates", template).await;
    let file = house.path("people.csv");
    let create = ["export", "create", "--template", named, "--output", text(&file)];
    house.json(&create).await;
    let rows = std::fs::read_to_string(&file).unwrap();
    assert_eq!(rows.trim_start_matches('\u{feff}'), "Handle\r\nowner\r\n");
    let other = house.path("other.csv");
    let create = ["export", "create", "--template", named, "--columns", "handle,status"];
    house.json(&[&create[..], &["--output", text(&other)]].concat()).await;
    assert!(std::fs::read_to_string(&other).unwrap().contains("Status"));
    let unknown = house.as_owner(&["export", "create", "--template", "Nobody"]).output().await;
    let unknown = unknown.unwrap();
    assert!(both(&unknown).contains("there is no template called Nobody"), "{}", both(&unknown));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_or_is_not_there_is_said() {
    let house = House::start().await;
    for (arguments, told) in [
        (vec!["export", "create", "identity.people"], "DATASET_UNKNOWN"),
        (
            vec!["export", "create", "identity.users", "--columns", "shoe_size"],
            "there is no column",
        ),
        (vec!["export", "wait", "0198c200-1d2a-7e10-8f1e-2b7e9a6d3c44"], "there is no such job"),
    ] {
        let refused = house.as_owner(&arguments).output().await.unwrap();
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(both(&refused).contains(told), "{arguments:?}: {}", both(&refused));
    }
    house.end().await;
}
