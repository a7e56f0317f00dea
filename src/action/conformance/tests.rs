//! The kit itself: a right action passes, and every wrong one is found.

use super::{Stage, World, faults};
use crate::action::{Action, ActionError, Begun, Cx, DynAction, Frozen, Preview, ReadCx, RunScope, UndoCx};
use crate::record::{EffectKey, Mark, MarkKind, Reversibility, Settled, Target};
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What an action may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    PreviewWrites,
    WritesBeforeIntent,
    RepeatsWhatIsDone,
    ForgetsTheLastUndo,
    UndoesTwice,
    SettlesAlwaysDone,
    SettlesNeverDone,
    MarksNothing,
    CallsItselfReadOnly,
}

type Books = Arc<Mutex<BTreeMap<String, String>>>;

/// Puts books on a shelf: a second book on the same place is laid upon the first.
#[derive(Clone)]
struct Shelve {
    books: Books,
    flaw: Option<Flaw>,
}

impl Shelve {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn books(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.books.lock().unwrap()
    }

    fn put(&self, place: &str) {
        self.books().entry(place.to_owned()).or_default().push_str("+new");
    }
}

impl Action for Shelve {
    const KIND: &'static str = "shelve";
    const ABOUT: &'static str = "Put books on a shelf.";
    type Params = Vec<String>;
    type Undo = Option<String>;
    type After = ();
    type Output = ();

    fn reversibility(&self, _params: &Vec<String>) -> Reversibility {
        if self.has(Flaw::CallsItselfReadOnly) { Reversibility::ReadOnly } else { Reversibility::Reversible }
    }

    fn targets(&self, _scope: &RunScope, _frozen: &Frozen, _params: &Vec<String>) -> Vec<Target> {
        Vec::new()
    }

    async fn preview(&self, _cx: &ReadCx, params: &Vec<String>) -> Result<Preview, ActionError> {
        if self.has(Flaw::PreviewWrites) {
            self.put(&params[0]);
        }
        Ok(Preview::default())
    }

    async fn perform(&self, cx: &Cx<Self>, params: &Vec<String>) -> Result<(), ActionError> {
        if self.has(Flaw::WritesBeforeIntent) && !self.books().contains_key("dust") {
            self.put("dust");
        }
        let effects = params.iter().map(|place| (EffectKey(place.as_str().into()), self.books().get(place).cloned())).collect();
        for ticket in cx.intend(crate::action::Intent::default(), effects).await? {
            if ticket.known.done().is_some() && !self.has(Flaw::RepeatsWhatIsDone) {
                continue;
            }
            let (shelf, place) = (self.clone(), ticket.key.0.to_string());
            cx.effect(ticket, async move {
                shelf.put(&place);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn settle(&self, _cx: &ReadCx, _params: &Vec<String>, effect: &Begun<Self>) -> Result<Settled<()>, ActionError> {
        let changed = self.books().get(effect.key.0.as_str()) != effect.undo.as_ref();
        let done = (changed && !self.has(Flaw::SettlesNeverDone)) || self.has(Flaw::SettlesAlwaysDone);
        Ok(if done { Settled::Done(()) } else { Settled::NotDone })
    }

    async fn compensate(&self, _cx: &UndoCx, _params: &Vec<String>, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let last = effects.len().saturating_sub(1);
        let mut marks = Vec::new();
        for (number, effect) in effects.into_iter().enumerate() {
            let skipped = self.has(Flaw::ForgetsTheLastUndo) && number == last;
            match effect.undo {
                _ if skipped => {}
                Some(book) => drop(self.books().insert(effect.key.0.to_string(), book)),
                None => drop(self.books().remove(effect.key.0.as_str())),
            }
            marks.push(Mark { key: effect.key, kind: MarkKind::Restored, notes: Vec::new() });
        }
        if self.has(Flaw::UndoesTwice) {
            self.put("undone");
        }
        if self.has(Flaw::MarksNothing) {
            marks.clear();
        }
        Ok(marks)
    }
}

struct Shelf(Shelve);

impl World for Shelf {
    fn action(&self) -> Arc<dyn DynAction> {
        Arc::new(self.0.clone())
    }

    fn params(&self) -> Value {
        json!(["top", "middle", "bottom"])
    }

    fn fingerprint(&self) -> BoxFuture<'_, String> {
        async { format!("{:?}", self.0.books()) }.boxed()
    }
}

struct Library(Option<Flaw>);

impl Stage for Library {
    type World = Shelf;

    fn fresh(&self) -> BoxFuture<'_, Shelf> {
        let books = BTreeMap::from([("top".to_owned(), "old".to_owned())]);
        async { Shelf(Shelve { books: Arc::new(Mutex::new(books)), flaw: self.0 }) }.boxed()
    }
}

#[tokio::test]
async fn an_action_that_holds_everything_passes() {
    assert_eq!(faults(&Library(None)).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_flaw_is_found_where_it_shows() {
    let flaws = [
        (Flaw::PreviewWrites, "preview: it changed the world"),
        (Flaw::WritesBeforeIntent, "crash between intent and effect 0, then compensate: the world changed before the first effect"),
        (Flaw::RepeatsWhatIsDone, "perform twice: the second time changed the world"),
        (Flaw::ForgetsTheLastUndo, "compensate: the first time it said that all is as before"),
        (Flaw::UndoesTwice, "compensate after nothing: it changed the world"),
        (Flaw::SettlesAlwaysDone, "crash between intent and effect 0, then compensate: `top` was settled as done and never happened"),
        (Flaw::SettlesNeverDone, "crash between effect 0 and its record, then compensate: `top` was settled as not done and happened"),
        (Flaw::MarksNothing, "compensate: the marks are for []"),
        (Flaw::CallsItselfReadOnly, "perform: it calls itself read-only and is not"),
    ];
    for (flaw, expected) in flaws {
        let faults = faults(&Library(Some(flaw))).await;
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{flaw:?} gave {faults:#?}");
    }
}
