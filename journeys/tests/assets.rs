//! Assets from their registration to their end: one tag each, counters that only grow and what they set off, and who sees what.

use std::time::Duration;

use futures::future::join_all;
use journeys::{Client, House, Reply, Resident};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const NORTH: &str = "0190a000-0000-7000-8000-00000000000a";
const HALL: &str = "0190a000-0000-7000-8000-00000000000b";
const SOUTH: &str = "0190a000-0000-7000-8000-00000000000d";
const READ: &str = "maintenance.assets:read";
const MANAGE: &str = "maintenance.assets:manage";
const WORK: &str = "maintenance.tasks:work";

/// An organisation with North, which has a hall, and South.
async fn with_units(owner: &Client) -> anyhow::Result<()> {
    for (id, code, parent) in
        [(NORTH, "north", None), (HALL, "hall", Some(NORTH)), (SOUTH, "south", None)]
    {
        let unit =
            json!({"id": id, "kind": "site", "code": code, "name": code, "parent_id": parent});
        owner.post(&format!("/organizations/{}/units", owner.tenant_id), &unit).await?.ok()?;
    }
    Ok(())
}

/// Somebody who may so much in a unit.
async fn person(owner: &Client, name: &str, may: &[&str], unit: &str) -> anyhow::Result<Client> {
    let user = owner.newcomer("acme", name).await?;
    let role = json!({"name": name, "level": 10, "permissions": may});
    let role = owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned();
    let held = json!({"user_id": user.user_id, "role_id": role, "unit_id": unit});
    owner.post("/rbac/assign", &held).await?.ok()?;
    Ok(user)
}

async fn register(client: &Client, tag: &str, unit: Option<&str>) -> anyhow::Result<String> {
    let asset = json!({"tag": tag, "name": format!("Asset {tag}"), "unit_id": unit});
    Ok(client.post("/assets", &asset).await?.ok()?.made().to_owned())
}

async fn read(client: &Client, asset: &str, reading: Value) -> anyhow::Result<Reply> {
    client.post(&format!("/assets/{asset}/usage"), &reading).await
}

async fn share(client: &Client, asset: &str, sharing: &Value) -> anyhow::Result<Reply> {
    client.command(Method::PUT, &format!("/assets/{asset}/sharing"), sharing, &[]).await
}

fn refused(reply: &Reply, status: u16, code: &str, pointer: &str) {
    assert_eq!((reply.status, reply.body["code"].as_str()), (status, Some(code)), "{}", reply.text);
    let at = reply.body.pointer("/errors/0/pointer").and_then(Value::as_str).unwrap_or_default();
    assert_eq!(at, pointer, "{}", reply.text);
}

/// The tags in somebody's list, once it shows what `after` did.
async fn tags(client: &Client, after: &Reply) -> anyhow::Result<Vec<String>> {
    let list = client.get_after("/assets", after).await?.ok()?;
    let items = list.body["items"].as_array().cloned().unwrap_or_default();
    Ok(items.iter().map(|item| item["tag"].as_str().unwrap_or_default().to_owned()).collect())
}

