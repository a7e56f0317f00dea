//! `restore` with a database server that is played by the test, and a real folder.

mod server;

use super::{Restore, RestoreParams};
use crate::action::conformance::{Stage, World, faults};
use crate::action::{
    Action, ActionError, DynAction, DynEffect, EffectError, Effects, ErasedTicket, Frozen, Intent, Known, Progress, ReadCx, Secret, Sink,
    UndoCx,
};
use crate::archive::{About, Archive};
use crate::ids::{Moment, RunId, StepId};
use crate::ports::{SystemClock, SystemFiles};
use crate::record::{EffectKey, MarkKind, Settled};
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use server::{Database, Postgres, Server, Slow};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A server whose database `app` has five rows, and a folder with a backup of three.
struct Shop {
    root: TempDir,
    postgres: Postgres,
    params: Value,
}

const NAME: &str = "conformance-app-old";
const SERIES: &str = "conformance-app-613f30cb";

impl Shop {
    async fn new(params: Value) -> Self {
        let mut server = Server::default();
        server.make("app", 5);
        let shop = Self { root: tempfile::tempdir().unwrap(), postgres: Postgres(Arc::new(Mutex::new(server))), params };
        shop.store(NAME, SERIES, "database app of statefulset/postgres").await;
        shop
    }

    /// A backup of three rows.
    async fn store(&self, name: &str, series: &str, source: &str) {
        let archive = Archive::new(Arc::new(SystemFiles), self.root.path());
        let mut writer = archive.begin(name).await.unwrap();
        writer.write(b"dump of 3").await.unwrap();
        let content = writer.finish().await.unwrap();
        let about = About {
            format: "postgres-custom".into(),
            source: source.into(),
            run: RunId::new("20261120-000000-aaaa").unwrap(),
            step: StepId::new("database").unwrap(),
            verified: "restore".into(),
            found: [("public.users".to_owned(), 3)].into(),
            notes: Vec::new(),
        };
        archive.bless(content, series, about, Moment::from_millis(0)).await.unwrap();
    }

    fn restore(&self) -> Restore {
        Restore::new(Arc::new(self.postgres.clone()), Arc::new(SystemFiles), Arc::new(SystemClock), self.root.path().to_owned())
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Server> {
        self.postgres.0.lock().unwrap()
    }

    fn read(&self) -> ReadCx {
        ReadCx {
            step: StepId::new("restore").unwrap(),
            scope: Arc::new(self.scope()),
            frozen: Frozen::default(),
            cancel: CancellationToken::new(),
            sink: Arc::new(Quiet),
        }
    }
}

struct Quiet;

impl Sink for Quiet {
    fn progress(&self, _step: &StepId, _progress: Progress) {}

    fn secret(&self, _name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        async { Err(ActionError::permanent("there are no secrets")) }.boxed()
    }
}

impl World for Shop {
    fn action(&self) -> Arc<dyn DynAction> {
        Arc::new(self.restore())
    }

    fn params(&self) -> Value {
        self.params.clone()
    }

    fn fingerprint(&self) -> BoxFuture<'_, String> {
        // Numbers of transactions are no state, and neither is the backup that stays.
        let databases: Vec<String> =
            self.server().databases.iter().map(|(name, it)| format!("{name}: {} rows, open: {}", it.rows.len(), it.open)).collect();
        async move { databases.join("; ") }.boxed()
    }
}

fn params(backup: &str, accept: bool) -> Value {
    json!({ "postgres": { "pod": "statefulset/postgres", "database": "app" }, "backup": backup, "accept-data-loss": accept })
}

struct Shops;

impl Stage for Shops {
    type World = Shop;

    fn fresh(&self) -> BoxFuture<'_, Shop> {
        Shop::new(params(NAME, false)).boxed()
    }
}

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    assert_eq!(faults(&Shops).await, Vec::<String>::new());
}

/// Carries effects out and remembers them.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<DynEffect>>>);

