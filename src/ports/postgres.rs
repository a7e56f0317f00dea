//! PostgreSQL servers: one question, in a transaction that only reads. It knows no types, all values are text.

use super::tls::trusting;
use crate::ids::Period;
use futures::future::{BoxFuture, FutureExt};
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Most rows of an answer.
const MOST_ROWS: usize = 1000;

/// A question. Its password is never logged.
#[derive(Clone)]
pub struct SqlQuestion {
    /// Whom to ask, as `host:port`.
    pub address: String,
    /// The database.
    pub database: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Option<String>,
    /// The connection must be encrypted.
    pub tls: bool,
    /// What to ask.
    pub query: String,
    /// Time for all of it.
    pub limit: Duration,
}

/// The rows of an answer, a thousand at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlAnswer {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, each value as text or null.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {what}")]
pub struct SqlError {
    /// Who was asked.
    pub address: String,
    /// `connection refused`, `relation "users" does not exist`.
    pub what: String,
}

/// Asks databases.
pub trait Postgres: Send + Sync {
    /// Connects, asks, and closes the connection.
    fn ask(&self, question: SqlQuestion) -> BoxFuture<'static, Result<SqlAnswer, SqlError>>;
}

/// The network.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetworkPostgres;

impl Postgres for NetworkPostgres {
    fn ask(&self, question: SqlQuestion) -> BoxFuture<'static, Result<SqlAnswer, SqlError>> {
        async move {
            let answer = timeout(question.limit, ask(&question)).await;
            answer
                .unwrap_or_else(|_| Err(format!("no answer within {}", Period(question.limit))))
                .map_err(|what| SqlError { address: question.address, what })
        }
        .boxed()
    }
}

async fn ask(question: &SqlQuestion) -> Result<SqlAnswer, String> {
    let config = config(question)?;
    let (client, serving) = if question.tls {
        let (client, connection) = config.connect(MakeRustlsConnect::new(trusting()?)).await.map_err(|error| told(&error))?;
        (client, connection.map(drop).boxed())
    } else {
        let (client, connection) = config.connect(NoTls).await.map_err(|error| told(&error))?;
        (client, connection.map(drop).boxed())
    };
    let asking = async {
        // A probe only looks. After the first query of a transaction it can no longer be made one that writes.
        client.simple_query("begin read only; select 1").await.map_err(|error| told(&error))?;
        let messages = client.simple_query(&question.query).await.map_err(|error| told(&error))?;
        read(&messages)
    };
    tokio::select! {
        biased;
        answer = asking => answer,
        () = serving => Err("the server closed the connection".to_owned()),
    }
}

fn config(question: &SqlQuestion) -> Result<Config, String> {
    let parts = question.address.rsplit_once(':').and_then(|(host, port)| Some((host.trim_matches(['[', ']']), port.parse().ok()?)));
    let (host, port) = parts.ok_or("not an address: write it as `host:port`")?;
    let mut config = Config::new();
    config.host(host).port(port).dbname(&question.database).user(&question.user).application_name("bowline");
    config.ssl_mode(if question.tls { SslMode::Require } else { SslMode::Disable });
    if let Some(password) = &question.password {
        config.password(password);
    }
    Ok(config)
}

fn read(messages: &[SimpleQueryMessage]) -> Result<SqlAnswer, String> {
    let mut answer = SqlAnswer::default();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                // Of several questions in one the last answer counts.
                answer = SqlAnswer { columns: columns.iter().map(|column| column.name().to_owned()).collect(), rows: Vec::new() };
            }
            // Half of an answer could be as expected where the whole is not.
            SimpleQueryMessage::Row(_) if answer.rows.len() == MOST_ROWS => {
                return Err(format!("the answer has more than {MOST_ROWS} rows: ask for fewer, or count them there"));
            }
            SimpleQueryMessage::Row(row) => {
                answer.rows.push((0..row.len()).map(|place| row.get(place).map(str::to_owned)).collect());
            }
            _ => {}
        }
    }
    Ok(answer)
}

/// The server's own words where there are some, else the innermost cause.
fn told(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::{NetworkPostgres, Postgres, SqlQuestion};
    use std::time::Duration;

    #[tokio::test]
    async fn nobody_answers_where_nobody_listens() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let question = SqlQuestion {
            address: address.clone(),
            database: "app".to_owned(),
            user: "app".to_owned(),
            password: Some("p4ssword".to_owned()),
            tls: false,
            query: "select 1".to_owned(),
            limit: Duration::from_secs(5),
        };
        let error = NetworkPostgres.ask(question.clone()).await.unwrap_err();
        assert!(error.to_string().contains("refused") && !error.to_string().contains("p4ssword"), "{error}");
        let error = NetworkPostgres.ask(SqlQuestion { address: "db".to_owned(), ..question }).await.unwrap_err();
        assert_eq!(error.to_string(), "db: not an address: write it as `host:port`");
    }
}
