//! The statements that a table's declaration leads to; at most three per table and batch, however many events it has.

use crate::model::{Column, Sql, Table};

/// The statements of one table.
#[derive(Debug)]
pub(crate) struct Statements {
    /// The table's columns.
    pub(crate) columns: &'static [Column],
    /// The rows of groups: `$1` organisations, `$2` groups; gives the place in `$1` and the row as JSON.
    pub(crate) load: String,
    /// Writes rows given as one array of text per column: Postgres takes them in faster than JSON.
    pub(crate) upsert: String,
    /// Deletes the rows given as a JSON array, by their keys.
    pub(crate) delete: String,
    /// Deletes the rows of one group of one organisation.
    pub(crate) delete_group: String,
    /// Takes rows in COPY's text format.
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
        let columns = columns(table);
        let typed = typed(table);
        let key = table.key.join(", ");
        let order = order(table, "t");
        let set: Vec<String> = table
            .columns
            .iter()
            .filter(|column| !table.key.contains(&column.name))
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
                "insert into {name} ({columns}) select {} from unnest({}) r ({columns}) \
                 on conflict ({key}) do update set {}",
                cast(table),
                arrays(table),
                set.join(", ")
            ),
            delete: format!(
                "delete from {name} t using json_to_recordset($1::text::json) r ({typed}) where {}",
                same.join(" and ")
            ),
            delete_group: format!(
                "delete from {name} where tenant_id = $1 and {group} = $2::{of_group}"
            ),
            copy: format!("copy {name} ({columns}) from stdin"),
            ordered: format!("select row_to_json(t)::text from {name} t order by {order}"),
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

fn columns(table: &Table) -> String {
    table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// Columns that come as text, each as what it is.
fn cast(table: &Table) -> String {
    let cast = table.columns.iter().map(|column| format!("{}::{}", column.name, column.sql.name()));
    cast.collect::<Vec<_>>().join(", ")
}

/// One array of text per column, as parameters.
fn arrays(table: &Table) -> String {
    (1..=table.columns.len()).map(|n| format!("${n}::text[]")).collect::<Vec<_>>().join(", ")
}

fn typed(table: &Table) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| format!("{} {}", column.name, column.sql.name()))
        .collect();
    columns.join(", ")
}
