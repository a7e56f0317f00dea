//! A database server that a test plays: names, numbers, rows and the transactions that wrote them.

use crate::action::{ActionError, EffectError, RunScope};
use crate::actions::pods::{Door, PodCommand, PodEnd, PodProgram, Pods, Reach};
use futures::future::{BoxFuture, FutureExt};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;

/// A database: its number, its rows by the transaction that wrote each, and whether anybody is let in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Database {
    pub(super) oid: u32,
    pub(super) rows: Vec<u32>,
    pub(super) open: bool,
}

#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) databases: BTreeMap<String, Database>,
    transaction: u32,
    /// What somebody writes in the instant before names are changed, once.
    pub(super) last_word: bool,
    /// Names cannot be changed.
    pub(super) stuck: bool,
    /// A database that is made as soon as somebody has found that it is not there.
    pub(super) late: Option<String>,
    /// The next database is made slowly.
    pub(super) slow: Option<Arc<Slow>>,
    /// Who has it holds it to the end of its session.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

/// A database that is made slowly.
#[derive(Debug, Default)]
pub(super) struct Slow {
    pub(super) begun: Notify,
    pub(super) go_on: Notify,
}

#[derive(Clone)]
pub(super) struct Postgres(pub(super) Arc<Mutex<Server>>);

/// What stands between the first two quotes of this kind.
fn quoted(text: &str, quote: char) -> String {
    text.split(quote).nth(1).unwrap_or_default().to_owned()
}

impl Server {
    pub(super) fn make(&mut self, name: &str, rows: usize) {
        self.transaction += 1;
        let database = Database { oid: 100 + self.transaction, rows: vec![self.transaction; rows], open: true };
        assert!(self.databases.insert(name.to_owned(), database).is_none(), "{name} is there already");
    }

    pub(super) fn write(&mut self, name: &str) {
        self.transaction += 1;
        self.databases.get_mut(name).unwrap().rows.push(self.transaction);
    }

    pub(super) fn connect(&self, name: &str) -> &Database {
        let database = self.databases.get(name).unwrap_or_else(|| panic!("there is no database {name}"));
        assert!(database.open, "{name} lets nobody in");
        database
    }

    fn answer(&mut self, name: &str, sql: &str) -> String {
        let sql = sql.split_once("END $$;\n").map_or(sql, |(_, rest)| rest);
        let sql = sql.strip_prefix("RESET statement_timeout;\n").unwrap_or(sql);
        match sql {
            _ if sql.contains("pg_is_in_recovery") => "f\n".into(),
            _ if sql.starts_with("SELECT 1 FROM pg_database") => {
                let is_there = self.databases.contains_key(&quoted(sql, '\''));
                if let Some(late) = self.late.take() {
                    self.make(&late, 0);
                }
                if is_there { "1\n".into() } else { String::new() }
            }
            _ if sql.contains("SELECT datname, oid") => self.databases.iter().map(|(name, it)| format!("{name}\t{}\n", it.oid)).collect(),
            _ if sql.contains("CREATE DATABASE") => {
                self.make(sql.split('\'').nth(3).unwrap(), 0);
                String::new()
            }
            _ if sql.starts_with("DROP DATABASE") => {
                self.databases.remove(&quoted(sql, '"'));
                String::new()
            }
            _ if sql.contains("ALLOW_CONNECTIONS true") => {
                self.databases.get_mut(&quoted(sql, '"')).unwrap().open = true;
                String::new()
            }
            _ if sql.contains("FILTER") => {
                // The mark is the last number in quotes.
                let mark: u32 = sql.split('\'').filter_map(|piece| piece.parse().ok()).next_back().unwrap();
                let rows = &self.connect(name).rows;
                format!("public.users\t{}\t{}\n", rows.len(), rows.iter().filter(|row| **row > mark).count())
            }
            _ if sql.contains("pg_attribute") => "0\n".into(),
            _ if sql.contains("count(*)") => format!("public.users\t{}\n", self.connect(name).rows.len()),
            _ if sql.contains("txid_current") => {
                self.connect(name);
                self.transaction += 1;
                format!("{}\n", self.transaction)
            }
            _ => String::new(),
        }
    }

