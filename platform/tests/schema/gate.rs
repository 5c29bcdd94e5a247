//! The catalogue gate: Postgres' own catalogue is asked for every mistake that would let data through, and knows of none.

use sqlx::{Executor as _, PgConnection};

use crate::database;

/// A mistake: what it is, the question that finds it, and how somebody would make it.
struct Gate {
    mistake: &'static str,
    finds: &'static str,
    made_by: &'static str,
}

/// Relations of ours.
macro_rules! ours {
    () => {
        "c.relnamespace::regnamespace::text in ('log', 'read', 'audit', 'work', 'secrets')"
    };
}

/// The roles that processes work as.
macro_rules! processes {
    () => {
        "('command_api', 'relay', 'projectors', 'query_api', 'workers', 'notary', 'auditor')"
    };
}

const GATES: &[Gate] = &[
    Gate {
        mistake: "a table with organisations whose row security is not forced",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' ",
            "where c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity) and ",
            ours!()
        ),
        made_by: "create table read.open (tenant_id uuid primary key); alter table read.open enable row level security",
    },
    Gate {
        mistake: "a key that does not begin with the organisation",
        finds: concat!(
            "select c.oid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid ",
            "join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' ",
            "where i.indisprimary and a.attnum <> i.indkey[0] and c.relkind in ('r', 'p') and ",
            ours!(),
            // The log itself is keyed by position, jobs are taken across organisations, and what is parked is its projection's.
            " and c.relname not like 'events%' and c.oid::regclass::text not in ('work.jobs', 'read.parked')"
        ),
        made_by: "create table read.late (id uuid, tenant_id uuid, primary key (id, tenant_id))",
    },
    Gate {
        mistake: "a unique index that does not begin with the organisation",
        finds: concat!(
            "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid ",
            "join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' ",
            "where i.indisunique and not i.indisprimary and a.attnum <> i.indkey[0] and ",
            ours!()
        ),
        made_by: "create unique index late on log.streams (aggregate_id, tenant_id)",
    },
    Gate {
        mistake: "a foreign key from one schema into another",
        finds: concat!(
            "select k.conname::text from pg_constraint k join pg_class c on c.oid = k.conrelid ",
            "join pg_class t on t.oid = k.confrelid ",
            "where k.contype = 'f' and c.relnamespace <> t.relnamespace and ",
            ours!()
        ),
        made_by: "create table work.far (only_row boolean primary key); \
                  create table read.near (only_row boolean primary key references work.far)",
    },
    Gate {
        mistake: "somebody besides the owner who may empty a table at once",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c, aclexplode(c.relacl) g ",
            "where g.privilege_type = 'TRUNCATE' and g.grantee <> c.relowner and ",
            ours!()
        ),
        made_by: "grant truncate on read.checkpoints to projectors",
    },
    Gate {
        mistake: "a view that reads with the rights of its owner",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c where c.relkind = 'v' ",
            "and not coalesce('security_invoker=true' = any(c.reloptions), false) and ",
            ours!()
        ),
        made_by: "create view read.wide as select 1 as one",
    },
    Gate {
        mistake: "a materialised view, which has no row security",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c where c.relkind = 'm' and ",
            ours!()
        ),
        made_by: "create materialized view read.copy as select 1 as one",
    },
    Gate {
        mistake: "a relation of somebody else than the owner",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p', 'v', 'S') ",
            "and c.relowner::regrole::text <> 'annals_owner' and ",
            ours!()
        ),
        made_by: "create table work.mine (only_row boolean primary key)",
    },
    Gate {
        mistake: "a table that does not say what it is",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p') and not c.relispartition ",
            "and obj_description(c.oid, 'pg_class') is null and ",
            ours!()
        ),
        made_by: "create table work.silent (only_row boolean primary key)",
    },
    Gate {
        mistake: "a table without a primary key",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p') and ",
            ours!(),
            " and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)"
        ),
        made_by: "create table work.heap (number bigint)",
    },
    Gate {
        mistake: "a right of everybody on a relation or schema",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c, aclexplode(c.relacl) g where g.grantee = 0 and ",
            ours!(),
            " union all select n.nspname from pg_namespace n, aclexplode(n.nspacl) g ",
            "where g.grantee = 0 and (n.nspname in ('log', 'read', 'audit', 'work', 'secrets') ",
            "or (n.nspname = 'public' and g.privilege_type = 'CREATE'))"
        ),
        made_by: "grant select on log.head to public",
    },
    Gate {
        mistake: "a function with its owner's rights that anybody may call, or whose names anybody can bend",
        finds: concat!(
            "select p.oid::regprocedure::text from pg_proc p ",
            "where p.prosecdef and p.pronamespace::regnamespace::text in ('log', 'read', 'audit', 'work', 'secrets') ",
            "and (has_function_privilege('public', p.oid, 'execute') ",
            "or not exists (select from unnest(p.proconfig) c where c like 'search\\_path=%'))"
        ),
        made_by: "create function read.loose() returns int language sql security definer as 'select 1'",
    },
    Gate {
        mistake: "a role of a process that is more than it should be",
        finds: concat!(
            "select rolname::text from pg_roles where rolname in ",
            processes!(),
            " and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication or rolcanlogin) ",
            "union all select rolname::text from pg_roles where rolname = 'annals_owner' and (rolsuper or rolbypassrls or rolcanlogin)"
        ),
        made_by: "alter role auditor bypassrls",
    },
    Gate {
        mistake: "a process that is another as well",
        finds: concat!(
            "select member::regrole::text from pg_auth_members where member::regrole::text in ",
            processes!()
        ),
        made_by: "grant annals_owner to relay",
    },
    Gate {
        mistake: "a process that owns something",
        finds: concat!(
            "select c.oid::regclass::text from pg_class c where c.relkind <> 'i' and c.relowner::regrole::text in ",
            processes!(),
            " union all select p.oid::regprocedure::text from pg_proc p where p.proowner::regrole::text in ",
            processes!()
        ),
        made_by: "create table work.theirs (only_row boolean primary key); alter table work.theirs owner to workers",
    },
    Gate {
        mistake: "somebody who may change what is in the log",
        finds: concat!(
            "select g.grantee::regrole::text from pg_class c, aclexplode(c.relacl) g ",
            "where c.relnamespace::regnamespace::text = 'log' and c.relname like 'events%' ",
            "and g.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER') and g.grantee <> c.relowner"
        ),
        made_by: "grant insert on log.events to command_api",
    },
];

async fn found(session: &mut PgConnection, gate: &Gate) -> Vec<String> {
    sqlx::query_scalar(gate.finds).fetch_all(session).await.expect(gate.mistake)
}

#[tokio::test]
async fn the_catalogue_holds_no_mistake_that_lets_data_through() {
    let (database, mut session) = database().await;
    for gate in GATES {
        assert_eq!(found(&mut session, gate).await, Vec::<String>::new(), "{}", gate.mistake);
    }
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn the_gate_sees_every_mistake_that_it_is_for() {
    let (database, mut session) = database().await;
    for gate in GATES {
        session.execute("begin").await.unwrap();
        session.execute(gate.made_by).await.unwrap();
        assert_eq!(found(&mut session, gate).await.len(), 1, "{}", gate.mistake);
        session.execute("rollback").await.unwrap();
    }
    database.drop_now().await.unwrap();
}
