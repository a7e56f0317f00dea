//! PostgreSQL's own programs in a pod: what is run there, and what their answers mean. It knows no archive.

mod swap;
mod writes;

pub(super) use writes::{Mark, Write};

use super::pods::{PodCommand, PodEnd, PodProgram, Pods};
use crate::action::{ActionError, EffectError, ReadCx, RunScope};
use crate::ports::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// Most bytes that are taken of an answer.
const ANSWER_LIMIT: u64 = 4 * 1024 * 1024;
/// Lines of standard error that explain a failure.
const ERROR_LINES: usize = 5;
/// Time for a command to get from the API server into its pod.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

/// Asks for the number of rows of each table, one query a table.
const COUNT_ROWS: &str = r"
SELECT format('SELECT %L, count(*) FROM %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
ORDER BY 1 \gexec
";

/// Names the tables.
const TABLES: &str = r"
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
ORDER BY 1;
";

/// A PostgreSQL database in a pod.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PostgresSource {
    /// The pod: `statefulset/NAME`, `deployment/NAME`, `service/NAME` or `pod/NAME`.
    pub pod: String,
    /// The container; the pod's only or default one when it is not given.
    #[serde(default)]
    pub container: Option<String>,
    /// The database.
    pub database: String,
    /// The database's user, who must be let in from within the pod; `postgres` when it is not given.
    #[serde(default = "postgres_user")]
    pub user: String,
}

fn postgres_user() -> String {
    "postgres".to_owned()
}

impl PostgresSource {
    /// Finds mistakes in the names.
    pub(super) fn problems(&self) -> Vec<String> {
        let checks = [super::pods::check_through(&self.pod), check_name("database", &self.database), check_name("user", &self.user)];
        checks.into_iter().filter_map(Result::err).collect()
    }

    /// The server, in the pod that all of this goes through: of several the first that is no standby.
    pub(super) async fn server(&self, pods: &Arc<dyn Pods>, cx: &ReadCx) -> Result<Server, ActionError> {
        let ready = pods.ready(&cx.scope, &self.pod).await?;
        let servers: Vec<Server> = ready.into_iter().map(|pod| self.server_in(pod, pods, cx)).collect();
        for server in servers.iter().filter(|_| servers.len() > 1) {
            // One that gives no answer is not the one to work with, unless none does.
            if matches!(server.is_standby().await, Ok(false)) {
                return Ok(server.clone());
            }
        }
        servers.into_iter().next().ok_or_else(|| ActionError::transient(format!("no pod of {} is ready", self.pod)))
    }

    fn server_in(&self, pod: String, pods: &Arc<dyn Pods>, cx: &ReadCx) -> Server {
        Server {
            pods: pods.clone(),
            scope: cx.scope.clone(),
            pod,
            container: self.container.clone(),
            database: self.database.clone(),
            home: self.database.clone(),
            user: self.user.clone(),
        }
    }
}

/// A PostgreSQL server in a pod.
#[derive(Clone)]
pub(super) struct Server {
    pods: Arc<dyn Pods>,
    scope: Arc<RunScope>,
    pod: String,
    container: Option<String>,
    /// The database that all of this is about.
    pub(super) database: String,
    /// The database from which others are made, renamed and dropped.
    home: String,
    user: String,
}

/// Says what is wrong with the name of a database or a user.
fn check_name(what: &str, name: &str) -> Result<(), String> {
    // PostgreSQL's programs read `key=value` and URLs where a database's name stands, and options anywhere.
    let is_other = name.contains('=') || name.contains("://") || name.starts_with('-') || name.contains(char::is_control);
    match () {
        () if name.is_empty() => Err(format!("the {what} has no name")),
        () if name.len() > 63 => Err(format!("the {what}'s name has {} bytes, PostgreSQL knows at most 63", name.len())),
        () if is_other => Err(format!("`{name}` cannot be used as a {what}'s name")),
        () => Ok(()),
    }
}

