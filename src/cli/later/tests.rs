//! Which of two runs wrote later, whatever their clocks and ids say.

use super::{last_written, written_since};
use crate::engine::Core;
use crate::ids::{Moment, PlanName, RunId, StepId};
use crate::journal::{Held, Identity, Outside, StateFolder};
use crate::record::{
    AttemptResult, BlobRef, Cause, EffectKey, Holder, Mode, Outcome, Record, Reversibility, Scope, Target, UndoResult, VERSION, What,
};
use crate::report::samples;
use futures::executor::block_on;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

fn id(name: &str) -> StepId {
    StepId::new(name).unwrap()
}

fn opened(run: &str, plan: &str, blob: BlobRef) -> What {
    let steps = ["one", "two"].map(|name| samples::step(name, "apply", Reversibility::Reversible, &[]));
    What::RunOpened {
        run: RunId::new(run).unwrap(),
        plan: PlanName::new(plan).unwrap(),
        environment: None,
        graph: Arc::new(samples::graph(steps.into(), Vec::new())),
        frozen: blob,
        simulated: false,
    }
}

/// A step writes this.
fn wrote(step: &str, object: &str, blob: BlobRef) -> [What; 4] {
    let key = EffectKey(format!("apply:kube:ConfigMap/shop/{object}").into());
    let effects = vec![(key.clone(), blob)];
    [
        What::AttemptStarted { step: id(step), attempt: 1, params: None, targets: Vec::new(), until: None },
        What::EffectsIntended { step: id(step), effects, class: None, irreversible: false },
        What::EffectDone { step: id(step), key, after: blob },
        What::AttemptEnded { step: id(step), attempt: 1, result: AttemptResult::Succeeded { output: None } },
    ]
}

fn holder() -> Holder {
    Holder { host: "h".to_owned(), pid: 1, started: 1, boot: "b".to_owned(), user: "u".to_owned() }
}

fn closed() -> What {
    What::RunClosed { outcome: Outcome::Succeeded, notes: Vec::new() }
}

fn second_taken_back() -> [What; 5] {
    let (scope, cause) = (Scope::Step(id("two")), Cause { step: None, reason: "asked for".to_owned() });
    [
        What::EpochOpened { holder: holder(), mode: Mode::Rollback, spared: Vec::new(), step: Some(id("two")) },
        What::RollbackOpened { scope, cause, deadline: Moment::from_millis(9) },
        What::UndoStarted { step: id("two"), attempt: 1 },
        What::UndoEnded { step: id("two"), attempt: 1, result: UndoResult::Undone { marks: Vec::new() } },
        What::RunClosed { outcome: Outcome::RolledBack, notes: Vec::new() },
    ]
}

/// A run that wrote with two steps, and of which the second was taken back.
fn half_taken_back() -> Vec<Record> {
    let mut whats = vec![opened("r1", "web", samples::blob())];
    whats.extend(["one", "two"].into_iter().flat_map(|name| wrote(name, name, samples::blob())));
    whats.push(closed());
    whats.extend(second_taken_back());
    let reopened = whats.iter().position(|what| matches!(what, What::EpochOpened { .. })).unwrap();
    let record =
        |(seq, what)| Record { v: 1, seq: seq as u64, at: Moment::from_millis(0), epoch: if seq < reopened { 1 } else { 2 }, what };
    whats.into_iter().enumerate().map(record).collect()
}

#[test]
fn what_was_taken_back_is_no_longer_written_and_the_rest_still_is() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path());
    write(&folder, "r1", 0, &[], true);
    let commits = folder.commits(&RunId::new("r1").unwrap()).unwrap();
    let written = |records: &[Record]| last_written(records, &commits).into_keys().map(|target| target.0).collect::<Vec<_>>().join(" ");
    let records = half_taken_back();
    assert_eq!(written(&records), "kube:ConfigMap/shop/one");
    assert_eq!(written(&records[..10]), "kube:ConfigMap/shop/one kube:ConfigMap/shop/two", "before it was");
    assert_eq!(written(&records[1..]), "kube:ConfigMap/shop/one kube:ConfigMap/shop/two", "what makes no sense is taken for the worst");
}

fn folder(path: &Path) -> StateFolder {
    StateFolder::open(path, Outside::from(&crate::cli::testing::ports()), None).unwrap()
}

/// A step and the object that it writes.
type Writes<'a> = &'a [(&'a str, &'a str)];

/// `at` is what the run's clock shows.
fn append(held: &Held, at: i64, first: impl FnOnce(BlobRef) -> What, writes: Writes<'_>, is_over: bool) {
    let blob = held.journal().seal(b"sealed").unwrap();
    let writes = writes.iter().flat_map(|(step, object)| wrote(step, object, blob));
    store(held, at, [first(blob)].into_iter().chain(writes).chain(is_over.then(closed)));
}

