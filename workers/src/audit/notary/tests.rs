//! The notary over a real Postgres: what it signs is right, and what was tampered with it does not sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::UserId;
use events::identity::user::{Event as UserEvent, User};
use events::testing::id;
use platform::chain;
use platform::log::{COLUMNS, recorded};
use platform::testkit::TestDatabase;
use platform::transparency::checkpoint::Checkpoint;
use platform::transparency::proof::{Root, consistency_path, continues};
use platform::transparency::tree::{Edge, TileId, Tiles};
use platform::transparency::{leaf, note};
use sqlx::Executor as _;
use sqlx::{Connection as _, PgPool, Row as _};

use super::*;
use crate::testing::Log;

struct Office {
    log: Log,
    /// With the login that migrated, past every guard.
    superuser: PgPool,
    notary: PgConnection,
    seal: Seal,
    master: MasterKey,
}

/// A door behind which nobody listens.
fn nobody() -> Commands {
    Commands::new("http://127.0.0.1:9", "workers", "unheard").unwrap()
}

fn tenant(number: u128) -> TenantId {
    id(number)
}

impl Office {
    async fn new() -> Self {
        let log = Log::new().await;
        let superuser = PgPool::connect(&log.database.url).await.unwrap();
        let mut notary = db::connect_alone(&log.database.url, Role::Notary).await.unwrap();
        let master = MasterKey::parse(&STANDARD.encode([9; 32])).unwrap();
        let seal = Seal::load(&mut notary, &master).await.unwrap();
        Self { log, superuser, notary, seal, master }
    }

    /// Events of an organisation.
    async fn happen(&self, of: u128, count: usize) {
        let renamed = |n| UserEvent::Renamed { display_name: format!("Zoë {n}") };
        let registered = UserEvent::Registered {
            handle: format!("user{of}"),
            display_name: "Zoë".into(),
            email: None,
            locale: "en".into(),
            time_zone: "Europe/Zurich".into(),
        };
        let first = self.count(of).await == 0;
        let events =
            (0..count).map(|n| if first && n == 0 { registered.clone() } else { renamed(n) });
        let events: Vec<UserEvent> = events.collect();
        self.log.append::<User>(tenant(of), id::<UserId>(of), &events).await;
    }

    async fn count(&self, of: u128) -> i64 {
        sqlx::query_scalar("select count(*) from log.events where tenant_id = $1")
            .bind(tenant(of).0)
            .fetch_one(&self.superuser)
            .await
            .unwrap()
    }

    async fn sign(&mut self, of: u128) -> Result<i64, Trouble> {
        sign::sign(&mut self.notary, &self.seal, &origin(of)).await
    }