    /// The statements of a change of names, in their order, as psql runs them.
    fn change_names(&mut self, statements: &[String]) -> String {
        let mut errors = String::new();
        for sql in statements {
            let names: Vec<&str> = sql.split('"').skip(1).step_by(2).collect();
            if sql.contains("ALLOW_CONNECTIONS") {
                self.databases.get_mut(names[0]).unwrap().open = sql.ends_with("true");
            } else if sql.contains("pg_terminate_backend") && std::mem::take(&mut self.last_word) {
                self.write(&quoted(sql, '\''));
            } else if sql.contains("RENAME") && self.stuck {
                errors.push_str("ERROR:  database \"app\" is being accessed by other users\n");
            } else if sql.contains("RENAME") {
                let (old, new) = (self.databases.remove(names[0]).unwrap(), self.databases.remove(names[2]).unwrap());
                assert!(!old.open, "somebody could come in between");
                self.databases.insert(names[1].to_owned(), old);
                self.databases.insert(names[3].to_owned(), new);
            }
        }
        errors
    }
}

impl Postgres {
    async fn run(self, command: Vec<String>, mut input: DuplexStream, mut output: DuplexStream) -> Result<PodEnd, ActionError> {
        let end = |code, errors: String| Ok(PodEnd { code, errors });
        let program = if command[0] == "sh" { &command[4..] } else { &command[..] };
        let after = |option: &str| program.iter().position(|word| word == option).map(|at| program[at + 1].clone());
        let database = after("--dbname").unwrap_or_default();
        if program[0] == "pg_dump" {
            let rows = self.0.lock().unwrap().connect(&database).rows.len();
            let _ = output.write_all(format!("dump of {rows}").as_bytes()).await;
            return end(0, String::new());
        }
        let mut all = String::new();
        if !program.contains(&"-c".to_owned()) {
            input.read_to_string(&mut all).await.unwrap();
        }
        if program[0] == "pg_restore" {
            let Some(rows) = all.strip_prefix("dump of ").and_then(|rows| rows.parse::<usize>().ok()) else {
                return end(1, "pg_restore: error: could not read from input file: end of file\n".to_owned());
            };
            if !database.is_empty() {
                let mut server = self.0.lock().unwrap();
                server.connect(&database);
                server.transaction += 1;
                let transaction = server.transaction;
                server.databases.get_mut(&database).unwrap().rows = vec![transaction; rows];
            }
            return end(0, String::new());
        }
        if all.is_empty() {
            let statements: Vec<String> = program.iter().skip_while(|word| *word != "-c").filter(|word| *word != "-c").cloned().collect();
            return end(0, self.0.lock().unwrap().change_names(&statements));
        }
        let turn = Arc::clone(&self.0.lock().unwrap().turn);
        let _turn = if all.contains("pg_advisory_lock") { Some(turn.lock().await) } else { None };
        let slow = if all.contains("CREATE DATABASE") { self.0.lock().unwrap().slow.take() } else { None };
        if let Some(slow) = slow {
            slow.begun.notify_one();
            slow.go_on.notified().await;
        }
        let answer = self.0.lock().unwrap().answer(&database, &all);
        let _ = output.write_all(answer.as_bytes()).await;
        end(0, String::new())
    }
}

impl Pods for Postgres {
    fn missing_rights(&self, _scope: &RunScope, _reach: Reach) -> BoxFuture<'static, Result<Vec<String>, ActionError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn door(&self, _scope: &RunScope, _through: &str, _port: Option<&str>) -> BoxFuture<'static, Result<Box<dyn Door>, ActionError>> {
        async { Err(ActionError::permanent("not asked for")) }.boxed()
    }

    fn choose(&self, _scope: &RunScope, _through: &str) -> BoxFuture<'static, Result<String, ActionError>> {
        async { Ok("postgres-0".to_owned()) }.boxed()
    }

    fn start(&self, _scope: &RunScope, command: PodCommand) -> BoxFuture<'static, Result<PodProgram, EffectError>> {
        let (input, far_input) = tokio::io::duplex(64 * 1024);
        let (output, far_output) = tokio::io::duplex(64 * 1024);
        let running = tokio::spawn(self.clone().run(command.command, far_input, far_output));
        let end = async { running.await.unwrap() }.boxed();
        async { Ok(PodProgram { stdin: Some(Box::new(input)), stdout: Box::new(output), end }) }.boxed()
    }
}
