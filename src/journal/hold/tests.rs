//! Who may take a run in hand, and who is refused.

use crate::ids::RunId;
use crate::journal::fixture::{KEY, append, begin, identity, note, open, outside};
use crate::journal::tables::put_holder;
use crate::journal::{Held, JournalError, Refused, Request, RunFilter, RunState, StateFolder};
use crate::record::{CancelLevel, Holder, Mode, Outcome, What};

fn end(held: Held, seq: u64, what: What) -> RunId {
    let run = held.run().clone();
    append(&held, seq, what);
    held.release().unwrap();
    run
}

fn state(folder: &StateFolder, run: &RunId) -> RunState {
    folder.run(run).unwrap().state
}

/// Makes it look as if the holder had died, or had been somebody else.
fn forge_holder(folder: &StateFolder, run: &RunId, change: impl Fn(Holder) -> Holder) {
    let stored = folder.stored(run).unwrap();
    let held = stored.holder.unwrap();
    put_holder(&folder.writing().unwrap(), stored.no, &change(held.holder), held.since).unwrap();
}

#[test]
fn a_second_runner_is_refused_and_told_who_is_in_the_way() {
    let place = tempfile::tempdir().unwrap();
    let (folder, other) = (open(place.path()), open(place.path()));
    let held = folder.open_run(&identity("web")).unwrap();
    assert!(matches!(other.open_run(&identity("web")), Err(Refused::Opening(_))));
    begin(&held);
    let error = other.open_run(&identity("web")).unwrap_err();
    let Refused::Held(by) = &error else { panic!("{error}") };
    assert_eq!((&by.run, &by.holder), (held.run(), held.holder()));
    assert!(matches!(other.hold(held.run(), Mode::Abandon), Err(Refused::Held(_))));
    assert_eq!(state(&other, held.run()), RunState::Live);
    assert!(other.open_run(&identity("api")).is_ok(), "another plan is free");
}

#[test]
fn a_run_that_was_never_opened_leaves_no_trace() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(place.path());
    drop(folder.open_run(&identity("web")).unwrap());
    assert_eq!(folder.runs(&RunFilter::default()).unwrap(), []);
    assert!(folder.open_run(&identity("web")).is_ok());
}

#[test]
fn a_run_that_is_not_closed_keeps_the_next_one_out() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(place.path());
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    let run = end(held, 1, note("on its way"));
    assert_eq!(state(&folder, &run), RunState::Dead);
    let error = folder.open_run(&identity("web")).unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.hint().unwrap()).replace(run.as_str(), "RUN"), @r#"
    run RUN of `web` in `test` is not closed: dead
    `bowline resume RUN`, `bowline rollback RUN` or `bowline abandon RUN`
    "#);

    let held = folder.hold(&run, Mode::Rollback).unwrap();
    assert_eq!((held.epoch(), held.records().unwrap().len()), (2, 2));
    end(held, 2, What::RunHalted { outcome: Outcome::Stuck, reason: "residue".to_owned() });
    assert_eq!(state(&folder, &run), RunState::Stuck);

    let held = folder.hold(&run, Mode::Abandon).unwrap();
    end(held, 3, What::RunClosed { outcome: Outcome::Abandoned, notes: Vec::new() });
    assert_eq!(state(&folder, &run), RunState::Closed(Outcome::Abandoned));
    assert!(matches!(folder.hold(&run, Mode::Resume), Err(Refused::Closed { .. })));
    assert!(folder.open_run(&identity("web")).is_ok());
}

#[test]
fn a_dead_holder_is_taken_over() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(place.path());
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    let run = held.run().clone();
    drop(held);
    for change in [
        |holder: Holder| Holder { started: holder.started + 1, ..holder },
        |holder: Holder| Holder { pid: u32::MAX, ..holder },
        |holder: Holder| Holder { boot: "an earlier one".to_owned(), ..holder },
    ] {
        forge_holder(&folder, &run, change);
        assert_eq!(state(&folder, &run), RunState::Dead);
        assert!(matches!(folder.open_run(&identity("web")), Err(Refused::Unfinished { state: RunState::Dead, .. })));
        drop(folder.hold(&run, Mode::Resume).unwrap());
    }
}

#[test]
fn a_holder_whose_lock_file_was_taken_away_is_still_in_the_way() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(place.path());
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    std::fs::remove_dir_all(place.path().join("locks")).unwrap();
    std::fs::create_dir(place.path().join("locks")).unwrap();
    assert!(matches!(folder.open_run(&identity("web")), Err(Refused::Held(_))));
    assert!(matches!(folder.hold(held.run(), Mode::Resume), Err(Refused::Held(_))));
}

#[test]
fn a_run_of_another_machine_can_only_be_abandoned() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(place.path());
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    let run = held.run().clone();
    drop(held);
    forge_holder(&folder, &run, |holder| Holder {
        host: "far".to_owned(),
        boot: "another".to_owned(),
        pid: 7,
        user: "eve".to_owned(),
        ..holder
    });
    assert_eq!(state(&folder, &run), RunState::Elsewhere);
    assert!(matches!(folder.open_run(&identity("web")), Err(Refused::Elsewhere(_))));
    let error = folder.hold(&run, Mode::Resume).unwrap_err();
    assert_eq!(error.since(), folder.run(&run).unwrap().since);
    let told = format!("{error}\n{}", error.hint().unwrap()).replace(run.as_str(), "RUN");
    insta::assert_snapshot!(told, @r#"
    run RUN is held by process 7 of eve on far, which cannot be seen from here
    go on with it on far; if that machine is gone for good, `bowline abandon RUN`
    "#);
    let cancel = Request::Cancel { level: CancelLevel::Halt, by: "bob".to_owned() };
    assert!(matches!(folder.request(&run, &cancel), Err(Refused::Elsewhere(_))));
    assert!(folder.hold(&run, Mode::Abandon).is_ok());
}

#[test]
fn another_key_is_refused_before_anything_is_done() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(place.path());
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    let run = held.run().clone();
    drop(held);
    let other = StateFolder::open(place.path(), outside(), Some(KEY.replace('0', "f"))).unwrap();
    let error = other.hold(&run, Mode::Resume).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(run.as_str(), "RUN"), @"the journal's key cannot be used: run RUN was sealed with key 869e1df820029b4f, this is key 374b10a382345060: give that one as BOWLINE_KEY, or put its key file back");
    assert!(matches!(other.reader(&run), Err(Refused::Journal(JournalError::Key(_)))));
    assert!(other.hold(&run, Mode::Abandon).is_ok(), "a run whose key is lost can still be closed");
}

#[test]
fn an_unknown_run_is_told() {
    let place = tempfile::tempdir().unwrap();
    let run = RunId::new("20261121-034200-7f3a").unwrap();
    assert!(matches!(open(place.path()).hold(&run, Mode::Resume), Err(Refused::Unknown(_))));
}