    async fn refusal(&mut self, of: u128) -> Refusal {
        match self.sign(of).await {
            Err(Trouble::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// Does to the log what its guards forbid.
    async fn tamper(&self, sql: &str) {
        let mut connection = self.superuser.acquire().await.unwrap();
        connection.execute("set session_replication_role = replica").await.unwrap();
        assert!(connection.execute(sql).await.unwrap().rows_affected() > 0, "{sql}");
        connection.execute("set session_replication_role = default").await.unwrap();
    }

    async fn checkpoints(&self, of: u128) -> Vec<Checkpoint> {
        let sql = "select note from audit.checkpoints where tenant_id = $1 order by size";
        let notes: Vec<String> =
            sqlx::query_scalar(sql).bind(tenant(of).0).fetch_all(&self.superuser).await.unwrap();
        notes
            .iter()
            .map(|signed| self.seal.open(signed, &origin(of)).unwrap().parse().unwrap())
            .collect()
    }

    async fn tiles(&self, of: u128) -> Tiles {
        let rows =
            sqlx::query("select level, tile, hashes from audit.tree_tiles where tenant_id = $1")
                .bind(tenant(of).0)
                .fetch_all(&self.superuser)
                .await
                .unwrap();
        let mut tiles = Tiles::default();
        for row in rows {
            let (level, tile): (i16, i64) = (row.get(0), row.get(1));
            let id = TileId { level: level.try_into().unwrap(), tile: tile.try_into().unwrap() };
            tiles.insert(id, row.get(2));
        }
        tiles
    }

    async fn end(self) {
        self.superuser.close().await;
        self.notary.close().await.unwrap();
        self.log.database.drop_now().await.unwrap();
    }
}

const LEADERS: &str = "select count(*) from pg_locks where locktype = 'advisory' and granted
    and database = (select oid from pg_database where datname = current_database())";

fn origin(of: u128) -> Origin {
    Origin::new("https://annals.example", tenant(of), 1)
}

#[tokio::test]
async fn every_checkpoint_has_the_root_of_its_events_and_goes_on_from_the_one_before() {
    let mut office = Office::new().await;
    let mut size = 0;
    for more in [1, 2, 252, 1, 1, 300, 1_500] {
        office.happen(1, more).await;
        office.happen(2, 1).await;
        size += i64::try_from(more).unwrap();
        assert_eq!(office.sign(1).await.unwrap(), size);
    }
    let sql = format!("select {COLUMNS} from log.events e where tenant_id = $1 order by position");
    let rows = sqlx::query(&sql).bind(tenant(1).0).fetch_all(&office.superuser).await.unwrap();
    let (mut edge, tiles) = (Edge::default(), office.tiles(1).await);
    let checkpoints = office.checkpoints(1).await;
    let mut next = checkpoints.iter().peekable();
    for row in rows {
        let event = recorded(&row).unwrap();
        edge.push(leaf(event.position, &chain::covered(&event), &event.chain));
        let Some(checkpoint) = next.next_if(|next| next.size == edge.size()) else { continue };
        assert_eq!(checkpoint.root, edge.root());
    }
    assert_eq!(next.next(), None, "all were compared");
    for (from, to) in
        checkpoints.iter().flat_map(|to| checkpoints.iter().map(move |from| (from, to)))
    {
        if from.size > to.size {
            continue;
        }
        let path = consistency_path(from.size, to.size);
        let proof: Vec<_> = path.iter().map(|range| tiles.range(range).unwrap()).collect();
        let root = |c: &Checkpoint| Root { size: c.size, hash: c.root };
        assert!(continues(&root(from), &root(to), &proof), "{} to {}", from.size, to.size);
    }
    office.end().await;
}

#[tokio::test]
async fn the_key_is_made_once_and_what_it_signed_is_recognised_after_a_restart() {
    let mut office = Office::new().await;
    office.happen(1, 3).await;
    office.sign(1).await.unwrap();
    office.seal = Seal::load(&mut office.notary, &office.master).await.unwrap();
    office.happen(1, 3).await;
    assert_eq!(office.sign(1).await.unwrap(), 6);
    let keys: i64 = sqlx::query_scalar("select count(*) from secrets.notary_keys")
        .fetch_one(&office.superuser)
        .await
        .unwrap();
    assert_eq!(keys, 1);
    let other = MasterKey::parse(&STANDARD.encode([8; 32])).unwrap();
    assert!(Seal::load(&mut office.notary, &other).await.is_err(), "it is sealed");
    let readable = db::connect(&office.log.database.url, Role::QueryApi, 1).await.unwrap();
    let private = sqlx::query("select private_key from secrets.notary_keys");
    assert!(private.fetch_all(&readable).await.is_err(), "query-api reads public halves only");
    readable.close().await;
    office.end().await;
}

#[tokio::test]
async fn what_is_altered_before_it_is_signed_is_named_and_not_signed() {
    let mut office = Office::new().await;
    for (of, sql, seq, reason) in [
        (
            1,
            "update log.events set payload = '{}' where tenant_seq = 5",
            5,
            "does not fit the chain",
        ),
        (2, "delete from log.events where tenant_seq = 6", 6, "event 6 is missing"),
        (3, "delete from log.events where tenant_seq = 8", 8, "event 8 is missing"),
        (4, "update log.events set tenant_seq = 4 where tenant_seq = 7", 7, "where event 7 should"),
        (
            5,
            "update log.events set recorded_at = recorded_at + interval '1 microsecond' where tenant_seq = 4",
            4,
            "chain",
        ),
    ] {
        office.happen(of, 3).await;
        assert_eq!(office.sign(of).await.unwrap(), 3);
        office.happen(of, 5).await;
        office.tamper(&format!("{sql} and tenant_id = '{}'", tenant(of))).await;
        let refusal = office.refusal(of).await;
        assert_eq!(refusal.tenant_seq, Some(seq), "{refusal}");
        assert!(refusal.reason.contains(reason), "{refusal}");
        assert_eq!(office.checkpoints(of).await.len(), 1);
    }
    office.end().await;
}

#[tokio::test]
async fn what_is_altered_after_it_was_signed_stops_the_notary_too() {
    let mut office = Office::new().await;
    for (of, sql, reason) in [
        // The last event that was signed, and the chain computed anew from there.
        (1, "update log.events set position = position + 1000 where tenant_seq = 3", "is gone"),
        (
            2,
            "update log.events set chain = sha256(chain) where tenant_seq = 3",
            "after it was signed",
        ),
        (3, "delete from log.events where tenant_seq = 3", "is gone"),
        (
            4,
            "update audit.tree_tiles set hashes = substr(hashes, 1, 64) where level = 0",
            "lacks hashes",
        ),
        (5, "update audit.tree_tiles set hashes = hashes || sha256('x') where level = 0", ""),
        (
            6,
            "update audit.tree_tiles set hashes = sha256('x') || substr(hashes, 33) where level = 0",
            "root that was signed",
        ),
        (
            7,
            "update audit.checkpoints set note = replace(note, E'\\n3\\n', E'\\n2\\n') where size = 3",
            "does not fit",
        ),
        (8, "update audit.checkpoints set size = 2 where size = 3", "another log or size"),
        (9, "update log.tenants set tenant_seq = 2 where tenant_seq = 6", "3 events were signed"),
        (
            10,
            "update log.tenants set chain = sha256('x') where tenant_seq = 6",
            "head of the chain",
        ),
    ] {
        office.happen(of, 3).await;
        assert_eq!(office.sign(of).await.unwrap(), 3);
        office.happen(of, 3).await;
        office.tamper(&format!("{sql} and tenant_id = '{}'", tenant(of))).await;
        if reason.is_empty() {
            assert_eq!(office.sign(of).await.unwrap(), 6, "what is too much is not used");
            continue;
        }
        let refusal = office.refusal(of).await;
        assert!(refusal.reason.contains(reason), "{of}: {refusal}");
    }
    office.end().await;
}

#[tokio::test]
async fn a_refusal_is_kept_for_everybody_to_see_and_ends_when_the_log_is_put_right() {
    let mut office = Office::new().await;
    let notary = Notary {
        url: office.log.database.url.clone(),
        issuer: "annals.example".into(),
        master: office.master.clone(),
        commands: nobody(),
        pace_seconds: 0.0,
    };
    let states = |pool: PgPool| async move {
        let sql = "select state, tenant_seq, size from audit.notary_states order by tenant_id";
        sqlx::query_as::<_, (String, Option<i64>, i64)>(sql).fetch_all(&pool).await.unwrap()
    };
    let refused = |pool: PgPool| async move {
        let sql = "select log.organizations_refused_by_notary()";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap()
    };
    office.happen(1, 4).await;
    office.happen(2, 4).await;
    let of_first = format!("tenant_id = '{}' and tenant_seq = 3", tenant(1));
    office.tamper(&format!("update log.events set event_version = '9' where {of_first}")).await;
    assert!(notary.round(&mut office.notary, &office.seal).await.unwrap(), "the other is signed");
    let found = states(office.superuser.clone()).await;
    assert_eq!(found, [("refusing".into(), Some(3), 0), ("signing".into(), None, 4)]);
    let door = db::connect(&office.log.database.url, Role::CommandApi, 1).await.unwrap();
    assert_eq!(refused(door.clone()).await, 1);

    office.tamper(&format!("update log.events set event_version = '1' where {of_first}")).await;
    assert!(notary.round(&mut office.notary, &office.seal).await.unwrap());
    let found = states(office.superuser.clone()).await;
    assert_eq!(found, [("signing".into(), None, 4), ("signing".into(), None, 4)]);
    assert_eq!(refused(door.clone()).await, 0);
    assert!(!notary.round(&mut office.notary, &office.seal).await.unwrap(), "nothing is new");

    let gone = format!("delete from log.tenants where tenant_id = '{}'", tenant(2));
    office.tamper(&gone).await;
    assert!(!notary.round(&mut office.notary, &office.seal).await.unwrap());
    assert_eq!(states(office.superuser.clone()).await[1].0, "refusing", "it has vanished");
    door.close().await;
    office.end().await;
}

#[tokio::test]
async fn more_events_than_a_checkpoint_may_cover_are_signed_by_several() {
    let mut office = Office::new().await;
    for _ in 0..11 {
        office.happen(1, 1_000).await;
    }
    assert_eq!(office.sign(1).await.unwrap(), EVENTS_MOST);
    assert_eq!(office.sign(1).await.unwrap(), 11_000);
    let checkpoints = office.checkpoints(1).await;
    let tiles = office.tiles(1).await;
    for checkpoint in checkpoints {
        assert_eq!(tiles.range(&(0..checkpoint.size)).unwrap(), checkpoint.root);
    }
    office.end().await;
}

#[tokio::test]
async fn the_notary_may_read_the_log_and_write_nothing_but_what_it_signs() {
    let mut office = Office::new().await;
    office.happen(1, 2).await;
    office.sign(1).await.unwrap();
    for sql in [
        "update audit.checkpoints set size = 1",
        "delete from audit.checkpoints",
        "delete from audit.tree_tiles",
        "update log.events set payload = '{}'",
        "select * from secrets.secrets",
        "select * from audit.trail",
    ] {
        let refused = sqlx::query(sql).execute(&mut office.notary).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{sql}: {refused}");
    }
    for role in [Role::CommandApi, Role::Workers, Role::Projectors, Role::QueryApi] {
        let pool = db::connect(&office.log.database.url, role, 1).await.unwrap();
        let forge = "insert into audit.checkpoints (tenant_id, epoch, size, position, root, note) \
                     values (gen_random_uuid(), 1, 1, 1, sha256('x'), 'x')";
        assert!(sqlx::query(forge).execute(&pool).await.is_err(), "{role:?}");
        pool.close().await;
    }
    office.end().await;
}

#[tokio::test]
async fn one_notary_leads_and_signs_by_itself() {
    let database = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
    let log = Log::over(database).await;
    let files = tempfile::tempdir().unwrap();
    let mut settings = (*log.database.settings(files.path()).unwrap()).clone();
    settings.checkpoint_seconds = 1;
    let tasks = platform::lifecycle::Tasks::new(Shutdown::new());
    for _ in 0..2 {
        let notary = Notary::new(&settings, nobody()).unwrap();
        tasks.spawn("notary", notary.run(tasks.shutdown().clone()));
    }
    let registered = UserEvent::Registered {
        handle: "anna".into(),
        display_name: "Anna".into(),
        email: None,
        locale: "en".into(),
        time_zone: "Europe/Zurich".into(),
    };
    log.append::<User>(tenant(1), id::<UserId>(1), &[registered]).await;
    let superuser = PgPool::connect(&log.database.url).await.unwrap();
    let signed = async {
        let sql = "select note from audit.checkpoints";
        loop {
            let found: Option<String> =
                sqlx::query_scalar(sql).fetch_optional(&superuser).await.unwrap();
            if let Some(signed) = found {
                return signed;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let signed = tokio::time::timeout(Duration::from_secs(20), signed).await.unwrap();
    let checkpoint: Checkpoint = note::unverified(&signed).unwrap().parse().unwrap();
    assert_eq!((checkpoint.size, checkpoint.origin.tenant), (1, tenant(1)));
    let leaders: i64 = sqlx::query_scalar(LEADERS).fetch_one(&superuser).await.unwrap();
    assert_eq!(leaders, 1);
    tasks.shutdown().begin();
    assert!(tasks.join(Duration::from_secs(10)).await);
    superuser.close().await;
    log.database.drop_now().await.unwrap();
}
