//! The statements that a table's declaration leads to; at most three per table and batch, however many events it has.

use crate::model::{Column, Sql, Table};

/// The statements of one table.
#[derive(Debug)]
pub(crate) struct Statements {
    /// The table's columns.
    pub(crate) columns: &'static [Column],
    /// Those of its key, in the table's order.
    pub(crate) key: Vec<Column>,
    /// The rows of groups: `$1` organisations, `$2` groups; gives the place in `$1` and the row as JSON.
    pub(crate) load: String,
    /// Writes rows given as one array per column.
    pub(crate) upsert: String,
    /// Deletes the rows whose keys are given as one array per column.
    pub(crate) delete: String,
    /// Deletes the rows of one group of one organisation.
    pub(crate) delete_group: String,
    /// Deletes the rows of one organisation from one moment to before another; only where rows have a time.
    pub(crate) sweep: String,
    /// Gives back the partition of the month `$3` of `place`, if nothing is in it; only where rows have a time.
    pub(crate) release: &'static str,
    /// Schema and name of the table itself.
    pub(crate) place: (&'static str, &'static str),
    /// Deletes all rows of organisations.
    pub(crate) purge: String,
    /// Takes rows in COPY's binary format.
    pub(crate) copy: String,
    /// All rows as JSON text, in the order of their keys.
    pub(crate) ordered: String,
}

impl Statements {
    /// The statements for the table itself.
    pub(crate) fn new(table: &Table) -> Self {
        Self::on(table, &table.qualified())
    }

    /// The statements for a table of the same shape under another name.
    pub(crate) fn on(table: &Table, name: &str) -> Self {
        let columns = names(table.columns);
        let is_key = |column: &&Column| table.key.contains(&column.name);
        let key: Vec<Column> = table.columns.iter().filter(is_key).copied().collect();
        let keys = names(&key);
        let order = order(table, "t");
        let set: Vec<String> = table
            .columns
            .iter()
            .filter(|column| !is_key(column))
            .map(|column| format!("{0} = excluded.{0}", column.name))
            .collect();
        let same: Vec<String> = table.key.iter().map(|key| format!("t.{key} = r.{key}")).collect();
        let group = table.group;
        let of_group = table.sql_of(group).map_or("text", Sql::name);
        Self {
            columns: table.columns,
            load: format!(
                "select g.ord, row_to_json(t)::text from unnest($1::uuid[], $2::text[]) with ordinality g (tenant, grp, ord) \
                 join {name} t on t.tenant_id = g.tenant and t.{group} = g.grp::{of_group}"
            ),
            upsert: format!(
                "insert into {name} ({columns}) select {columns} from unnest({}) r ({columns}) \
                 on conflict ({keys}) do update set {}",
                arrays(table.columns),
                set.join(", ")
            ),
            delete: format!(
                "delete from {name} t using unnest({}) r ({keys}) where {}",
                arrays(&key),
                same.join(" and ")
            ),
            delete_group: format!(
                "delete from {name} where tenant_id = $1 and {group} = $2::{of_group}"
            ),
            sweep: format!("delete from {name} where tenant_id = $1 and at >= $2 and at < $3"),
            release: "select read.drop_emptied_month($1, $2, $3)",
            place: (table.schema, table.table),
            purge: format!("delete from {name} where tenant_id = any($1)"),
            copy: format!("copy {name} ({columns}) from stdin (format binary)"),
            ordered: format!("select row_to_json(t)::text from {name} t order by {order}"),
            key,
        }
    }
}

/// The first row in which two tables of the same shape differ: its key, and it as it stands in each.
pub(crate) fn first_difference(table: &Table, live: &str, shadow: &str) -> String {
    let same: Vec<String> = table.key.iter().map(|key| format!("l.{key} = s.{key}")).collect();
    let key: Vec<String> =
        table.key.iter().map(|key| format!("'{key}', coalesce(l.{key}, s.{key})")).collect();
    let (left, right) = (order(table, "l"), order(table, "s"));
    let order: Vec<String> = left
        .split(", ")
        .zip(right.split(", "))
        .map(|(left, right)| match (left.split_once(' '), right.split_once(' ')) {
            (Some((l, collation)), Some((r, _))) => format!("coalesce({l}, {r}) {collation}"),
            _ => format!("coalesce({left}, {right})"),
        })
        .collect();
    format!(
        "select json_build_object({})::text, row_to_json(l)::text, row_to_json(s)::text \
         from {live} l full join {shadow} s on {} \
         where row_to_json(l)::text is distinct from row_to_json(s)::text order by {} limit 1",
        key.join(", "),
        same.join(" and "),
        order.join(", ")
    )
}

/// The key, in an order that is the same in every database.
fn order(table: &Table, alias: &str) -> String {
    let columns: Vec<String> = table
        .key
        .iter()
        .map(|key| match table.sql_of(key) {
            Some(Sql::Text) => format!("{alias}.{key} collate \"C\""),
            Some(
                Sql::Uuid
                | Sql::Bigint
                | Sql::Integer
                | Sql::Boolean
                | Sql::Timestamptz
                | Sql::Jsonb,
            )
            | None => format!("{alias}.{key}"),
        })
        .collect();
    columns.join(", ")
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// One array per column, as parameters.
fn arrays(columns: &[Column]) -> String {
    let arrays = columns.iter().enumerate();
    let arrays = arrays.map(|(at, column)| format!("${}::{}[]", at + 1, column.sql.name()));
    arrays.collect::<Vec<_>>().join(", ")
}