#[tokio::test]
async fn an_asset_has_a_tag_of_its_own_though_many_ask_for_it_at_once() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::SecondCommandApi)?;
    house.answers(&format!("{}/readyz", house.second_command_url)).await?;
    let owner = house.found("acme").await?;
    let second = owner.at(&house.second_command_url);
    let asked = (0..16).map(|number| {
        let client = if number % 2 == 0 { &owner } else { &second };
        let asset = json!({"tag": if number % 3 == 0 { "P-7" } else { "p-7" }, "name": "Pump"});
        async move { client.post("/assets", &asset).await }
    });
    let replies = join_all(asked).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let (made, others): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!(made.len(), 1, "{replies:?}");
    for reply in others {
        assert_eq!((reply.status, &reply.body["code"]), (409, &json!("ASSET_TAG_TAKEN")));
    }
    let asset = made[0].made().to_owned();
    let path = format!("/assets/{asset}");
    let other = register(&owner, "P-8", None).await?;
    let amend = async |asset: &str, body: Value| {
        owner.command(Method::PATCH, &format!("/assets/{asset}"), &body, &[]).await
    };
    assert_eq!(amend(&other, json!({"tag": "P-7"})).await?.body["code"], "ASSET_TAG_TAKEN");
    let whole = json!({"tag": "P-9", "name": "Main pump", "category": "pumps", "warranty_until": "2030-01-31",
        "cost": {"amount": "1250.5", "currency": "EUR"}});
    let changed = amend(&asset, whole).await?.ok()?;
    let types: Vec<&str> = changed.body["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["type"].as_str())
        .collect();
    assert_eq!(types, ["maintenance.asset.retagged", "maintenance.asset.amended"]);
    let shown = owner.get_after(&path, &changed).await?.ok()?.body;
    assert_eq!((&shown["tag"], &shown["cost_amount"]), (&json!("P-9"), &json!("1250.50")));
    let cleared = amend(&asset, json!({"category": null})).await?.ok()?;
    let shown = owner.get_after(&path, &cleared).await?.ok()?.body;
    assert_eq!(
        (&shown["category"], &shown["warranty_until"]),
        (&json!(null), &json!("2030-01-31"))
    );
    // The tag that it gave up is another's now, and what it was is known still.
    amend(&other, json!({"tag": "P-7"})).await?.ok()?;
    let before = owner.get(&format!("{path}?at_version=1")).await?.ok()?.body;
    assert_eq!(before["tag"].as_str().map(str::to_lowercase).as_deref(), Some("p-7"));
    let diff = owner.get(&format!("{path}/diff?from=3&to=4")).await?.ok()?.body;
    assert_eq!(diff["ops"][0]["path"], "/category", "{diff}");
    refused(&amend(&asset, json!({"name": " "})).await?, 422, "ASSET_NAME_INVALID", "/name");
    let cost = json!({"cost": {"amount": "1.005", "currency": "EUR"}});
    refused(&amend(&asset, cost).await?, 422, "ASSET_COST_INVALID", "/cost/amount");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn counters_grow_until_they_are_reset_and_what_is_retired_stays_as_it_is()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let asset = register(&owner, "P-7", None).await?;
    let of_hours = |reading: Value| {
        let mut body = json!({"counter": "hours"});
        for (name, value) in reading.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    };
    read(&owner, &asset, hours("12.5")).await?.ok()?;
    read(&owner, &asset, of_hours(json!({"delta": "0.25"}))).await?.ok()?;
    for (reading, code, pointer) in [
        (json!({"value": "12"}), "ASSET_USAGE_DECREASES", "/value"),
        (json!({"value": "13", "delta": "1"}), "ASSET_READING_INVALID", "/value"),
        (json!({}), "ASSET_READING_INVALID", "/value"),
        (json!({"delta": "1.0001"}), "ASSET_DELTA_INVALID", "/delta"),
        (json!({"value": "13", "at": "2126-01-01T00:00:00Z"}), "ASSET_READ_AHEAD", "/at"),
        (json!({"value": "13", "at": "2020-01-01T00:00:00Z"}), "ASSET_READ_BEFORE", "/at"),
        (json!({"counter": "Hours", "value": "1"}), "ASSET_COUNTER_INVALID", "/counter"),
    ] {
        refused(&read(&owner, &asset, of_hours(reading)).await?, 422, code, pointer);
    }
    let float = read(&owner, &asset, of_hours(json!({"value": 13.5}))).await?;
    assert_eq!(float.status, 422, "a number that is no text: {}", float.text);
    let path = format!("/assets/{asset}/usage");
    let again = json!({"counter": "hours", "reason": "new meter"});
    owner.post(&format!("{path}/reset"), &again).await?.ok()?;
    let last = read(&owner, &asset, hours("3")).await?.ok()?;
    let shown = owner.get_after(&path, &last).await?.ok()?.body;
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(1), "{shown}");
    let counter = &shown["items"][0];
    assert_eq!((&counter["value"], &counter["total"]), (&json!("3"), &json!("15.75")), "{counter}");
    assert_eq!((&counter["readings"], &counter["reset_reason"]), (&json!(3), &json!("new meter")));

    let retire = format!("/assets/{asset}/retire");
    owner.post(&retire, &json!({})).await?.ok()?;
    owner.post(&retire, &json!({})).await?.ok()?;
    let rename = json!({"name": "Old pump"});
    for reply in [
        read(&owner, &asset, hours("4")).await?,
        share(&owner, &asset, &sharing("organization", &[])).await?,
        owner.command(Method::PATCH, &format!("/assets/{asset}"), &rename, &[]).await?,
        owner.post(&format!("/assets/{asset}/move"), &json!({"unit_id": null})).await?,
        owner.post(&format!("{path}/reset"), &again).await?,
    ] {
        assert_eq!((reply.status, &reply.body["code"]), (409, &json!("ASSET_RETIRED")));
    }
    let taken = json!({"tag": "P-7", "name": "Another"});
    assert_eq!(owner.post("/assets", &taken).await?.body["code"], "ASSET_TAG_TAKEN");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_trigger_happens_once_for_the_thresholds_that_a_counter_passes() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::Workers)?;
    let owner = house.found("acme").await?;
    let (asset, other) =
        (register(&owner, "P-7", None).await?, register(&owner, "P-8", None).await?);
    let trigger = |counter: &str| {
        json!({
            "name": "Service", "modifiers": {"time_zone": "UTC"},
            "spec": {"kind": "usage", "subject": {"kind": "maintenance.asset", "id": asset},
                "counter": counter, "every": 250_000},
            "target": {"command": "backups_backup_request", "args": {"name": "service"}},
        })
    };
    let hours = owner.post("/triggers", &trigger("hours")).await?.ok()?.made().to_owned();
    let km = owner.post("/triggers", &trigger("km")).await?.ok()?.made().to_owned();
    let counted = |counter: &str, value: &str| json!({"counter": counter, "value": value});
    let fires = |wanted: u64| move |body: &Value| body["fires"] == wanted;
    let path = format!("/triggers/{hours}");
    read(&owner, &asset, counted("hours", "249.999")).await?.ok()?;
    read(&owner, &other, counted("hours", "9000")).await?.ok()?;
    house.idle(SOON).await?;
    assert_eq!(owner.get(&path).await?.ok()?.body["fires"], 0, "below, or another's");
    read(&owner, &asset, counted("hours", "250")).await?.ok()?;
    owner.until(&path, SOON, fires(1)).await?;
    // Several at once are one occurrence, which says how many; a reset takes nothing back and gives nothing again.
    read(&owner, &asset, counted("hours", "1010")).await?.ok()?;
    owner.until(&path, SOON, fires(2)).await?;
    let reset = json!({"counter": "hours", "reason": "new meter"});
    owner.post(&format!("/assets/{asset}/usage/reset"), &reset).await?.ok()?;
    read(&owner, &asset, counted("hours", "200")).await?.ok()?;
    house.idle(SOON).await?;
    assert_eq!(owner.get(&path).await?.ok()?.body["fires"], 2, "1210 in all");
    house.kill(Resident::Workers)?;
    house.kill(Resident::Workers)?;
    for value in ["230", "240", "250"] {
        read(&owner, &asset, counted("hours", value)).await?.ok()?;
    }
    house.move_in(Resident::Workers)?;
    owner.until(&path, SOON, fires(3)).await?;
    house.idle(SOON).await?;
    let pool = house.database().await?;
    let told: Vec<(i64, i64)> = sqlx::query_as(
        "select (payload ->> 'crossings')::bigint, (payload ->> 'reading')::bigint from log.events
          where event_type = 'scheduling.trigger.fired' order by position",
    )
    .fetch_all(&pool)
    .await?;
    assert_eq!(told[..2], [(1, 250_000), (3, 1_010_000)]);
    assert_eq!((told.len(), told[2].0), (3, 1), "{told:?}");
    pool.close().await;
    assert_eq!(owner.get(&format!("/triggers/{km}")).await?.ok()?.body["fires"], 0);
    house.stop().await;
    Ok(())
}

