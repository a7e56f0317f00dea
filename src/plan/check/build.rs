//! Makes the checked plan out of drafts without mistakes.

use super::guards::GuardSet;
use super::names::Names;
use super::order::{Order, graph_of};
use super::reversibility;
use crate::ids::{LockName, StepId};
use crate::plan::Problem;
use crate::plan::model::{Does, ForEach, Plan, Step, Undo};
use crate::plan::read::{Draft, Head, Named};
use crate::plan::written::Defaults;
use crate::record::{RetryPolicy, Reversibility};
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// Kinds whose second try may do harm.
const NOT_RETRIED: [&str; 4] = ["shell", "exec", "job", "restore"];

pub(super) fn plan(head: Head, drafts: Vec<Draft>, names: Names, order: &Order, guards: &[GuardSet], warnings: Vec<Problem>) -> Plan {
    let ids: Vec<StepId> = drafts.iter().map(|draft| draft.id.clone().expect("a checked step has an id")).collect();
    // In the memory of the drafts, as long as a step is no larger than its draft.
    let mut steps: Vec<Step> = drafts.into_iter().map(|draft| step(draft, &head.defaults)).collect();
    for (index, step) in steps.iter_mut().enumerate() {
        step.needs = order.needs[index].iter().flat_map(|&need| named(&ids[need], order.items_of(index, need))).collect();
    }
    for guard in guards {
        if let Does::Guard { guards, .. } = &mut steps[guard.step].does {
            *guards = guard.steps.iter().map(|&step| ids[step].clone()).collect();
        }
    }
    Plan {
        name: head.name.expect("a checked plan has a name"),
        about: head.about,
        inputs: head.inputs,
        environments: head.environments,
        secrets: head.secrets,
        concurrency: head.concurrency,
        lock: head.lock,
        lock_namespace: head.lock_namespace,
        simulate: head.simulate,
        families: IndexMap::new(),
        files: Vec::new(),
        warnings,
        index: names.places,
        graph: graph_of(&order.needs, &ids),
        steps,
    }
}

/// A step, or some of its items.
fn named(id: &StepId, items: Option<&BTreeSet<String>>) -> Vec<StepId> {
    match items {
        None => vec![id.clone()],
        Some(items) => items.iter().filter_map(|item| id.of_item(item).ok()).collect(),
    }
}

fn step(draft: Draft, defaults: &Defaults) -> Step {
    let reversibility = reversibility(&draft);
    let stays = stays(&draft, reversibility);
    let is_settled = is_settled(&draft);
    let locks = draft.lock_names().filter_map(|lock| LockName::new(&lock.id).ok()).collect();
    let id = draft.id.expect("a checked step has an id");
    let does = draft.does.expect("a checked step does something");
    let kind = draft.kind.expect("a checked step has a kind");
    let is_action = matches!(does, Does::Action(_));
    let may_retry = !NOT_RETRIED.contains(&kind.as_str()) || draft.idempotent || reversibility == Reversibility::ReadOnly;
    let default_retry = defaults.retry.as_ref().filter(|_| is_action && may_retry);
    let base = default_retry.map_or(RetryPolicy::ONCE, |retry| retry.over(RetryPolicy::ONCE));
    Step {
        id,
        kind,
        about: draft.about,
        needs: Vec::new(),
        does,
        for_each: draft.each.map(|each| Box::new(ForEach { items: each.items, max_parallel: draft.max_parallel })),
        item: None,
        locks,
        when: draft.when,
        retry: draft.retry.as_ref().map_or(base, |retry| retry.over(base)),
        timeout: draft.timeout.or(defaults.timeout.filter(|_| is_action)),
        continue_on_error: draft.continue_on_error,
        idempotent: draft.idempotent,
        undo: draft.undo,
        secrets: names(draft.secrets.iter().chain(&draft.undo_secrets)),
        undo_secrets: names(&draft.undo_secrets),
        reversibility,
        is_settled,
        stays,
    }
}

fn names<'a>(named: impl IntoIterator<Item = &'a Named>) -> BTreeSet<String> {
    named.into_iter().map(|named| named.id.to_string()).collect()
}

fn is_settled(draft: &Draft) -> bool {
    let is_literal = matches!(&draft.does, Some(Does::Action(params)) if params.is_literal());
    let says_nothing =
        draft.prepared.as_ref().is_some_and(|prepared| prepared.targets.is_empty() && !prepared.reads_files && !prepared.runs_commands);
    is_literal && says_nothing && !matches!(draft.undo, Undo::Steps(_))
}

/// What is kept on purpose, or is nothing to take back, counts as reversible for the engine; people want to know the difference.
fn stays(draft: &Draft, reversibility: Reversibility) -> Option<String> {
    match &draft.undo {
        _ if reversibility != Reversibility::Reversible => None,
        Undo::Nothing { why } => Some(why.clone()),
        _ if draft.prepared.as_ref().is_some_and(|prepared| prepared.kept) => Some("what it makes is meant to be kept".to_owned()),
        _ => None,
    }
}
