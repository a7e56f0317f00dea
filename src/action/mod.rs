//! The seam: what a kind of step must be able to do, and all that the engine knows of it. It knows no engine, no plan text and no cluster.

#[doc(hidden)]
pub mod conformance;
mod cx;
mod erased;
mod error;
mod finding;
mod redact;
mod registry;
mod source;

pub use cx::{Begun, Cx, Frozen, Known, Progress, ReadCx, RunScope, Secret, Sink, Ticket, UndoCx};
pub use erased::{DynAction, DynEffect, Effects, ErasedTicket, Prepared};
pub use error::{ActionError, EffectError};
pub use finding::{About, Asked, Finding, Sent};
pub use redact::{MASK, Redactor};
pub use registry::Registry;
pub use source::{Source, SourceError};

pub use crate::ports::Script;
use crate::record::{EffectKey, Mark, Reversibility, Settled, Target, UndoClass};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;

/// Data that can go into a run's journal and come back.
pub trait Stored: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Stored for T {}

/// A kind of thing that a step can do. Built with the ports that it needs; the engine sees it as a [`DynAction`].
///
/// # Idempotence
/// `perform` and `compensate` may be called again after they did all, half or nothing of their work, in this process or in a later one.
pub trait Action: Sized + Send + Sync + 'static {
    /// The YAML key.
    const KIND: &'static str;
    /// One sentence for people.
    const ABOUT: &'static str;
    /// What takes it back, for people: a sentence or two. The page of a published action tells it.
    const UNDONE: &'static str = "";
    /// A small plan that uses it, for people to copy. The page of a published action shows it.
    const EXAMPLE: &'static str = "";
    /// What it writes is worth an eye until the run closes: see [`Action::watch`].
    const WATCHED: bool = false;
    /// What the plan says, with every template rendered.
    type Params: Stored + JsonSchema;
    /// The data from which one effect can be taken back; it is durable before the effect.
    type Undo: Stored;
    /// What one effect's write returned.
    type After: Stored;
    /// What later steps may refer to.
    type Output: Stored + JsonSchema;

    /// Says how far this use can be taken back.
    fn reversibility(&self, params: &Self::Params) -> Reversibility;

    /// Names what this use writes. What its files hold may say so, too.
    fn targets(&self, scope: &RunScope, frozen: &Frozen, params: &Self::Params) -> Vec<Target>;

    /// Finds mistakes in parameters that their types allow. One message each.
    fn problems(&self, _params: &Self::Params) -> Vec<String> {
        Vec::new()
    }

    /// Names the files beside the plan that this use reads: paths, folders or globs. They are frozen when the run opens.
    fn sources(&self, _params: &Self::Params) -> Vec<String> {
        Vec::new()
    }

    /// Looks into those files, as far as they are there: what in them does not fit the parameters. A text that is a template stands for
    /// what is not known yet.
    fn look_into(&self, _frozen: &Frozen, _params: &Self::Params) -> Vec<Finding> {
        Vec::new()
    }

    /// Names programs whose output this use reads like a file. Each runs once, when the run opens, and must only print: see
    /// [`Frozen::printed`].
    fn commands(&self, _params: &Self::Params) -> Vec<Script> {
        Vec::new()
    }

    /// Names programs that this use runs on this machine when it is done.
    fn programs(&self, _params: &Self::Params) -> Vec<Script> {
        Vec::new()
    }

    /// What else this use asks of the outside. What it can do without is left out.
    fn asks(&self, _params: &Self::Params) -> Vec<Asked> {
        Vec::new()
    }

    /// The objects that this use sends to a cluster whole, as far as they are known before it does.
    fn sent(&self, _frozen: &Frozen, _params: &Self::Params) -> Vec<Sent> {
        Vec::new()
    }

    /// True when an attempt whose end nobody knows may simply be repeated.
    fn repeatable(&self, _params: &Self::Params) -> bool {
        false
    }

    /// True when what it leaves is meant to stay although the run goes back, as a backup is: it needs no guard.
    fn is_kept(&self, _params: &Self::Params) -> bool {
        false
    }

    /// Tells what `perform` would change, and changes nothing.
    fn preview(&self, cx: &ReadCx, params: &Self::Params) -> impl Future<Output = Result<Preview, ActionError>> + Send;

    /// Tells which rights we lack for doing it and for taking it back, one line each. Asked before anything of the run is written.
    fn missing_rights(&self, _cx: &ReadCx, _params: &Self::Params) -> impl Future<Output = Result<Vec<String>, ActionError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Does it. Every effect goes through [`Cx::intend`] and [`Cx::effect`].
    fn perform(&self, cx: &Cx<Self>, params: &Self::Params) -> impl Future<Output = Result<Self::Output, ActionError>> + Send;

    /// Sees to it that an effect of a process that is gone cannot happen any more, should it still be on its way. Asked before
    /// [`Action::settle`] when somebody else takes the run up: what is found then stays true.
    fn fence(&self, _cx: &ReadCx, _params: &Self::Params, _effect: &Begun<Self>) -> impl Future<Output = Result<(), ActionError>> + Send {
        async { Ok(()) }
    }

    /// Finds out whether an effect happened whose answer was lost.
    fn settle(
        &self,
        cx: &ReadCx,
        params: &Self::Params,
        effect: &Begun<Self>,
    ) -> impl Future<Output = Result<Settled<Self::After>, ActionError>> + Send;

    /// Takes the effects back, in whatever order is right, and marks each.
    fn compensate(
        &self,
        cx: &UndoCx,
        params: &Self::Params,
        effects: Vec<Begun<Self>>,
    ) -> impl Future<Output = Result<Vec<Mark>, ActionError>> + Send;

    /// Sees to it that what an effect began does not run on beside the plan's own `undo:`. Asked before each try of that, which takes back
    /// instead of [`Action::compensate`].
    fn make_way(
        &self,
        _cx: &UndoCx,
        _params: &Self::Params,
        _effects: Vec<Begun<Self>>,
    ) -> impl Future<Output = Result<(), ActionError>> + Send {
        async { Ok(()) }
    }

    /// Watches what was written and tells who else changes it, once for each object and hand. It ends when it cannot go on; the engine
    /// drops it when the step is taken back or the run ends. Asked only where [`Action::WATCHED`] says so.
    fn watch(
        &self,
        _cx: &ReadCx,
        _params: &Self::Params,
        _effects: Vec<Begun<Self>>,
        _tell: &Telling<'_>,
    ) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Keeps what explains a failure. Never fails: what cannot be had is left out.
    fn evidence(&self, _cx: &ReadCx, _params: &Self::Params, _effects: Vec<Begun<Self>>) -> impl Future<Output = Vec<Evidence>> + Send {
        async { Vec::new() }
    }
}

