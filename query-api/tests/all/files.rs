//! Files of a record are found by its name, however many files there are.

use events::subject::{Subject, SubjectKind};
use platform::dataset::filter::Filter;
use platform::dataset::{self, Query};
use platform::db;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::support::{Org, World, new};

/// Files of an organisation, each about a record, and every five-thousandth about one more.
const FILES: &str = "
    insert into read.files_files
    select $1, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'file ' || n, 'text/plain', 7, null, 'attachment',
           'stored', $2, case when n % 5000 = 0 then jsonb_build_array($3::text) else '[]' end, '[]', null, null, 0, null, null, 3,
           timestamptz '2026-01-01T00:00:00Z' + n * interval '1 minute', timestamptz '2026-01-01T00:00:00Z'
      from generate_series(1, 30000) n";
const LINKS: &str = "
    insert into read.files_links
    select tenant_id, case when subjects = '[]' then 'exports.export:' || file_id else $2 end, file_id, 'photo', created_at
      from read.files_files where tenant_id = $1";

async fn many(world: &World, org: &Org, subject: &str) {
    let mut owner = PgConnection::connect(&world.settings.database_url).await.unwrap();
    let files = sqlx::query(FILES).bind(org.tenant.0).bind(org.owner.user.0).bind(subject);
    files.execute(&mut owner).await.unwrap();
    let links = sqlx::query(LINKS).bind(org.tenant.0).bind(subject);
    links.execute(&mut owner).await.unwrap();
    for table in ["read.files_files", "read.files_links"] {
        sqlx::query(&format!("analyze {table}")).execute(&mut owner).await.unwrap();
    }
    owner.close().await.unwrap();
}

/// What Postgres did for a page of the files of a record, step by step.
async fn steps(world: &World, org: &Org, subject: &str) -> Vec<Value> {
    let data = dataset::find("files.files").unwrap();
    let filter = Filter::equals("subjects", subject);
    let query = Query::everything(data).unwrap().narrowed(data, filter, None).unwrap();
    let mut statement = dataset::page(data, &query, None, 50);
    statement.sql = format!("explain (analyze, format json) {}", statement.sql);
    let mut transaction = db::begin_for(&world.read, org.tenant).await.unwrap();
    let asked = sqlx::query_scalar_with(&statement.sql, statement.arguments().unwrap());
    let plan: Value = asked.fetch_one(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let (mut steps, mut rest) = (Vec::new(), vec![plan[0]["Plan"].clone()]);
    while let Some(step) = rest.pop() {
        rest.extend(step["Plans"].as_array().into_iter().flatten().cloned());
        steps.push(step);
    }
    steps
}

#[tokio::test]
async fn the_files_of_a_record_are_looked_up_and_not_looked_through() {
    let world = World::start().await;
    let (org, other) = (world.org("acme").await, world.org("other").await);
    let subject = Subject { kind: SubjectKind::User, id: new() }.to_string();
    many(&world, &org, &subject).await;
    let steps = steps(&world, &org, &subject).await;
    let of_table = |table: &str| -> Vec<&Value> {
        steps.iter().filter(|step| step["Relation Name"] == table).collect()
    };
    let (links, files) = (of_table("files_links"), of_table("files_files"));
    let [link] = *links else { panic!("one step looks at links: {steps:#?}") };
    let condition = link["Index Cond"].as_str().unwrap_or_default();
    assert!(condition.contains("subject = ") && condition.contains("tenant_id = "), "{link:#}");
    assert_eq!(link["Index Name"], "files_links_pkey", "{link:#}");
    assert_eq!(link["Actual Rows"].as_f64(), Some(6.0), "{link:#}");
    let [file] = *files else { panic!("one step looks at files: {steps:#?}") };
    assert_eq!(
        (&file["Index Name"], file["Actual Loops"].as_i64()),
        (&"files_files_pkey".into(), Some(6))
    );
    assert_eq!(file["Actual Rows"].as_f64(), Some(1.0), "{file:#}");

    let path = format!("/files?subject={subject}");
    let own = world.body(&path, &org.owner).await;
    assert_eq!(own["items"].as_array().unwrap().len(), 6, "{own}");
    assert_eq!(own["items"][0]["name"], "file 30000", "{own}");
    let of_other = world.body(&path, &other.owner).await;
    assert_eq!(of_other["items"], Value::Array(Vec::new()), "{of_other}");
    world.end().await;
}
