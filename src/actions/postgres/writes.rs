//! Whether anybody has written to a database since a moment. It knows no backup.
//!
//! PostgreSQL notes in each row the transaction that wrote it. So a row that is younger than the moment was written since, and tables
//! that hold fewer older rows than they did have lost some. That is exact, costs one pass over the tables, and needs nothing switched
//! on beforehand. The counters of `pg_stat_database` would not do: they are lost in a crash of the server, come late, and count what
//! autovacuum does; the position of the write-ahead log moves with every other database. What is not seen: that a sequence went on
//! without a row, and changed bytes of large objects.

use super::{Server, literal};
use crate::action::ActionError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Asks for the rows of each table, and for those of them that are younger than a transaction.
const YOUNGER: &str = r"
SELECT format('SELECT %L, count(*), count(*) FILTER (WHERE age(xmin) < age(%L::xid)) FROM %I.%I', n.nspname || '.' || c.relname, MARK, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
ORDER BY 1 \gexec
";

/// Counts tables, views and functions whose definition is younger than a transaction. Temporary ones belong to sessions.
const DEFINITIONS: &str = r"
SELECT (SELECT count(DISTINCT a.attrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND age(a.xmin) < age(MARK::xid))
     + (SELECT count(*) FROM pg_proc p WHERE p.oid >= 16384 AND age(p.xmin) < age(MARK::xid));
";

/// A moment in the life of a database, and the rows that its tables had then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::actions) struct Mark {
    /// The transaction that was the youngest.
    transaction: u32,
    /// Rows of each table.
    pub(in crate::actions) rows: BTreeMap<String, u64>,
}

/// Something that was written since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::actions) enum Write {
    /// So many rows of a table were inserted or updated.
    Rows(String, u64),
    /// So many rows of a table were deleted or updated.
    Gone(String, u64),
    /// A table is gone.
    Dropped(String),
    /// So many tables, views or functions were made or changed.
    Definitions(u64),
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = |count: u64| if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
        match self {
            Write::Rows(table, count) => write!(f, "{table}: {} written", rows(*count)),
            Write::Gone(table, count) => write!(f, "{table}: {} gone", rows(*count)),
            Write::Dropped(table) => write!(f, "{table}: dropped"),
            Write::Definitions(count) => write!(f, "{count} tables, views or functions defined anew"),
        }
    }
}

impl Server {
    /// Marks this moment in a database that nobody else uses.
    pub(in crate::actions) async fn mark(&self, database: &str) -> Result<Mark, ActionError> {
        let rows = self.rows(database).await?;
        // It takes a transaction of its own, which is the youngest then.
        let answer = self.ask(database, "SELECT txid_current() % 4294967296;").await?;
        let transaction = answer.first().and_then(|line| line.parse().ok()).ok_or_else(|| not_a_count("the transaction"))?;
        Ok(Mark { transaction, rows })
    }

    /// What was written to a database since a moment.
    pub(in crate::actions) async fn writes(&self, database: &str, mark: &Mark) -> Result<Vec<Write>, ActionError> {
        let transaction = literal(&mark.transaction.to_string());
        let lines = self.ask(database, &YOUNGER.replace("MARK", &transaction)).await?;
        let read = |line: &String| {
            let mut words = line.rsplitn(3, '\t');
            let (younger, all) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some((words.next()?.to_owned(), (all, younger)))
        };
        let tables: Option<BTreeMap<String, (u64, u64)>> = lines.iter().map(read).collect();
        let tables = tables.ok_or_else(|| not_a_count("rows"))?;
        let definitions = self.ask(database, &DEFINITIONS.replace("MARK", &transaction)).await?;
        let definitions = definitions.first().and_then(|line| line.parse().ok()).ok_or_else(|| not_a_count("definitions"))?;
        Ok(compare(&mark.rows, &tables, definitions))
    }

    /// Renews what the planner of queries knows of a database: a dump does not hold it.
    pub(in crate::actions) async fn analyze(&self, database: &str) -> Result<(), ActionError> {
        self.ask(database, "ANALYZE;").await.map(drop)
    }
}

/// Compares the rows of then with all rows and younger rows of now.
fn compare(then: &BTreeMap<String, u64>, now: &BTreeMap<String, (u64, u64)>, definitions: u64) -> Vec<Write> {
    let mut writes = Vec::new();
    for (table, &(all, younger)) in now {
        let older = all.saturating_sub(younger);
        let gone = then.get(table).copied().unwrap_or(0).saturating_sub(older);
        writes.extend((younger > 0).then(|| Write::Rows(table.clone(), younger)));
        writes.extend((gone > 0).then(|| Write::Gone(table.clone(), gone)));
    }
    writes.extend(then.keys().filter(|table| !now.contains_key(*table)).map(|table| Write::Dropped(table.clone())));
    writes.extend((definitions > 0).then_some(Write::Definitions(definitions)));
    writes
}

fn not_a_count(what: &str) -> ActionError {
    ActionError::permanent(format!("psql's answer is not a count of {what}"))
}

#[cfg(test)]
mod tests {
    use super::compare;
    use std::collections::BTreeMap;

    #[test]
    fn every_way_of_writing_shows() {
        let then: BTreeMap<String, u64> = [("a", 5), ("b", 5), ("c", 5), ("d", 5)].map(|(name, rows)| (name.to_owned(), rows)).into();
        let told = |now: &[(&str, u64, u64)], definitions| {
            let now = now.iter().map(|(name, all, younger)| ((*name).to_owned(), (*all, *younger))).collect();
            compare(&then, &now, definitions).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let same = [("a", 5, 0), ("b", 5, 0), ("c", 5, 0), ("d", 5, 0)];
        assert_eq!(told(&same, 0), "");
        // Inserted, updated, deleted, deleted with as many inserted, dropped, made.
        assert_eq!(
            told(&[("a", 6, 1), ("b", 5, 1), ("c", 3, 0), ("e", 0, 0)], 1),
            "a: 1 row written, b: 1 row written, b: 1 row gone, c: 2 rows gone, d: dropped, 1 tables, views or functions defined anew"
        );
        assert_eq!(told(&[("a", 5, 5), same[1], same[2], same[3]], 0), "a: 5 rows written, a: 5 rows gone");
    }
}
