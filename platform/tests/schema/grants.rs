//! Who may do what in the schema, as a committed document: a wider grant is seen in review.

use std::fmt::Write as _;

use platform::testkit::committed;
use sqlx::PgConnection;

use crate::database;

/// Role, object, privileges, and of a table whose rows the role sees by which policy.
type Grant = (String, String, String);

/// Rights on tables; those on single columns name them.
const TABLES: &str = "
    with rights as (
      select g.grantee::regrole::text as role, c.oid as relation, lower(g.privilege_type) as privilege, null as columns
        from pg_class c, aclexplode(c.relacl) g
       where c.relkind in ('r', 'p', 'v', 'S') and not c.relispartition and g.grantee <> c.relowner
         and c.relnamespace::regnamespace::text in ('log', 'read', 'audit', 'work', 'secrets')
      union all
      select g.grantee::regrole::text, c.oid, lower(g.privilege_type), string_agg(a.attname, ', ' order by a.attnum)
        from pg_class c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) g
       where c.relnamespace::regnamespace::text in ('log', 'read', 'audit', 'work', 'secrets')
       group by 1, 2, 3)
    select role, relation::regclass::text,
           string_agg(privilege || coalesce(' (' || columns || ')', ''), ', ' order by privilege, columns nulls first)
      from rights group by role, relation order by 1, 2";

const FUNCTIONS: &str = "
    select g.grantee::regrole::text, format('%s.%s', p.pronamespace::regnamespace, p.proname), 'execute'
      from pg_proc p, aclexplode(p.proacl) g
     where p.pronamespace::regnamespace::text in ('log', 'read', 'audit', 'work', 'secrets')
       and g.grantee <> p.proowner and g.grantee <> 0
     order by 1, 2";

const POLICIES: &str = "
    select r::text, format('%s.%s', schemaname, tablename),
           format('%s: `%s`', lower(cmd), regexp_replace(coalesce(qual, with_check), '\\s+', ' ', 'g'))
      from pg_policies, unnest(roles) r
     where schemaname in ('log', 'read', 'audit', 'work', 'secrets') and r <> 'annals_owner'
       and not exists (select from pg_class c where c.oid = format('%I.%I', schemaname, tablename)::regclass and c.relispartition)
     order by 1, 2, 3";

async fn section(session: &mut PgConnection, text: &mut String, title: &str, query: &str) {
    let grants: Vec<Grant> = sqlx::query_as(query).fetch_all(session).await.unwrap();
    assert!(!grants.is_empty(), "{title}: there are none");
    write!(text, "\n## {title}\n\n| role | of | may |\n|---|---|---|\n").unwrap();
    for (role, object, right) in grants {
        writeln!(text, "| `{role}` | `{object}` | {right} |").unwrap();
    }
}

#[tokio::test]
async fn the_committed_grants_are_those_of_the_schema() {
    let (database, mut session) = database().await;
    let mut text = String::from(
        "# Grants\n\nGenerated; `cargo xtask generate` writes it anew. Each process works as the Postgres role of its name, the notary within the workers.\n\
         What is not here is denied. Nobody but `annals_owner`, which cannot sign in, owns anything.\n",
    );
    section(&mut session, &mut text, "Tables", TABLES).await;
    section(&mut session, &mut text, "Functions", FUNCTIONS).await;
    section(&mut session, &mut text, "Rows", POLICIES).await;
    committed("docs/reference/grants.md", &text).unwrap();
    database.drop_now().await.unwrap();
}