impl Effects for Noted {
    fn intend(&self, _intent: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        let mut noted = self.0.lock().unwrap();
        let tickets = effects.into_iter().map(|(key, undo)| {
            let effect = DynEffect { key: key.clone(), undo: undo.clone(), known: Known::Open };
            noted.push(effect);
            ErasedTicket { key, undo, known: Known::Open }
        });
        let tickets: Vec<ErasedTicket> = tickets.collect();
        async move { Ok(tickets) }.boxed()
    }

    fn effect(
        &self,
        ticket: ErasedTicket,
        future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        let noted = self.clone();
        async move {
            let answer = future.await;
            let known = match &answer {
                Ok(after) => Known::Settled(Settled::Done(after.clone())),
                Err(EffectError::Refused(_)) => Known::Settled(Settled::NotDone),
                Err(EffectError::Lost(_)) => Known::Open,
            };
            noted.0.lock().unwrap().iter_mut().filter(|effect| effect.key == ticket.key).for_each(|effect| effect.known = known.clone());
            answer.map_err(|error| match error {
                EffectError::Refused(error) | EffectError::Lost(error) => error,
            })
        }
        .boxed()
    }
}

impl Shop {
    async fn perform(&self) -> (Noted, Result<Value, String>) {
        self.perform_until(CancellationToken::new()).await
    }

    async fn perform_until(&self, cancel: CancellationToken) -> (Noted, Result<Value, String>) {
        let noted = Noted::default();
        let performed = self.action().perform(ReadCx { cancel, ..self.read() }, Arc::new(noted.clone()), self.params()).await;
        let told = performed.map_err(|error| {
            let failure = error.into_failure();
            [vec![failure.message], failure.causes].concat().join("\n")
        });
        (noted, told)
    }

    /// Goes back; gives what became of the change of names, and what is said of it.
    async fn go_back(&self, noted: &Noted) -> (MarkKind, String) {
        let evidence = CancellationToken::new();
        let effects = noted.0.lock().unwrap().clone();
        let marks = self.action().compensate(UndoCx { read: self.read(), evidence }, self.params(), effects).await.unwrap();
        let mark = marks.into_iter().next_back().unwrap();
        (mark.kind, mark.notes.join("\n"))
    }

    fn rows(&self) -> usize {
        self.server().connect("app").rows.len()
    }
}

#[tokio::test]
async fn the_database_becomes_what_the_backup_holds_and_what_it_was_stays_beside_it() {
    let shop = Shop::new(params("latest", false)).await;
    let (noted, performed) = shop.perform().await;
    let output = performed.unwrap();
    assert_eq!(shop.rows(), 3);
    assert_eq!((&output["backup"], &output["rows"]), (&json!(NAME), &json!({ "public.users": 3 })));
    let before = output["before"].as_str().unwrap().to_owned();
    let rows: Vec<usize> = shop.server().databases.values().map(|database| database.rows.len()).collect();
    assert_eq!((rows, before.starts_with("bowline_before_")), (vec![3, 5], true));
    // Its own backup is whole, and the next `latest` does not mean it.
    let archive = Archive::new(Arc::new(SystemFiles), shop.root.path());
    let own = archive.verify(output["before-backup"].as_str().unwrap()).await.unwrap();
    assert_eq!(own.series, format!("{SERIES}-before-restore"));
    let (kind, notes) = shop.go_back(&noted).await;
    assert_eq!((kind, notes.as_str(), shop.rows(), shop.server().databases.len()), (MarkKind::Restored, "", 5, 1));
}