/// Who there is, and what belongs where.
struct Cast {
    /// The owner, whoever manages North, sees South, works in the hall, only belongs to the hall, and belongs nowhere.
    people: [Client; 6],
    /// The assets by their tags: of North, of the hall, of South.
    assets: [(&'static str, String); 3],
}

impl Cast {
    async fn meet(owner: Client) -> anyhow::Result<Self> {
        with_units(&owner).await?;
        let north = person(&owner, "north", &[READ, MANAGE], NORTH).await?;
        let south = person(&owner, "south", &[READ], SOUTH).await?;
        let hand = person(&owner, "hand", &[READ, WORK], HALL).await?;
        let guest = person(&owner, "guest", &["identity.organizations:read"], HALL).await?;
        let stranger = owner.newcomer("acme", "stranger").await?;
        let assets = [
            ("N-1", register(&north, "N-1", Some(NORTH)).await?),
            ("H-1", register(&north, "H-1", Some(HALL)).await?),
            ("S-1", register(&owner, "S-1", Some(SOUTH)).await?),
        ];
        Ok(Self { people: [owner, north, south, hand, guest, stranger], assets })
    }

    /// What each of them sees once `after` is shown: in the list, by id, of the past and of what is counted and shared alike.
    async fn see(&self, after: &Reply, expected: [&[&str]; 6]) -> anyhow::Result<()> {
        for (client, wanted) in self.people.iter().zip(expected) {
            assert_eq!(tags(client, after).await?, wanted);
            for (tag, id) in &self.assets {
                let status = if wanted.contains(tag) { 200 } else { 404 };
                for of in ["", "/history", "/usage", "/sharing", "?at_version=1"] {
                    let one = client.get_after(&format!("/assets/{id}{of}"), after).await?;
                    assert_eq!(one.status, status, "{tag}{of}: {}", one.text);
                }
            }
        }
        Ok(())
    }
}

const ALL: &[&str] = &["H-1", "N-1", "O-1", "S-1"];

fn sharing(visibility: &str, shares: &[(&str, &str, &str)]) -> Value {
    let share = |(kind, id, level): &(&str, &str, &str)| json!({"with": {"kind": kind, "id": id}, "level": level});
    json!({"visibility": visibility, "shares": shares.iter().map(share).collect::<Vec<_>>()})
}

fn hours(value: &str) -> Value {
    json!({"counter": "hours", "value": value})
}

#[tokio::test]
async fn whoever_may_in_a_unit_sees_what_is_there_and_others_what_is_shared() -> anyhow::Result<()>
{
    let house = House::start().await?;
    let cast = Cast::meet(house.found("acme").await?).await?;
    let [owner, north, south, hand, guest, stranger] = &cast.people;
    let [(_, pump), (_, drill), _] = &cast.assets;
    let beyond = json!({"tag": "S-2", "name": "Saw", "unit_id": SOUTH});
    assert_eq!(north.post("/assets", &beyond).await?.status, 403, "not hers to register there");
    assert_eq!(south.post("/assets", &beyond).await?.status, 403, "to see is not to manage");
    let last = owner.post("/assets", &json!({"tag": "O-1", "name": "Van"})).await?.ok()?;
    cast.see(&last, [ALL, &["H-1", "N-1"], &["S-1"], &["H-1"], &[], &[]]).await?;

    // Its unit's people, of the hall below as well, see the pump; South may work with it.
    let to_south = sharing("unit", &[("unit", SOUTH, "work")]);
    let told = share(north, pump, &to_south).await?.ok()?;
    assert_eq!(told.body["events"].as_array().map(Vec::len), Some(2), "{}", told.text);
    let same = share(north, pump, &to_south).await?.ok()?;
    assert_eq!(same.body["events"], json!([]), "nothing differs");
    let of_unit: &[&str] = &["N-1"];
    let shown = [ALL, &["H-1", "N-1"], &["N-1", "S-1"], &["H-1", "N-1"], of_unit, &[]];
    cast.see(&told, shown).await?;
    read(south, pump, hours("1")).await?.ok()?;
    let viewed = read(guest, pump, hours("2")).await?;
    assert_eq!((viewed.status, &viewed.body["code"]), (403, &json!("ASSET_BEYOND_LEVEL")));
    let hidden = read(stranger, pump, hours("2")).await?;
    assert_eq!((hidden.status, &hidden.body["code"]), (404, &json!("ASSET_UNKNOWN")));
    read(hand, drill, hours("2")).await?.ok()?;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn whom_it_is_shared_with_manages_it_and_nobody_keeps_what_is_taken_back()
-> anyhow::Result<()> {
    let house = House::start().await?;
    let cast = Cast::meet(house.found("acme").await?).await?;
    let [owner, north, south, _, _, stranger] = &cast.people;
    let [(_, pump), ..] = &cast.assets;
    register(owner, "O-1", None).await?;
    let managed = sharing("organization", &[("user", &stranger.user_id, "manage")]);
    let told = share(north, pump, &managed).await?.ok()?;
    let of_all: &[&str] = &["N-1"];
    let shown = [ALL, &["H-1", "N-1"], &["N-1", "S-1"], &["H-1", "N-1"], of_all, of_all];
    cast.see(&told, shown).await?;
    assert_eq!(read(south, pump, hours("3")).await?.status, 403, "to see is not to work");
    let rename = json!({"name": "Stranger's pump"});
    stranger.command(Method::PATCH, &format!("/assets/{pump}"), &rename, &[]).await?.ok()?;
    let (travel, away) = (format!("/assets/{pump}/move"), json!({"unit_id": SOUTH}));
    assert_eq!(stranger.post(&travel, &away).await?.status, 403, "not theirs over there");
    let lost = share(stranger, pump, &sharing("private", &[("user", NORTH, "view")])).await?;
    refused(&lost, 422, "ASSET_SHARED_WITH_NOBODY", "/shares");
    let told = share(stranger, pump, &sharing("private", &[])).await?.ok()?;
    cast.see(&told, [ALL, &["H-1", "N-1"], &["S-1"], &["H-1"], &[], &[]]).await?;
    assert_eq!(share(stranger, pump, &managed).await?.status, 404);

    // Moved, it is another's.
    assert_eq!(north.post(&travel, &away).await?.status, 403);
    let nowhere = json!({"unit_id": owner.user_id});
    refused(&owner.post(&travel, &nowhere).await?, 422, "ASSET_UNIT_UNKNOWN", "/unit_id");
    let moved = owner.post(&travel, &away).await?.ok()?;
    cast.see(&moved, [ALL, &["H-1"], &["N-1", "S-1"], &["H-1"], &[], &[]]).await?;
    house.stop().await;
    Ok(())
}

/// A file of the tags that somebody may see.
async fn exported(client: &Client) -> anyhow::Result<Vec<String>> {
    let ask = json!({"dataset": "maintenance.assets", "columns": ["tag"], "sort": "tag"});
    let asked = client.post("/exports/csv", &ask).await?.ok()?;
    let id = asked.made().to_owned();
    let done = |body: &Value| body["status"] != "queued" && body["status"] != "running";
    let job = client.until(&format!("/exports/jobs/{id}"), SOON, done).await?;
    anyhow::ensure!(job.body["status"] == "succeeded", "{}", job.text);
    let link = client.post(&format!("/exports/{id}/downloads"), &json!({})).await?.ok()?;
    let file = client.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
    let file = String::from_utf8(file)?;
    let cells = file.lines().map(|line| line.trim_start_matches('\u{feff}').trim_matches('"'));
    Ok(cells.filter(|cell| cell.contains('-')).map(str::to_owned).collect())
}

#[tokio::test]
async fn files_and_programs_get_no_further_than_permissions_go() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    with_units(&owner).await?;
    let north = person(&owner, "north", &[READ, "exports.files:request"], NORTH).await?;
    let stranger = owner.newcomer("acme", "stranger").await?;
    register(&owner, "N-1", Some(NORTH)).await?;
    let saw = register(&owner, "S-1", Some(SOUTH)).await?;
    let people = [("user", &*north.user_id, "manage"), ("user", &*stranger.user_id, "manage")];
    let told = share(&owner, &saw, &sharing("organization", &people)).await?.ok()?;
    assert_eq!(tags(&north, &told).await?, ["N-1", "S-1"]);
    assert_eq!(exported(&north).await?, ["N-1"], "what is shared is in no file");
    assert_eq!(exported(&owner).await?, ["N-1", "S-1"]);
    let ask = json!({"dataset": "maintenance.assets"});
    assert_eq!(stranger.post("/exports/csv", &ask).await?.status, 403);
    assert_eq!(tags(&stranger, &told).await?, ["S-1"]);
    assert_eq!(stranger.get("/events").await?.status, 403, "streams are let through by their own");

    // A program gets as far as its key, whatever is shared with its owner.
    let later = platform::clock::now() + Duration::from_hours(1);
    let key = async |scope: &[&str]| -> anyhow::Result<Client> {
        let key = json!({"name": "Meter", "scope": scope, "expires_at": later});
        let made = owner.post("/api-keys", &key).await?.ok()?;
        Ok(owner.with_token(made.body["token"].as_str().unwrap_or_default()))
    };
    let meter = key(&[WORK]).await?;
    assert_eq!(meter.get("/assets").await?.status, 403);
    read(&meter, &saw, hours("1")).await?.ok()?;
    let rename = json!({"name": "Meter's saw"});
    let renamed = meter.command(Method::PATCH, &format!("/assets/{saw}"), &rename, &[]).await?;
    assert_eq!(renamed.status, 403, "{}", renamed.text);

    // Of another organisation there is nothing.
    let other = house.found("globex").await?;
    let own = other.post("/assets", &json!({"tag": "N-1", "name": "Own"})).await?.ok()?;
    assert_eq!(tags(&other, &own).await?, ["N-1"]);
    for path in [format!("/assets/{saw}"), format!("/assets/{saw}/history")] {
        assert_eq!(other.get(&path).await?.status, 404, "{path}");
    }
    assert_eq!(read(&other, &saw, hours("9")).await?.status, 404);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_file_is_about_an_asset() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let asset = register(&owner, "P-7", None).await?;
    let about = format!("maintenance.asset:{asset}");
    let fields = [("purpose", "attachment"), ("subject", &*about), ("role", "manual")];
    let sent = owner.upload(&fields, ("manual.txt", "text/plain"), b"How it is kept up.").await?;
    let sent = sent.ok()?;
    let found = owner.get_after(&format!("/files?subject={about}"), &sent).await?.ok()?.body;
    assert_eq!(found["items"][0]["name"], "manual.txt", "{found}");
    let nothing = format!("maintenance.asset:{NORTH}");
    let fields = [("purpose", "attachment"), ("subject", &*nothing)];
    let lost = owner.upload(&fields, ("manual.txt", "text/plain"), b"How it is kept up.").await?;
    assert!(lost.status >= 400, "{}", lost.text);
    house.stop().await;
    Ok(())
}

/// What somebody gets of a file and of the comments on an asset.
async fn reads(client: &Client, file: &str, about: &str) -> anyhow::Result<(u16, u16)> {
    let content = client.get(&format!("/files/{file}/content")).await?;
    let comments = client.get(&format!("/comments?subject={about}")).await?;
    Ok((content.status, comments.status))
}

#[tokio::test]
async fn whoever_is_let_in_to_an_asset_reads_and_says_what_is_about_it() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    with_units(&owner).await?;
    let keeper = person(&owner, "keeper", &[READ], NORTH).await?;
    let guest = owner.newcomer("acme", "guest").await?;
    let desk = ["files.files:use", "collaboration.comments:use"];
    let desk = json!({"name": "Desk", "level": 5, "permissions": desk});
    let desk = owner.post("/rbac/roles", &desk).await?.ok()?.made().to_owned();
    for person in [&keeper, &guest] {
        let held = json!({"user_id": person.user_id, "role_id": desk});
        owner.post("/rbac/assign", &held).await?.ok()?;
    }
    let asset = register(&owner, "P-7", Some(NORTH)).await?;
    let about = format!("maintenance.asset:{asset}");
    let manual = ("manual.txt", "text/plain");
    let fields = [("purpose", "attachment"), ("subject", &*about)];
    let file = owner.upload(&fields, manual, b"How it is kept up.").await?.ok()?.made().to_owned();
    let on = json!({"type": "maintenance.asset", "id": asset});
    let comment = json!({"subject": on, "body": "It leaks."});
    let said = owner.post("/comments", &comment).await?.ok()?;

    assert_eq!(reads(&keeper, &file, &about).await?, (200, 200));
    let found = keeper.get_after(&format!("/files?subject={about}"), &said).await?.ok()?.body;
    assert_eq!(found["items"][0]["file_id"], file, "{found}");
    let found = keeper.get_after(&format!("/comments?subject={about}"), &said).await?.ok()?.body;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    keeper.post("/comments", &comment).await?.ok()?;
    keeper.upload(&fields, ("log.txt", "text/plain"), b"It was cleaned.").await?.ok()?;

    assert_eq!(reads(&guest, &file, &about).await?, (404, 403));
    assert_eq!(guest.post("/comments", &comment).await?.status, 403);
    let seen_by_guest = sharing("private", &[("user", &guest.user_id, "view")]);
    share(&owner, &asset, &seen_by_guest).await?.ok()?;
    assert_eq!(reads(&guest, &file, &about).await?, (200, 200));
    guest.post("/comments", &comment).await?.ok()?;
    share(&owner, &asset, &sharing("private", &[])).await?.ok()?;
    assert_eq!(reads(&guest, &file, &about).await?, (404, 403));
    house.stop().await;
    Ok(())
}