impl Server {
    /// The same server, where the database itself is about to be renamed: nobody may be connected to it then.
    pub(super) fn seen_from_outside(self) -> Self {
        // Both are there on every server that nobody has stripped.
        let home = if self.database == "postgres" { "template1" } else { "postgres" };
        Self { home: home.to_owned(), ..self }
    }

    /// Starts `pg_dump` in its custom form, which is compressed on the way.
    pub(super) async fn dump(&self) -> Result<PodProgram, ActionError> {
        self.start("pg_dump", &["--format=custom", "--dbname", &self.database], false).await
    }

    /// Starts `pg_restore`, which reads a dump from its table of contents to its last row and restores it nowhere.
    pub(super) async fn check(&self) -> Result<PodProgram, ActionError> {
        self.start_draining(&["pg_restore", "--file", "/dev/null"]).await
    }

    /// Starts `pg_restore`, which reads a dump into a database to look at: the rows count, not whose they are.
    pub(super) async fn restore_rows(&self, database: &str) -> Result<PodProgram, ActionError> {
        self.restore(database, &["--no-owner", "--no-privileges"]).await
    }

    /// Starts `pg_restore`, which reads a dump into a database to work with: owners and privileges are as they were.
    pub(super) async fn restore_all(&self, database: &str) -> Result<PodProgram, ActionError> {
        self.restore(database, &[]).await
    }

    async fn restore(&self, database: &str, options: &[&str]) -> Result<PodProgram, ActionError> {
        let common = ["pg_restore", "--exit-on-error", "--no-password", "--username", &self.user, "--dbname", database];
        self.start_draining(&[common.as_slice(), options].concat()).await
    }

    pub(super) async fn has_database(&self, name: &str) -> Result<bool, ActionError> {
        let answer = self.ask(&self.home, &format!("SELECT 1 FROM pg_database WHERE datname = {};", literal(name))).await?;
        Ok(!answer.is_empty())
    }

    /// Whether a database is there that a command of ours makes whose end nobody has seen. One that is at work is waited for; so is, for a
    /// moment, one that is still on its way: whoever sent it may be dead, and the pod does not know.
    pub(super) async fn has_been_made(&self, name: &str, clock: &dyn Clock) -> Result<bool, ActionError> {
        let look = format!("SELECT 1 FROM pg_database WHERE datname = {};", literal(name));
        let sql = format!("SET statement_timeout = '20s';\n{}\n{look}", wait_for_turn(name));
        for pause in [Some(ON_ITS_WAY), None] {
            let is_there = !self.ask(&self.home, &sql).await?.is_empty();
            match pause {
                Some(pause) if !is_there => clock.sleep(pause).await,
                _ => return Ok(is_there),
            }
        }
        Ok(false)
    }

    /// Makes an empty database like this one: its encoding, its locale and its place.
    pub(super) async fn make_database(&self, name: &str) -> Result<(), ActionError> {
        // A server without a column answers null through JSON: the locale's provider came with version 15, its name has moved since.
        let sql = format!(
            "{}\nSELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L TABLESPACE %I', {}, \
             pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, t.spcname) || CASE to_jsonb(d)->>'datlocprovider' \
             WHEN 'c' THEN ' LOCALE_PROVIDER libc' \
             WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale')) \
             WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', to_jsonb(d)->>'datlocale') ELSE '' END \
             FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = {} \\gexec\n",
            wait_for_turn(name),
            literal(name),
            literal(&self.database)
        );
        self.ask(&self.home, &sql).await.map(drop)
    }

    /// Drops a database, whoever is connected to it; an absent one is no error. One that a command of ours is still making would not be
    /// there yet, and would be there afterwards: that command is waited for.
    pub(super) async fn drop_database(&self, name: &str) -> Result<(), ActionError> {
        let (turn, name) = (wait_for_turn(name), identifier(name));
        let sql = format!("SET statement_timeout = '20s';\n{turn}\nRESET statement_timeout;\nDROP DATABASE IF EXISTS {name} WITH (FORCE);");
        self.ask(&self.home, &sql).await.map(drop)
    }

    pub(super) async fn tables(&self) -> Result<Vec<String>, ActionError> {
        self.ask(&self.database, TABLES).await
    }

