//! A replay verifies offline, and an edited one does not.

use crate::house::{House, both, program, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_verified_without_the_house_and_an_edited_one_is_not() {
    let house = House::start().await;
    let matrix = house.file("matrix", "anna 1\nberta 2\ncarla 1\n");
    house.json(&["import", "access", text(&matrix)]).await;
    let replay = house.as_owner(&["events", "replay"]).output().await.unwrap();
    assert!(replay.status.success(), "{}", both(&replay));
    let written = house.file("replay", &replay.stdout);

    let verify = |arguments: Vec<String>| async move {
        program().arg("verify").args(arguments).output().await.unwrap()
    };
    let whole = verify(vec![text(&written).into()]).await;
    assert!(whole.status.success(), "{}", both(&whole));
    let report = both(&whole);
    let line = report.lines().nth(1).unwrap().to_owned();
    let mut words = line.split_whitespace().skip(1);
    let (events, head) = (words.next().unwrap(), words.next().unwrap());
    let original = String::from_utf8(replay.stdout).unwrap();
    assert_eq!(events, original.lines().count().to_string());
    let with_head = verify(vec![text(&written).into(), "--head".into(), head.into()]).await;
    assert!(with_head.status.success(), "{}", both(&with_head));

    let (was, made) = (r#""locale":"en""#, r#""locale":"de""#);
    let edited = house.file("edited", original.replacen(was, made, 1));
    let found = verify(vec![text(&edited).into()]).await;
    assert_eq!(found.status.code(), Some(1));
    let altered = original.lines().position(|line| line.contains(was)).unwrap() + 1;
    assert!(both(&found).contains(&format!("line {altered}: it was altered")), "{}", both(&found));

    let cut: Vec<&str> = original.lines().collect();
    let cut = house.file("cut", cut[..cut.len() - 1].join("\n"));
    assert!(verify(vec![text(&cut).into()]).await.status.success());
    let found = verify(vec![text(&cut).into(), "--head".into(), head.into()]).await;
    assert_eq!(found.status.code(), Some(1), "{}", both(&found));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_history_is_replayed_and_goes_on_from_the_other() {
    let house = House::start().await;
    let matrix = house.file("matrix", "anna 1\nberta 2\n");
    house.json(&["import", "access", text(&matrix)]).await;
    let part = |arguments: &'static [&'static str]| {
        let house = &house;
        async move {
            let all = [&["events", "replay"], arguments].concat();
            let output = house.as_owner(&all).output().await.unwrap();
            assert!(output.status.success(), "{}", both(&output));
            output.stdout
        }
    };
    let early = house.file("early", part(&["--to", "4"]).await);
    let late = house.file("late", part(&["--from", "5"]).await);
    let report = program().args(["verify", text(&early), "--json"]).output().await.unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    let tenant = &report["tenants"][0];
    assert_eq!((&report["ok"], &tenant["last_seq"]), (&true.into(), &4.into()));
    let head = format!("4:{}", tenant["chain"].as_str().unwrap());
    let alone = program().args(["verify", text(&late)]).output().await.unwrap();
    assert_eq!(alone.status.code(), Some(1));
    let after = program().args(["verify", text(&late), "--after", &head]).output().await.unwrap();
    assert!(after.status.success(), "{}", both(&after));
    house.end().await;
}