/// Somebody else changed what a step wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Superseded {
    /// What was changed.
    pub target: Target,
    /// Who changed it; none when it is gone.
    pub by: Option<String>,
}

/// Where a watch tells what it sees.
pub type Telling<'a> = dyn Fn(Superseded) + Send + Sync + 'a;

/// What an action would change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Preview {
    /// The changes, in the order in which they would be made.
    pub changes: Vec<Change>,
    /// What speaks against doing it: a refusal by the server, a missing right.
    pub refusals: Vec<String>,
    /// What is worth knowing besides.
    pub notes: Vec<String>,
}

/// One change that an action would make.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// What is changed.
    pub target: Target,
    /// `create`, `change`, `delete`, `run`.
    pub verb: String,
    /// Lines of a diff, or words.
    pub lines: Vec<String>,
}

/// Something that was looked at when a step failed.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Evidence {
    /// What it is: `pod/web-blue-7d9f status`, `events`, `last log lines of web`.
    pub title: String,
    /// The text.
    pub text: String,
}

/// Makes an effect's key from what it does and to what.
pub fn key(verb: &str, target: &Target) -> EffectKey {
    EffectKey(smol_str::format_smolstr!("{verb}:{}", target.0))
}

/// How urgently effects are undone, said when they are intended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intent {
    /// Their class; unchanged when none.
    pub class: Option<UndoClass>,
    /// One of them cannot be taken back after all.
    pub irreversible: bool,
}
