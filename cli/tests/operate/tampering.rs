//! An auditor's package, kept elsewhere, against a superuser of the database.

use platform::transparency::Hash;
use platform::transparency::checkpoint::Checkpoint;
use platform::transparency::note::{self, VerifierKey};
use platform::transparency::proof::{Root, continues, includes};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use sqlx::Executor as _;
use uuid::Uuid;

use crate::house::{House, both, client, program, text};

const TAMPERINGS: usize = 300;

/// A house with a history, signed to its end, and a package of it.
struct Audited {
    house: House,
    tenant: Uuid,
    token: String,
    size: usize,
    /// The lines of the replay.
    original: Vec<String>,
}

impl Audited {
    async fn new() -> Self {
        let house = House::start().await;
        let matrix = house.file("matrix", "anna 1\nberta 2\ncarla 1\ndora 2\n");
        house.json(&["import", "access", text(&matrix)]).await;
        let token = house.token().await;
        house.with_workers();
        let signed = "select coalesce(bool_and(t.tenant_seq = s.size), false)
                        from log.tenants t left join audit.notary_states s using (tenant_id)";
        let whole = || async {
            sqlx::query_scalar(signed).fetch_one(&house.owner).await.unwrap_or_default()
        };
        house.until("the log is signed to its end", whole).await;
        let folder = house.path("package");
        let made = house.as_owner(&["audit", "package", text(&folder)]).output().await.unwrap();
        assert!(made.status.success(), "{}", both(&made));
        let (tenant, size): (Uuid, i64) =
            sqlx::query_as("select tenant_id, max(size) from audit.checkpoints group by 1")
                .fetch_one(&house.owner)
                .await
                .unwrap();
        sqlx::query("create table public.kept as select * from log.events")
            .execute(&house.owner)
            .await
            .unwrap();
        let size = usize::try_from(size).unwrap();
        let mut audited = Self { house, tenant, token, size, original: Vec::new() };
        audited.original = audited.export().await;
        let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
        let checkpoint: Checkpoint = note::unverified(&note).unwrap().parse().unwrap();
        audited.size = usize::try_from(checkpoint.size).unwrap();
        audited
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("{}/api/v1{path}", self.house.settings.query_url);
        client().get(url).bearer_auth(&self.token).send().await.unwrap()
    }