#[tokio::test]
async fn the_latest_is_one_of_the_database_behind_the_same_pod() {
    let shop = Shop::new(params("latest", false)).await;
    for (name, series, source) in [
        ("another-server", "conformance-app-11111111", "database app of statefulset/orders"),
        // Two of its series by mischance, and one from before it was noted how the database is reached.
        ("mischance", SERIES, "database app of statefulset/orders"),
        ("before", "conformance-app", "database app of statefulset/postgres"),
    ] {
        shop.store(name, series, source).await;
    }
    assert_eq!(shop.perform().await.1.unwrap()["backup"], NAME);
    std::fs::remove_file(shop.root.path().join(format!("{NAME}.json"))).unwrap();
    let error = Restore::choose(&shop.restore(), &shop.scope(), &serde_json::from_value(shop.params()).unwrap()).await.unwrap_err();
    let failure = error.into_failure();
    let told = [failure.message, failure.hint.unwrap()].join("\n").replace(&shop.root.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(told, @"
    no backup in FOLDER is one that this plan has made of database app of statefulset/postgres
    mischance is one of database app of statefulset/orders: if that is the same, give it by its name
    ");
    let named = Shop::new(params("before", false)).await;
    named.store("before", "conformance-app", "database app of statefulset/postgres").await;
    assert_eq!(named.perform().await.1.unwrap()["backup"], "before");
}

#[tokio::test]
async fn going_back_is_refused_once_somebody_has_written() {
    // Long before, and in the instant before the names are changed back.
    for at_the_last_moment in [false, true] {
        let shop = Shop::new(params(NAME, false)).await;
        let (noted, performed) = shop.perform().await;
        performed.unwrap();
        match at_the_last_moment {
            true => shop.server().last_word = true,
            false => shop.server().write("app"),
        }
        let (kind, notes) = shop.go_back(&noted).await;
        assert_eq!((kind, shop.rows(), shop.server().databases.len()), (MarkKind::Residue, 4, 2), "{notes}");
        insta::allow_duplicates!(insta::assert_snapshot!(notes, @"
        app was written to after it was restored, and going back would lose that: public.users: 1 row written
        app stays as it is; what it was before is the database bowline_before_20261121_000000_test_f329e3a3 on the same server, and the backup conformance-app-613f30cb-before-restore-20261121-000000-test-restore
        a step with `accept-data-loss: true` goes back all the same
        "));
    }
}

#[tokio::test]
async fn a_plan_that_accepts_the_loss_goes_back_and_is_told_what_was_lost() {
    let shop = Shop::new(params(NAME, true)).await;
    let (noted, performed) = shop.perform().await;
    performed.unwrap();
    shop.server().write("app");
    let (kind, notes) = shop.go_back(&noted).await;
    assert_eq!((kind, shop.rows()), (MarkKind::Restored, 5));
    insta::assert_snapshot!(notes, @"what was written to app after it was restored is lost, as the plan accepts: public.users: 1 row written");
}

#[tokio::test]
async fn what_somebody_dropped_is_not_guessed_at() {
    let shop = Shop::new(params(NAME, false)).await;
    let (noted, performed) = shop.perform().await;
    let before = performed.unwrap()["before"].as_str().unwrap().to_owned();
    shop.server().databases.remove(&before);
    assert_eq!((shop.go_back(&noted).await.0, shop.rows()), (MarkKind::Residue, 3));
    // Somebody else has put another database in its place.
    let other = shop.server().databases.remove("app").unwrap();
    shop.server().databases.insert("app".into(), Database { oid: other.oid + 1000, ..other });
    assert_eq!((shop.go_back(&noted).await.0, shop.rows()), (MarkKind::Kept, 3));
}

#[tokio::test]
async fn names_that_cannot_be_changed_leave_everybody_where_they_were() {
    let shop = Shop::new(params(NAME, false)).await;
    shop.server().stuck = true;
    let (noted, performed) = shop.perform().await;
    insta::assert_snapshot!(performed.unwrap_err(), @r#"
    app could not change its name
    ERROR:  database "app" is being accessed by other users
    "#);
    assert_eq!(shop.rows(), 5);
    shop.server().stuck = false;
    shop.go_back(&noted).await;
    assert_eq!((shop.rows(), shop.server().databases.len()), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_a_dead_bowline_still_makes_is_found() {
    let shop = Shop::new(params(NAME, false)).await;
    let (noted, performed) = shop.perform().await;
    performed.unwrap();
    let scratch = noted.0.lock().unwrap().iter().find(|effect| effect.key.0 == "scratch").cloned().unwrap();
    let settle = || async {
        let effect = DynEffect { known: Known::Open, ..scratch.clone() };
        shop.action().settle(shop.read(), shop.params(), effect).await.unwrap()
    };
    // Its own has become `app`; another bowline's command is on its way.
    assert_eq!(settle().await, Settled::NotDone);
    shop.server().late = Some(scratch.undo["scratch"]["database"].as_str().unwrap().to_owned());
    assert!(matches!(settle().await, Settled::Other(_)));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_being_made_when_the_restore_is_stopped_goes_as_well() {
    let shop = Shop::new(params(NAME, false)).await;
    let (slow, cancel) = (Arc::new(Slow::default()), CancellationToken::new());
    shop.server().slow = Some(slow.clone());
    let stop = async {
        slow.begun.notified().await;
        cancel.cancel();
    };
    let ((noted, performed), ()) = futures::future::join(shop.perform_until(cancel.clone()), stop).await;
    insta::assert_snapshot!(performed.unwrap_err(), @"it was stopped before it had a scratch database");
    let scratch = noted.0.lock().unwrap().iter().find(|effect| effect.key.0 == "scratch").cloned().unwrap();
    assert!(matches!(scratch.known, Known::Open), "whether it is made nobody has heard: {:?}", scratch.known);
    let end = async {
        // Time stands still until nobody can go on: going back waits for the turn.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        slow.go_on.notify_one();
    };
    futures::future::join(shop.go_back(&noted), end).await;
    // The command that makes has ended as well.
    let turn = Arc::clone(&shop.server().turn);
    drop(turn.lock().await);
    assert_eq!(shop.server().databases.keys().collect::<Vec<_>>(), ["app"]);
}

#[tokio::test]
async fn a_backup_that_is_damaged_or_restores_to_less_is_never_switched_to() {
    let mut told = Vec::new();
    for (from, to) in [("\"public.users\": 3", "\"public.users\": 4"), ("\"sha256\": \"", "\"sha256\": \"0")] {
        let shop = Shop::new(params(NAME, false)).await;
        let path = shop.root.path().join(format!("{NAME}.json"));
        let manifest = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, manifest.replace(from, to)).unwrap();
        told.push(shop.perform().await.1.unwrap_err());
        assert_eq!((shop.rows(), shop.server().databases.len()), (5, 1));
    }
    let shop = Shop::new(params("nothing-like-it", false)).await;
    let (_, performed) = shop.perform().await;
    told.push(performed.unwrap_err().replace(&shop.root.path().display().to_string(), "FOLDER"));
    insta::assert_snapshot!(told.join("\n"), @"
    conformance-app-old is not restored as it was: public.users has 3 rows of 4
    the backup conformance-app-old cannot be restored
    the backup `conformance-app-old` is damaged: its SHA-256 is not the one that was noted
    there is nothing to restore from
    there is no backup `nothing-like-it` in FOLDER
    ");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let root = tempfile::tempdir().unwrap();
    let postgres = Arc::new(Postgres(Arc::default()));
    let restore = Restore::new(postgres, Arc::new(SystemFiles), Arc::new(SystemClock), root.path().to_owned());
    let wrong = json!({ "postgres": { "pod": "postgres", "database": "host=x" }, "backup": "" });
    let params = serde_json::from_value::<RestoreParams>(wrong).unwrap();
    insta::assert_snapshot!(Action::problems(&restore, &params).join("\n"), @"
    `postgres` leads to no pod: write `pod/NAME`, `service/NAME`, `deployment/NAME`, `statefulset/NAME` or `selector/LABEL=VALUE`
    `host=x` cannot be used as a database's name
    `backup` names no backup: write its name, or `latest`
    ");
}
