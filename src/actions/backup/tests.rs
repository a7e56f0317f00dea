//! `backup` with a database server that is played by the test, and a real folder.

use super::{Backup, BackupParams};
use crate::action::conformance::{Stage, World, faults};
use crate::action::{
    Action, ActionError, DynAction, EffectError, Effects, ErasedTicket, Frozen, Intent, Known, Progress, ReadCx, RunScope, Secret, Sink,
};
use crate::actions::pods::{Door, PodCommand, PodEnd, PodProgram, Pods, Reach};
use crate::archive::Archive;
use crate::ids::StepId;
use crate::ports::{SystemClock, SystemFiles};
use crate::record::EffectKey;
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_util::sync::CancellationToken;

/// What goes wrong with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    DumpFails,
    StreamIsCut,
    ConnectionIsLost,
    NeverEnds,
    NotADump,
    TableIsMissing,
    /// All of its pods are standbys; else the first is.
    AllStandbys,
}

/// A PostgreSQL server with one database of two tables.
#[derive(Clone)]
struct Postgres {
    databases: Arc<Mutex<BTreeSet<String>>>,
    trouble: Trouble,
}

fn dump() -> Vec<u8> {
    (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

impl Postgres {
    fn new(trouble: Trouble) -> Self {
        Self { databases: Arc::new(Mutex::new(["app".to_owned()].into())), trouble }
    }

    fn is(&self, trouble: Trouble) -> bool {
        self.trouble == trouble
    }

    async fn run(
        self,
        pod: String,
        command: Vec<String>,
        mut input: DuplexStream,
        mut output: DuplexStream,
    ) -> Result<PodEnd, ActionError> {
        let end = |code, errors: &str| Ok(PodEnd { code, errors: errors.to_owned() });
        let program = if command[0] == "sh" { &command[4] } else { &command[0] };
        // What may leave input unread must run where somebody reads on, or a real connection would block for ever.
        assert!(program != "pg_restore" || command[0] == "sh");
        match program.as_str() {
            "pg_dump" => {
                let dump = dump();
                let until = if matches!(self.trouble, Trouble::None | Trouble::NotADump | Trouble::TableIsMissing | Trouble::AllStandbys) {
                    dump.len()
                } else {
                    1_000_000
                };
                let _ = output.write_all(&dump[..until]).await;
                match self.trouble {
                    Trouble::DumpFails => end(1, "pg_dump: detail: Query was: COPY\npg_dump: error: out of memory\n"),
                    Trouble::StreamIsCut => Err(ActionError::transient("lost `pg_dump` in pod/postgres-0 while it ran: reset")),
                    Trouble::ConnectionIsLost => {
                        // The end is told while the stream stays open.
                        std::mem::forget(output);
                        Err(ActionError::transient("lost `pg_dump` in pod/postgres-0 while it ran: no answer"))
                    }
                    Trouble::NeverEnds => std::future::pending().await,
                    _ => end(0, ""),
                }
            }
            "pg_restore" if self.is(Trouble::NotADump) => {
                // It sees that at the beginning and leaves the rest.
                let _ = input.read_exact(&mut [0; 1000]).await;
                end(1, "pg_restore: error: input file does not appear to be a valid archive\n")
            }
            "pg_restore" => {
                let mut all = Vec::new();
                input.read_to_end(&mut all).await.unwrap();
                assert!(all == dump(), "the dump is restored as it was");
                end(0, "")
            }
            _ => {
                let mut sql = String::new();
                input.read_to_string(&mut sql).await.unwrap();
                let _ = output.write_all(self.answer(&pod, &sql).as_bytes()).await;
                end(0, "")
            }
        }
    }

    fn answer(&self, pod: &str, sql: &str) -> String {
        // Nobody else is ever at work here: every turn is the asker's.
        let sql = sql.split_once("END $$;\n").map_or(sql, |(_, rest)| rest);
        let sql = sql.strip_prefix("RESET statement_timeout;\n").unwrap_or(sql);
        if sql.contains("pg_is_in_recovery") {
            let is_standby = self.is(Trouble::AllStandbys) || pod == "postgres-0";
            return if is_standby { "t\n".into() } else { "f\n".into() };
        }
        assert!(pod == "postgres-1" || self.is(Trouble::AllStandbys), "a standby is not worked with");
        let mut databases = self.databases.lock().unwrap();
        let quoted = |quote: char| sql.split(quote).nth(1).unwrap_or_default().to_owned();
        if sql.starts_with("SELECT 1 FROM pg_database") {
            return if databases.contains(&quoted('\'')) { "1\n".into() } else { String::new() };
        }
        if sql.contains("CREATE DATABASE") {
            let name = sql.split('\'').nth(3).unwrap();
            assert!(databases.insert(name.trim_matches([',', ' ']).to_owned()), "the database is there already");
        } else if sql.starts_with("DROP DATABASE") {
            databases.remove(&quoted('"'));
        } else if sql.contains("count(*)") {
            return if self.is(Trouble::TableIsMissing) {
                "public.users\t3\n".into()
            } else {
                "public.streams\t0\npublic.users\t3\n".into()
            };
        } else {
            return "public.streams\npublic.users\n".to_owned();
        }
        String::new()
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

    fn ready(&self, _scope: &RunScope, _through: &str) -> BoxFuture<'static, Result<Vec<String>, ActionError>> {
        async { Ok(vec!["postgres-0".to_owned(), "postgres-1".to_owned()]) }.boxed()
    }

    fn start(&self, _scope: &RunScope, command: PodCommand) -> BoxFuture<'static, Result<PodProgram, EffectError>> {
        let (input, far_input) = tokio::io::duplex(64 * 1024);
        let (output, far_output) = tokio::io::duplex(64 * 1024);
        let running = tokio::spawn(self.clone().run(command.pod, command.command, far_input, far_output));
        let end = async { running.await.unwrap() }.boxed();
        async { Ok(PodProgram { stdin: Some(Box::new(input)), stdout: Box::new(output), end }) }.boxed()
    }
}

struct Shop {
    root: TempDir,
    postgres: Postgres,
    verify: &'static str,
}

impl Shop {
    fn new(trouble: Trouble, verify: &'static str) -> Self {
        Self { root: tempfile::tempdir().unwrap(), postgres: Postgres::new(trouble), verify }
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("backups")
    }

    fn backup(&self) -> Backup {
        Backup::new(Arc::new(self.postgres.clone()), Arc::new(SystemFiles), Arc::new(SystemClock), self.folder())
    }

    fn files(&self) -> Vec<String> {
        files(&self.folder())
    }

    async fn perform(&self) -> Result<Value, String> {
        self.perform_until(CancellationToken::new()).await
    }

    async fn perform_until(&self, cancel: CancellationToken) -> Result<Value, String> {
        let scope = Arc::new(self.scope());
        let cx = ReadCx { step: StepId::new("database").unwrap(), scope, frozen: Frozen::default(), cancel, sink: Arc::new(Plain) };
        let performed = DynAction::perform(&self.backup(), cx, Arc::new(Plain), self.params()).await;
        performed.map_err(|error| {
            let failure = error.into_failure();
            [vec![failure.message], failure.causes].concat().join("\n")
        })
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

impl World for Shop {
    fn action(&self) -> Arc<dyn DynAction> {
        Arc::new(self.backup())
    }

    fn params(&self) -> Value {
        json!({ "postgres": { "pod": "statefulset/postgres", "database": "app" }, "verify": self.verify })
    }

    fn fingerprint(&self) -> BoxFuture<'_, String> {
        // A finished backup is meant to stay.
        let files = self.files();
        let is_finished = |file: &String| {
            let name = file.trim_end_matches(".zst").trim_end_matches(".json");
            files.contains(&format!("{name}.json")) && files.contains(&format!("{name}.zst"))
        };
        let unfinished: Vec<&String> = files.iter().filter(|file| !is_finished(file)).collect();
        let print = format!("{unfinished:?} {:?}", self.postgres.databases.lock().unwrap());
        async { print }.boxed()
    }
}

struct Shops(&'static str);

impl Stage for Shops {
    type World = Shop;

    fn fresh(&self) -> BoxFuture<'_, Shop> {
        async { Shop::new(Trouble::None, self.0) }.boxed()
    }
}

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    for verify in ["listing", "restore"] {
        assert_eq!(faults(&Shops(verify)).await, Vec::<String>::new(), "{verify}");
    }
}

/// Carries effects out, and keeps quiet.
struct Plain;

impl Sink for Plain {
    fn progress(&self, _step: &StepId, _progress: Progress) {}

    fn secret(&self, _name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        async { Err(ActionError::permanent("there are no secrets")) }.boxed()
    }
}

impl Effects for Plain {
    fn intend(&self, _intent: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        let tickets = effects.into_iter().map(|(key, undo)| ErasedTicket { key, undo, known: Known::Open }).collect();
        async move { Ok(tickets) }.boxed()
    }

    fn effect(
        &self,
        _ticket: ErasedTicket,
        future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        async {
            future.await.map_err(|error| match error {
                EffectError::Refused(error) => error,
                EffectError::Lost(error) => ActionError::permanent(format!("in doubt: {error}")),
            })
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_backup_is_stored_whole_and_its_output_says_where() {
    let shop = Shop::new(Trouble::None, "restore");
    let output = shop.perform().await.unwrap();
    assert_eq!(output["name"], "conformance-app-613f30cb-20261121-000000-test-database");
    assert_eq!((&output["size"], &output["database"]), (&json!(3_000_000), &json!("app")));
    assert_eq!(output["rows"], json!({ "public.streams": 0, "public.users": 3 }));
    let archive = Archive::new(Arc::new(SystemFiles), shop.folder());
    let manifest = archive.verify(output["name"].as_str().unwrap()).await.unwrap();
    assert_eq!(manifest.sha256, output["sha256"]);
    assert_eq!(output["path"], json!(archive.path(&manifest.name)));
    assert_eq!(*shop.postgres.databases.lock().unwrap(), ["app".to_owned()].into());
}

#[tokio::test]
async fn whatever_goes_wrong_is_told_and_leaves_nothing() {
    let mut told = Vec::new();
    let troubles = [Trouble::DumpFails, Trouble::StreamIsCut, Trouble::ConnectionIsLost, Trouble::NotADump];
    for (trouble, verify) in troubles.map(|trouble| (trouble, "listing")).into_iter().chain([(Trouble::TableIsMissing, "restore")]) {
        let shop = Shop::new(trouble, verify);
        told.push(format!("{trouble:?}: {}", shop.perform().await.unwrap_err()));
        assert_eq!(shop.files(), Vec::<String>::new(), "{trouble:?}");
        assert_eq!(shop.postgres.databases.lock().unwrap().len(), 1, "{trouble:?}");
    }
    insta::assert_snapshot!(told.join("\n"), @"
    DumpFails: `pg_dump` exited with code 1
    pg_dump: detail: Query was: COPY
    pg_dump: error: out of memory
    StreamIsCut: lost `pg_dump` in pod/postgres-0 while it ran: reset
    ConnectionIsLost: lost `pg_dump` in pod/postgres-0 while it ran: no answer
    NotADump: `pg_restore` exited with code 1
    pg_restore: error: input file does not appear to be a valid archive
    TableIsMissing: the backup holds no table public.streams
    ");
}

#[tokio::test]
async fn where_there_is_no_primary_a_standby_is_dumped_and_that_is_noted() {
    let shop = Shop::new(Trouble::AllStandbys, "listing");
    let output = shop.perform().await.unwrap();
    let manifest = Archive::new(Arc::new(SystemFiles), shop.folder()).show(output["name"].as_str().unwrap()).await.unwrap();
    insta::assert_snapshot!(manifest.about.notes.join("\n"), @"dumped from a standby: what its primary wrote last may not be in it");
    let shop = Shop::new(Trouble::None, "listing");
    let output = shop.perform().await.unwrap();
    let manifest = Archive::new(Arc::new(SystemFiles), shop.folder()).show(output["name"].as_str().unwrap()).await.unwrap();
    assert_eq!(manifest.about.notes, Vec::<String>::new());
    let shop = Shop::new(Trouble::AllStandbys, "restore");
    insta::assert_snapshot!(shop.perform().await.unwrap_err(), @"the server behind statefulset/postgres is a standby, and `verify: restore` needs one that takes writes");
    assert_eq!((shop.files().len(), shop.postgres.databases.lock().unwrap().len()), (0, 1));
}

#[tokio::test]
async fn a_backup_that_is_stopped_leaves_nothing() {
    let shop = Shop::new(Trouble::NeverEnds, "listing");
    let cancel = CancellationToken::new();
    let stop = async {
        // As soon as there is something to leave behind.
        while shop.files().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (performed, ()) = futures::future::join(shop.perform_until(cancel.clone()), stop).await;
    insta::assert_snapshot!(performed.unwrap_err(), @"the backup was stopped before it was whole");
    assert_eq!(shop.files(), Vec::<String>::new());
}

#[test]
fn two_servers_may_be_backed_up_at_once() {
    let shop = Shop::new(Trouble::None, "listing");
    let target = |pod: &str| {
        let params = serde_json::from_value(json!({ "postgres": { "pod": pod, "database": "app" } })).unwrap();
        Action::targets(&shop.backup(), &shop.scope(), &Frozen::default(), &params)
    };
    assert_eq!(target("pod/users"), target("pod/users"));
    assert_ne!(target("pod/users"), target("pod/orders"));
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let shop = Shop::new(Trouble::None, "listing");
    let problems = |value: Value| Action::problems(&shop.backup(), &serde_json::from_value::<BackupParams>(value).unwrap()).join("\n");
    insta::assert_snapshot!(problems(json!({ "postgres": { "pod": "postgres", "database": "host=x" }, "keep": 0 })), @"
    `postgres` leads to no pod: write `pod/NAME`, `service/NAME`, `deployment/NAME`, `statefulset/NAME` or `selector/LABEL=VALUE`
    `host=x` cannot be used as a database's name
    `keep: 0` would remove the backup that was just made: keep at least 1
    ");
}