    async fn body(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// The history as it is now.
    async fn export(&self) -> Vec<String> {
        let replay = self.get("/events/replay").await.text().await.unwrap();
        replay.lines().map(str::to_owned).collect()
    }

    /// What `annals verify` finds in a history, with nothing but the package.
    async fn verify(&self, lines: &[String], leaves: bool) -> Value {
        let file = self.house.file("now", lines.join("\n"));
        let package = self.house.path("package");
        let (checkpoint, kept) = (package.join("checkpoint"), package.join("leaves"));
        let keys = std::fs::read_to_string(package.join("keys")).unwrap();
        let key = keys.lines().next().unwrap();
        let mut command = program();
        command.args(["verify", text(&file), "--json", "--key", key]);
        command.args(["--checkpoint", text(&checkpoint)]);
        if leaves {
            command.args(["--leaves", text(&kept)]);
        }
        let output = command.output().await.unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", both(&output)))
    }

    /// As a superuser, past every guard.
    async fn as_superuser(&self, statements: &[String]) {
        let mut connection = self.house.owner.acquire().await.unwrap();
        connection.execute("set session_replication_role = replica").await.unwrap();
        for sql in statements {
            connection.execute(sql.as_str()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        connection.execute("set session_replication_role = default").await.unwrap();
    }

    async fn put_right(&self) {
        let back = "insert into log.events select * from public.kept";
        self.as_superuser(&["delete from log.events".into(), back.into()]).await;
    }

    /// The chain computed anew over what stands there, by the log's own functions.
    fn rechain(&self) -> String {
        format!(
            "do $$ declare e record; head bytea := '\\x'; begin
               for e in select * from log.events where tenant_id = '{0}' order by position loop
                 head := log.link(head, '\\x',
                   int8send(e.tenant_seq) || int8send(e.sequence) || int8send((extract(epoch from e.recorded_at) * 1000000)::bigint),
                   log.digest(e.tenant_id, e.aggregate_type, e.aggregate_id, e.event_id, e.event_type, e.event_version, e.metadata::text, e.payload::text));
                 update log.events set chain = head where position = e.position;
               end loop; end $$",
            self.tenant
        )
    }

    /// Numbers without a gap.
    fn renumber(&self) -> String {
        format!(
            "update log.events e set tenant_seq = n.number from (select position, row_number() over (order by position) as number
               from log.events where tenant_id = '{0}') n where e.position = n.position and e.tenant_id = '{0}'",
            self.tenant
        )
    }

    fn tampering(&self, random: &mut StdRng) -> Vec<String> {
        let of = format!("tenant_id = '{}' and tenant_seq", self.tenant);
        let (at, other) = (random.random_range(1..=self.size), random.random_range(1..=self.size));
        let mut statements = match random.random_range(0..5) {
            0 => {
                let column = COLUMNS.choose(random).unwrap();
                vec![format!("update log.events set {column} where {of} = {at}")]
            }
            1 => vec![format!("delete from log.events where {of} = {at}")],
            2 => vec![
                format!("update log.events set position = position + 100000 where {of} >= {at}"),
                format!(
                    "insert into log.events select (select position from public.kept where {of} = {at}), tenant_id, {at},
                       aggregate_type, aggregate_id, sequence, gen_random_uuid(), event_type, event_version, payload,
                       metadata, recorded_at, chain from public.kept where {of} = {other}"
                ),
            ],
            3 => vec![format!(
                "update log.events e set payload = o.payload, metadata = o.metadata, event_id = o.event_id,
                   event_type = o.event_type, aggregate_type = o.aggregate_type, aggregate_id = o.aggregate_id
                   from public.kept o where e.tenant_id = o.tenant_id and o.tenant_id = '{}'
                    and (e.tenant_seq, o.tenant_seq) in (({at}, {other}), ({other}, {at}))",
                self.tenant
            )],
            _ => vec![format!("delete from log.events where {of} >= {at}")],
        };
        match random.random_range(0..3) {
            0 => {}
            1 => statements.push(self.rechain()),
            _ => statements.extend([self.renumber(), self.rechain()]),
        }
        statements
    }
}

/// Every column with another value.
const COLUMNS: &[&str] = &[
    "position = position + 100000",
    "tenant_id = gen_random_uuid()",
    "tenant_seq = tenant_seq + 1000",
    "aggregate_type = aggregate_type || 'x'",
    "aggregate_id = aggregate_id || 'x'",
    "sequence = sequence + 1",
    "event_id = gen_random_uuid()",
    "event_type = event_type || '_x'",
    "event_version = event_version || '0'",
    "payload = replace(payload::text, '\"type\":', '\"typo\":')::json",
    "metadata = replace(metadata::text, '\"actor_id\":', '\"actor\":')::json",
    "recorded_at = recorded_at + interval '1 microsecond'",
    "chain = sha256(chain)",
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_superuser_does_to_the_log_is_found_by_a_package_kept_elsewhere() {
    let audited = Audited::new().await;
    let whole = audited.verify(&audited.original, true).await;
    assert_eq!((&whole["ok"], &whole["covered"]), (&true.into(), &audited.size.into()), "{whole}");
    let mut random = StdRng::seed_from_u64(20_261_121);
    let mut tried = 0;
    while tried < TAMPERINGS {
        let statements = audited.tampering(&mut random);
        audited.as_superuser(&statements).await;
        let now = audited.export().await;
        audited.put_right().await;
        let pairs = now.iter().zip(&audited.original);
        let same = pairs.take_while(|(one, other)| one == other).count();
        if same >= audited.size {
            continue; // nothing that the checkpoint covers is another
        }
        tried += 1;
        let found = audited.verify(&now, true).await;
        let first = &found["fault"]["first_bad"];
        let expected = Value::from(same + 1);
        assert_eq!(
            (&first["from"], &first["to"]),
            (&expected, &expected),
            "{statements:?} {found}"
        );
        if tried % 10 == 0 {
            let alone = audited.verify(&now, false).await;
            assert_eq!(alone["ok"], false, "{statements:?}");
        }
    }
    // Workers may have told somebody something meanwhile, so there may be more than there was.
    assert!(audited.export().await.starts_with(&audited.original), "not put right");
    audited.house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_notary_says_over_http_what_it_signed_proves_it_and_tells_what_was_tampered_with() {
    let audited = Audited::new().await;
    let page = audited.body("/audit/checkpoints?limit=1").await;
    let keys = audited.body("/audit/keys").await;
    let key: VerifierKey = keys["items"][0]["vkey"].as_str().unwrap().parse().unwrap();
    assert_eq!(page["origin"], key.name());
    assert_eq!(page["notary"]["state"], "signing");
    let size = page["items"][0]["size"].as_u64().unwrap();
    let signed = audited.get(&format!("/audit/checkpoints/{size}")).await.text().await.unwrap();
    let opened = note::open(&signed, &[key]).unwrap();
    let checkpoint: Checkpoint = opened.parse().unwrap();
    assert_eq!(checkpoint.size, size);

    let leaves = audited.get(&format!("/audit/leaves?to={size}")).await.bytes().await.unwrap();
    assert_eq!(leaves.len() as u64, size * 32);
    for seq in [1, 2, size / 2, size] {
        let proof =
            audited.body(&format!("/audit/proofs/inclusion?tenant_seq={seq}&size={size}")).await;
        let leaf = hash(&proof["leaf_hash"]);
        let start = usize::try_from(seq - 1).unwrap() * 32;
        assert_eq!(leaf[..], leaves[start..start + 32]);
        assert!(includes(&leaf, seq - 1, size, &hashes(&proof["proof"]), &checkpoint.root));
        let line: Value =
            serde_json::from_str(&audited.original[usize::try_from(seq - 1).unwrap()]).unwrap();
        let by_id = format!(
            "/audit/proofs/inclusion?event_id={}&size={size}",
            line["event_id"].as_str().unwrap()
        );
        assert_eq!(audited.body(&by_id).await, proof);
    }
    let first = audited.body("/audit/checkpoints").await["items"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    let from = first["size"].as_u64().unwrap();
    let proof = audited.body(&format!("/audit/proofs/consistency?from={from}&to={size}")).await;
    let earlier = Root { size: from, hash: hash(&first["root"]) };
    let later = Root { size, hash: checkpoint.root };
    assert!(continues(&earlier, &later, &hashes(&proof["proof"])));
    for (path, status) in [
        ("/audit/checkpoints/0", 404),
        ("/audit/checkpoints/x", 404),
        ("/audit/proofs/inclusion", 400),
        ("/audit/proofs/inclusion?tenant_seq=0", 400),
        ("/audit/proofs/inclusion?tenant_seq=1&size=1000000", 400),
        ("/audit/proofs/inclusion?event_id=00000000-0000-0000-0000-000000000000", 404),
        ("/audit/proofs/consistency?from=0", 400),
        ("/audit/leaves?to=1000000", 400),
    ] {
        assert_eq!(audited.get(path).await.status(), status, "{path}");
    }

    let of = format!("tenant_id = '{}'", audited.tenant);
    let last = format!("tenant_seq = (select max(size) from audit.checkpoints where {of})");
    let edit = format!("update log.events set chain = sha256(chain) where {of} and {last}");
    audited.as_superuser(&[edit]).await;
    audited.house.token().await; // something happens, so that there is something to sign
    let told = || async {
        let page = audited.body("/audit/checkpoints").await;
        page["notary"]["state"] == "refusing"
    };
    audited.house.until("the notary refuses", told).await;
    let url = format!("{}/readyz", audited.house.settings.command_url);
    let ready = client().get(url).send().await.unwrap().text().await.unwrap();
    assert!(ready.contains("refuses to sign the log of 1 organisation"), "{ready}");
    audited.house.end().await;
}

fn hash(value: &Value) -> Hash {
    use base64::Engine as _;
    let text = value.as_str().unwrap();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap().try_into().unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}