fn store(held: &Held, at: i64, whats: impl IntoIterator<Item = What>) {
    let due = held.records().unwrap().len() as u64;
    for (seq, what) in (due..).zip(whats) {
        held.journal().append(Record { v: VERSION, seq, at: Moment::from_millis(at), epoch: held.epoch(), what }).unwrap();
    }
    block_on(held.journal().durable()).unwrap();
}

/// A run of a plan of its own writes these, and lets go.
fn write(folder: &StateFolder, run: &str, at: i64, writes: Writes<'_>, is_over: bool) {
    let plan = format!("of-{run}");
    let identity = Identity { plan: PlanName::new(&plan).unwrap(), environment: None };
    let held = folder.open_run_as(&identity, Some(RunId::new(run).unwrap())).unwrap();
    append(&held, at, |blob| opened(run, &plan, blob), writes, is_over);
}

fn resume(folder: &StateFolder, run: &str, at: i64, writes: Writes<'_>, is_over: bool) {
    let held = folder.hold(&RunId::new(run).unwrap(), Mode::Resume).unwrap();
    let taken = What::EpochOpened { holder: holder(), mode: Mode::Resume, spared: Vec::new(), step: None };
    append(&held, at, |_| taken, writes, is_over);
}

/// Who has written what of this run's since.
fn since(folder: &StateFolder, run: &str) -> String {
    let run = RunId::new(run).unwrap();
    let records = folder.records(&run).unwrap();
    let core = Core::replay(&records).unwrap();
    let steps: BTreeSet<&StepId> = core.steps().map(|(id, _)| id).collect();
    written_since(folder, &run, &records, &core, &steps).unwrap().told().join("; ")
}

#[test]
fn a_run_that_opened_earlier_and_wrote_later_is_the_later_one() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path());
    write(&folder, "r0", 10, &[("one", "other")], false);
    write(&folder, "r1", 20, &[("one", "web")], true);
    assert_eq!(since(&folder, "r1"), "");
    resume(&folder, "r0", 30, &[("two", "web")], true);
    assert_eq!(since(&folder, "r1"), "run r0 of `of-r0` has written ConfigMap/shop/web since");
    assert_eq!(since(&folder, "r0"), "", "that it opened later makes nothing of it later");
}

#[test]
fn nobody_is_in_the_way_of_what_was_taken_back_already() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path());
    write(&folder, "r1", 10, &[("one", "web"), ("two", "api")], true);
    store(&folder.hold(&RunId::new("r1").unwrap(), Mode::Rollback).unwrap(), 20, second_taken_back());
    write(&folder, "r2", 30, &[("one", "api")], true);
    assert_eq!(since(&folder, "r1"), "");
    write(&folder, "r3", 40, &[("one", "web")], true);
    assert_eq!(since(&folder, "r1"), "run r3 of `of-r3` has written ConfigMap/shop/web since");
}

#[test]
fn no_clock_that_is_set_changes_who_wrote_later() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path());
    write(&folder, "r1", 90_000, &[("one", "web")], true);
    write(&folder, "r2", 20, &[("one", "web")], true);
    assert_eq!(since(&folder, "r1"), "run r2 of `of-r2` has written ConfigMap/shop/web since");
    assert_eq!(since(&folder, "r2"), "");
}

#[test]
fn an_older_run_that_was_imported_is_in_nobodys_way_and_a_newer_one_is() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (folder, elsewhere) = (self::folder(here.path()), self::folder(there.path()));
    write(&folder, "r1", 1_000, &[("one", "web")], true);
    for (run, at) in [("older", 500), ("newer", 2_000)] {
        write(&elsewhere, run, at, &[("one", "web")], true);
        let mut export = Vec::new();
        elsewhere.export(&RunId::new(run).unwrap(), &mut export).unwrap();
        folder.import(&mut &export[..]).unwrap();
    }
    assert_eq!(since(&folder, "r1"), "run newer of `of-newer` has written ConfigMap/shop/web since");
    assert_eq!(since(&folder, "newer"), "");
    assert_eq!(since(&folder, "older").matches("has written").count(), 2);
}

#[test]
fn what_is_known_to_stay_already_is_not_told_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path());
    write(&folder, "r1", 10, &[("one", "web"), ("two", "api")], false);
    write(&folder, "r2", 20, &[("one", "web"), ("two", "api")], true);
    let run = RunId::new("r1").unwrap();
    let records = folder.records(&run).unwrap();
    let core = Core::replay(&records).unwrap();
    let steps: BTreeSet<&StepId> = core.steps().map(|(id, _)| id).collect();
    let later = written_since(&folder, &run, &records, &core, &steps).unwrap();
    assert_eq!(later.told(), ["run r2 of `of-r2` has written ConfigMap/shop/api and 1 more since"]);
    let known = [Target("kube:ConfigMap/shop/api".to_owned())];
    assert_eq!(later.clone().beyond(&known).told(), ["run r2 of `of-r2` has written ConfigMap/shop/web since"]);
    assert!(later.clone().beyond(&later.spared()).is_nothing());
}
