//! A plan with every `for-each` carried out: one step for each item, and everything that named the one step names them all.
//! It checks nothing but the items.

use super::bind::{BindProblem, BindProblems};
use super::check::graph_of;
use super::items;
use super::model::{Does, Family, Item, Items, Plan, Step};
use super::suggest::instead;
use crate::ids::StepId;
use petgraph::algo::toposort;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

impl Plan {
    /// The plan with the steps that its inputs ask for. Those of literal lists are there already; those of inputs that are not given here
    /// are not.
    ///
    /// # Errors
    /// When an input's items cannot tell steps apart, or have none that a step names.
    pub fn spread(self, inputs: &Value) -> Result<Self, BindProblems> {
        let mut problems = Vec::new();
        let mut items = HashMap::new();
        for step in &self.steps {
            let Some(Items::Input(name)) = step.for_each.as_ref().map(|each| &each.items) else { continue };
            let Some(value) = inputs.get(name) else { continue };
            match items::of(value) {
                Ok(found) => drop(items.insert(step.id.clone(), found)),
                Err(reasons) => problems.extend(reasons.into_iter().map(|reason| BindProblem {
                    message: format!("the input `{name}` cannot say what `{}` is there for: {reason}", step.id),
                    help: Some(items::HELP.to_owned()),
                })),
            }
        }
        self.steps.iter().for_each(|step| problems.extend(missing(step, &items)));
        match problems.is_empty() {
            true => Ok(self.with_items(items)),
            false => Err(BindProblems { plan: self.name.to_string(), problems }),
        }
    }

    /// The plan with the steps of its literal lists.
    pub(super) fn spread_known(self) -> Self {
        let known = self.steps.iter().filter_map(|step| match step.for_each.as_ref().map(|each| &each.items) {
            Some(Items::Known(items)) => Some((step.id.clone(), items.clone())),
            _ => None,
        });
        let known = known.collect();
        self.with_items(known)
    }

    /// True when every step is there that a run would have.
    pub fn is_spread(&self) -> bool {
        self.steps.iter().all(|step| step.for_each.is_none())
    }

    fn with_items(mut self, items: HashMap<StepId, Vec<Item>>) -> Self {
        if items.is_empty() {
            return self;
        }
        let stands_for = self.stands_for(&items);
        let named = |ids: Vec<StepId>| -> Vec<StepId> {
            let mut seen = HashSet::new();
            let all = ids.into_iter().flat_map(|id| stands_for.get(&id).cloned().unwrap_or_else(|| vec![id]));
            all.filter(|id| seen.insert(id.clone())).collect()
        };
        let mut steps = Vec::with_capacity(self.steps.len());
        for mut step in std::mem::take(&mut self.steps) {
            step.needs = named(step.needs);
            if let Does::Guard { guards, .. } = &mut step.does {
                // A guard holds the steps themselves: what stands before a step that is not there is another's affair.
                let all = guards.drain(..).flat_map(|id| match items.get(&id) {
                    Some(items) => ids_of(&id, items).into_iter().map(|(_, id)| id).collect(),
                    None => vec![id],
                });
                *guards = all.collect();
            }
            match items.get(&step.id) {
                Some(items) => steps.extend(self.members(&step, items)),
                None => steps.push(step),
            }
        }
        self.index = steps.iter().enumerate().map(|(place, step)| (step.id.clone(), place)).collect();
        let ids: Vec<StepId> = steps.iter().map(|step| step.id.clone()).collect();
        // One item of a step whose items are not known yet: the edge leads to the whole of it.
        let place = |id: &StepId| self.index.get(id).or_else(|| self.index.get(id.parts()?.0)).copied();
        let needs: Vec<Vec<usize>> = steps.iter().map(|step| step.needs.iter().filter_map(place).collect()).collect();
        self.graph = graph_of(&needs, &ids);
        self.steps = steps;
        self
    }

    /// The steps that stand where one stood: its own, or, where there is no item, those that it waited for.
    fn stands_for(&self, items: &HashMap<StepId, Vec<Item>>) -> HashMap<StepId, Vec<StepId>> {
        let mut stands_for: HashMap<StepId, Vec<StepId>> = HashMap::new();
        for node in toposort(&self.graph, None).unwrap_or_default() {
            let step = &self.steps[node.index()];
            let Some(items) = items.get(&step.id) else { continue };
            let instead = match items.is_empty() {
                true => step.needs.iter().flat_map(|need| stands_for.get(need).cloned().unwrap_or_else(|| vec![need.clone()])).collect(),
                false => ids_of(&step.id, items).into_iter().map(|(_, id)| id).collect(),
            };
            stands_for.insert(step.id.clone(), instead);
        }
        stands_for
    }

    fn members(&mut self, step: &Step, items: &[Item]) -> Vec<Step> {
        let members = ids_of(&step.id, items);
        let max_parallel = step.for_each.as_ref().and_then(|each| each.max_parallel);
        let all = members.iter().zip(items).map(|((_, id), item)| Step {
            id: id.clone(),
            for_each: None,
            item: Some(Box::new(item.clone())),
            ..step.clone()
        });
        let all = all.collect();
        let ids: Vec<StepId> = members.iter().map(|(_, id)| id.clone()).collect();
        self.simulate.spread(&step.id, &ids);
        self.families.insert(step.id.clone(), Family { members, max_parallel });
        all
    }
}

/// The items that a step names and that are not there.
fn missing(step: &Step, items: &HashMap<StepId, Vec<Item>>) -> Vec<BindProblem> {
    let needed = step.needs.iter().filter_map(|need| {
        let (family, item) = need.parts()?;
        Some((family.to_owned(), item.to_owned(), format!("`{}` waits for `{need}`", step.id)))
    });
    let references = step.references();
    let used = references.iter().filter(|reference| !reference.optional).filter_map(|reference| match reference.path.as_slice() {
        [root, family, item, ..] if root == "steps" => Some((family.clone(), item.clone(), format!("`{}` uses `{reference}`", step.id))),
        _ => None,
    });
    let told = needed.chain(used).filter_map(|(family, item, does)| {
        let items = items.get(family.as_str())?;
        let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
        let message = format!("{does}, and `{family}` has no item `{item}` with these inputs");
        (!keys.contains(&item.as_str())).then(|| BindProblem { message, help: Some(instead(&item, "items", keys)) })
    });
    told.collect()
}

fn ids_of(step: &StepId, items: &[Item]) -> Vec<(String, StepId)> {
    items.iter().filter_map(|item| Some((item.key.clone(), step.of_item(&item.key).ok()?))).collect()
}
