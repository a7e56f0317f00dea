//! The question put to a PostgreSQL in SQL. It must only read, and is asked in a transaction that only reads.

use super::expect::ConditionExpect;
use super::tcp::authority;
use super::{DEFAULT_TIMEOUT, Outside, Setting, excerpt};
use crate::ids::Period;
use crate::ports::{SqlAnswer, SqlQuestion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A query to a PostgreSQL, in a transaction that only reads, and what is expected of its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PostgresProbe {
    /// Whom to ask, as `host:port`; the step's `base` or `through` when it is not given.
    #[serde(default)]
    pub address: Option<String>,
    /// The database.
    pub database: String,
    /// The user; `postgres` when it is not given.
    #[serde(default)]
    pub user: Option<String>,
    /// The name of the secret of the plan that is the password.
    #[serde(default)]
    pub password: Option<String>,
    /// The connection must be encrypted, by a certificate that this machine trusts.
    #[serde(default)]
    pub tls: bool,
    /// What to ask; `select 1` when it is not given.
    #[serde(default)]
    pub query: Option<String>,
    /// Time for all of it; 5 s when it is not given.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// What is expected of the answer; that there is one when it is not given.
    #[serde(default)]
    pub expect: PostgresExpect,
}

/// What the rows of an answer should be. All of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PostgresExpect {
    /// How many rows there are.
    pub rows: Option<u64>,
    /// The first column of the first row, as text.
    pub value: Option<String>,
    /// A CEL expression over `rows`: a list of maps from a column's name to its value as text, or null.
    pub cel: Option<ConditionExpect>,
}

impl PostgresProbe {
    pub(super) fn title(&self) -> String {
        format!("postgres {}: {}", self.database, excerpt(self.query()))
    }

    fn query(&self) -> &str {
        self.query.as_deref().unwrap_or("select 1")
    }

    pub(super) fn problems(&self, based: bool) -> Vec<String> {
        let mut problems = super::tcp::address_problems(self.address.as_deref(), based);
        problems.extend(self.expect.cel.iter().filter_map(ConditionExpect::problem));
        problems
    }

    pub(super) async fn ask(&self, setting: &Setting, outside: &Outside) -> Vec<String> {
        let Some(address) = self.address.clone().or_else(|| setting.base.as_deref().and_then(authority)) else {
            return vec!["nothing says whom to ask".to_owned()];
        };
        let password = match self.password.as_ref().map(|name| setting.secret(name)).transpose() {
            Ok(password) => password.map(str::to_owned),
            Err(complaint) => return vec![complaint],
        };
        let question = SqlQuestion {
            address,
            database: self.database.clone(),
            user: self.user.clone().unwrap_or_else(|| "postgres".to_owned()),
            password,
            tls: self.tls,
            query: self.query().to_owned(),
            limit: self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0),
        };
        match outside.postgres.ask(question).await {
            Ok(answer) => self.expect.complaints(&answer),
            Err(error) => vec![format!("expected an answer, got none: {}", error.what)],
        }
    }
}

impl PostgresExpect {
    fn complaints(&self, answer: &SqlAnswer) -> Vec<String> {
        let mut complaints = Vec::new();
        let count = answer.rows.len() as u64;
        if let Some(expected) = self.rows.filter(|expected| *expected != count) {
            complaints.push(format!("expected {expected} rows, got {count}"));
        }
        if let Some(expected) = &self.value {
            let first = answer.rows.first().and_then(|row| row.first());
            let got = match first {
                Some(Some(value)) if value == expected => None,
                Some(Some(value)) => Some(format!("`{}`", excerpt(value))),
                Some(None) => Some("null".to_owned()),
                None => Some("no row".to_owned()),
            };
            complaints.extend(got.map(|got| format!("expected `{}`, got {got}", excerpt(expected))));
        }
        let row = |row: &Vec<Option<String>>| Value::from_iter(answer.columns.iter().cloned().zip(row.iter().map(|value| json!(value))));
        let names = || Map::from_iter([("rows".to_owned(), answer.rows.iter().map(row).collect())]);
        complaints.extend(self.cel.iter().filter_map(|cel| cel.complaint(&names())));
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::PostgresExpect;
    use crate::ports::SqlAnswer;
    use serde_json::{Value, json};

    fn complaints(expect: Value) -> String {
        let text = |text: &str| Some(text.to_owned());
        let answer = SqlAnswer {
            columns: vec!["name".to_owned(), "views".to_owned()],
            rows: vec![vec![text("ann"), text("3")], vec![text("ben"), None]],
        };
        serde_json::from_value::<PostgresExpect>(expect).unwrap().complaints(&answer).join("\n")
    }

    #[test]
    fn rows_are_counted_read_and_judged() {
        assert_eq!(complaints(json!({ "rows": 2, "value": "ann", "cel": "rows.all(r, r.name != '') && rows[1].views == null" })), "");
        insta::assert_snapshot!(complaints(json!({ "rows": 1, "value": "eve", "cel": "rows[0].views == '4'" })), @r"
        expected 1 rows, got 2
        expected `eve`, got `ann`
        expected rows[0].views == '4', which does not hold
        ");
    }
}