    pub(super) async fn rows(&self, database: &str) -> Result<BTreeMap<String, u64>, ActionError> {
        let lines = self.ask(database, COUNT_ROWS).await?;
        let rows = lines.iter().map(|line| {
            let (table, count) = line.rsplit_once('\t')?;
            Some((table.to_owned(), count.parse().ok()?))
        });
        rows.collect::<Option<_>>().ok_or_else(|| ActionError::permanent("psql's answer is not a list of tables and their rows"))
    }

    /// Puts a question to psql and gives the lines of its answer.
    async fn ask(&self, database: &str, sql: &str) -> Result<Vec<String>, ActionError> {
        let arguments = ["-X", "-A", "-t", "-q", "-F", "\t", "-v", "ON_ERROR_STOP=1", "--dbname", database];
        let mut program = self.start("psql", &arguments, true).await?;
        if let Some(mut stdin) = program.stdin.take() {
            // psql may end before it has read all: how it ends says why.
            let _ = stdin.write_all(sql.as_bytes()).await;
            let _ = stdin.shutdown().await;
        }
        let (answer, end) = futures::future::join(read_all(program.stdout), program.end).await;
        check_end("psql", &end?)?;
        Ok(answer.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    async fn start(&self, program: &str, arguments: &[&str], stdin: bool) -> Result<PodProgram, ActionError> {
        // Nobody is there who could type a password.
        let first = [program, "--no-password", "--username", &self.user];
        self.start_as_is(first.iter().chain(arguments).map(|text| (*text).to_owned()).collect(), stdin).await
    }

    /// Starts a program that may end before it has read all of its input. A container's runtime stops taking input then, and with a
    /// full connection its end would never reach us: so a shell reads on.
    async fn start_draining(&self, command: &[&str]) -> Result<PodProgram, ActionError> {
        let shell = ["sh", "-c", "\"$@\"; code=$?; cat >/dev/null; exit $code", "sh"];
        self.start_as_is(shell.iter().chain(command).map(|text| (*text).to_owned()).collect(), true).await
    }

    async fn start_as_is(&self, command: Vec<String>, stdin: bool) -> Result<PodProgram, ActionError> {
        let command = PodCommand { pod: self.pod.clone(), container: self.container.clone(), command, stdin };
        self.pods.start(&self.scope, command).await.map_err(|(EffectError::Refused(error) | EffectError::Lost(error))| error)
    }
}

/// Waits until no other session works under this token. The session holds it to its end.
fn wait_for_turn(token: &str) -> String {
    format!("DO $$ BEGIN PERFORM pg_advisory_lock(hashtext({})); END $$;", literal(token))
}

/// A name as SQL takes it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Reads what a program prints, and drops what is too much of it.
pub(super) async fn read_all(mut stdout: impl AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    // A stream that breaks shows in how the program ended.
    let _ = (&mut stdout).take(ANSWER_LIMIT).read_to_end(&mut answer).await;
    let _ = tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Says why a program's end is not a good one.
pub(super) fn check_end(program: &str, end: &PodEnd) -> Result<(), ActionError> {
    if end.code == 0 {
        return Ok(());
    }
    let mut failure = ActionError::transient(format!("`{program}` exited with code {}", end.code)).into_failure();
    let lines: Vec<&str> = end.errors.lines().filter(|line| !line.trim().is_empty()).collect();
    failure.causes.extend(lines[lines.len().saturating_sub(ERROR_LINES)..].iter().map(|line| (*line).to_owned()));
    Err(failure.into())
}

#[cfg(test)]
mod tests {
    use super::{check_name, literal};

    #[test]
    fn a_name_cannot_become_an_option_or_a_connection() {
        assert_eq!(check_name("database", "my app"), Ok(()));
        for name in ["", "host=evil", "postgres://evil/x", "-f", "a\nb", &"x".repeat(64)] {
            assert!(check_name("database", name).is_err(), "{name}");
        }
        assert_eq!(literal("o'clock"), "'o''clock'");
    }
}
