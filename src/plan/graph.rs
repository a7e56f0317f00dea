//! The summary of a plan's graph that a run keeps.

use super::model::{Does, Items, Plan, Step, Undo};
use super::read::BUDGET;
use crate::expr::Reference;
use crate::ids::StepId;
use crate::record::{Graph, GuardSummary, LimitSummary, Role, StepSummary};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};

impl Plan {
    /// All that deciding needs to know of the plan.
    pub fn summary(&self) -> Graph {
        Graph {
            steps: self.steps.iter().map(|one| StepSummary { needs: self.known_needs(one), ..step(one) }).collect(),
            guards: self.steps.iter().filter_map(guard).collect(),
            concurrency: self.concurrency,
            budget: BUDGET,
            limits: self.limits(),
            verified: self.guard_of_the_start().and_then(guard).is_some_and(|guard| guard.verified),
            halts_on_failure: false,
        }
    }

    /// The steps that it waits for; instead of an item that is not there yet the step that it will be an item of.
    fn known_needs(&self, step: &Step) -> Vec<StepId> {
        let known = |id: &StepId| self.index.contains_key(id).then(|| id.clone()).or_else(|| StepId::new(id.parts()?.0).ok());
        let mut needs: Vec<StepId> = step.needs.iter().filter_map(known).collect();
        needs.dedup();
        needs
    }

    /// The steps that are there once for each item of an input that has no value yet, and that input.
    pub fn spreading(&self) -> BTreeMap<StepId, String> {
        let input = |step: &Step| match &step.for_each.as_ref()?.items {
            Items::Input(input) => Some((step.id.clone(), input.clone())),
            Items::Known(_) => None,
        };
        self.steps.iter().filter_map(input).collect()
    }

    /// One at a time of those that name a lock, a few at a time of those that are there for items.
    fn limits(&self) -> Vec<LimitSummary> {
        let mut locks: IndexMap<&str, Vec<StepId>> = IndexMap::new();
        for step in &self.steps {
            step.locks.iter().for_each(|lock| locks.entry(lock.as_str()).or_default().push(step.id.clone()));
        }
        let locks = locks.into_iter().map(|(name, steps)| LimitSummary { name: name.to_owned(), most: 1, steps });
        let families = self.families.iter().filter_map(|(id, family)| {
            let steps = family.members.iter().map(|(_, id)| id.clone()).collect();
            Some(LimitSummary { name: id.to_string(), most: family.max_parallel?, steps })
        });
        locks.chain(families).collect()
    }

    /// The steps whose doings stay when the run goes back, and why.
    pub fn staying(&self) -> BTreeMap<StepId, String> {
        self.steps.iter().filter_map(|step| Some((step.id.clone(), step.stays.clone()?))).collect()
    }

    /// The last guard that goes back to the start of the plan: what it says of the world after its rollback holds after a rollback of
    /// everything, too. A guard that begins later speaks of a world that is then gone.
    pub fn guard_of_the_start(&self) -> Option<&Step> {
        let is_first = |step: &&Step| step.needs.is_empty() && !matches!(step.does, Does::Guard { .. });
        let goes_back_to_start = |step: &&Step| match &step.does {
            Does::Guard { guards, .. } => self.steps.iter().filter(is_first).all(|first| guards.contains(&first.id)),
            _ => false,
        };
        self.steps.iter().rev().find(goes_back_to_start)
    }
}

impl Plan {
    /// The steps whose outputs a step refers to.
    pub fn outputs_used(&self, step: &Step) -> BTreeSet<StepId> {
        let references = step.references();
        let steps = references.iter().filter(|reference| reference.path.first().is_some_and(|name| name == "steps"));
        steps
            .filter_map(|reference| reference.path.get(1).map(|id| (id, reference.path.get(2))))
            .flat_map(|(id, item)| self.steps_of(id, item))
            .collect()
    }

    /// The steps that an id of the plan's text stands for, or the one for an item.
    fn steps_of(&self, id: &str, item: Option<&String>) -> Vec<StepId> {
        match self.families.get(id) {
            Some(family) => {
                let meant = family.members.iter().filter(|(key, _)| item.is_none_or(|item| item == key));
                meant.map(|(_, id)| id.clone()).collect()
            }
            None => StepId::new(id).into_iter().collect(),
        }
    }
}

impl Step {
    /// The names in its expressions. What a guard verifies is asked only after a rollback.
    pub(super) fn references(&self) -> Vec<Reference> {
        let mut references = self.when.as_ref().map(|when| when.references().to_vec()).unwrap_or_default();
        match &self.does {
            Does::Action(params) => references.extend(params.references()),
            Does::Approve { message } => references.extend(message.references()),
            Does::Pause { time } => references.extend(time.references()),
            Does::Guard { .. } => {}
        }
        if let Undo::Steps(steps) = &self.undo {
            references.extend(steps.iter().flat_map(|(_, params)| params.references()));
        }
        references
    }
}

fn step(step: &Step) -> StepSummary {
    let role = match step.does {
        Does::Action(_) => Role::Action,
        Does::Approve { .. } => Role::Approve,
        Does::Pause { .. } => Role::Pause,
        Does::Guard { .. } => Role::Guard,
    };
    StepSummary {
        id: step.id.clone(),
        kind: step.kind.clone(),
        role,
        needs: step.needs.clone(),
        reversibility: step.reversibility,
        retry: step.retry,
        timeout: step.timeout,
        continue_on_error: step.continue_on_error,
        idempotent: step.idempotent,
        stays: step.stays.is_some(),
    }
}

fn guard(step: &Step) -> Option<GuardSummary> {
    match &step.does {
        Does::Guard { guards, budget, verify } => Some(GuardSummary {
            id: step.id.clone(),
            guards: guards.iter().cloned().collect(),
            budget: *budget,
            verified: !verify.is_empty(),
        }),
        _ => None,
    }
}
