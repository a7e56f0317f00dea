//! Which step waits for which: edges from `needs` and from the order of the text, circles found, what goes without saying left out.

use super::Checker;
use super::guards::GuardSet;
use super::names::{Meant, Names};
use crate::plan::read::Named;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// Most steps of a circle that are told one by one.
const MOST_SHOWN: usize = 4;

/// The steps' order.
pub(super) struct Order {
    /// For each step the ones that it waits for, in the order of the text, without those that others of them wait for anyway.
    pub(super) needs: Vec<Vec<usize>>,
    /// The steps so that each comes after the ones it waits for.
    pub(super) sorted: Vec<usize>,
    /// Steps that wait for everything above them.
    waits_for_all_above: Vec<bool>,
    /// Where a step waits for some items of another one and not for all: their keys.
    items: HashMap<(usize, usize), BTreeSet<String>>,
    /// Steps of which it is not known what they wait for: something in their lists means nothing.
    unclear: BTreeSet<usize>,
}

impl Order {
    /// True when `earlier`, with all its items, is over before `later` begins.
    pub(super) fn is_before(&self, earlier: usize, later: usize) -> bool {
        self.way(earlier, None, later) == Some(true)
    }

    /// As [`Self::is_before`], of one item; also true when a mistake that is told already keeps it from being known.
    pub(super) fn may_be_before(&self, earlier: usize, item: Option<&str>, later: usize) -> bool {
        self.way(earlier, item, later) != Some(false)
    }

    /// The items of `need` that `step` waits for; none when it waits for the whole of it.
    pub(super) fn items_of(&self, step: usize, need: usize) -> Option<&BTreeSet<String>> {
        self.items.get(&(step, need))
    }

    /// Whether a way leads from a step down to an earlier one, or to that item of it; none when it cannot be known.
    fn way(&self, earlier: usize, item: Option<&str>, later: usize) -> Option<bool> {
        let (mut seen, mut open, mut is_clear) = (HashSet::from([later]), vec![later], true);
        while let Some(step) = open.pop() {
            if self.waits_for_all_above[step] && earlier < step {
                return Some(true);
            }
            is_clear &= !self.unclear.contains(&step);
            for &need in &self.needs[step] {
                let is_whole = || self.items_of(step, need).is_none_or(|items| item.is_some_and(|item| items.contains(item)));
                if need == earlier && is_whole() {
                    return Some(true);
                }
                if seen.insert(need) {
                    open.push(need);
                }
            }
        }
        is_clear.then_some(false)
    }

    /// True when whatever `step` waits for in `need` is over before `later` begins.
    fn is_spare(&self, step: usize, need: usize, later: usize) -> bool {
        match self.items_of(step, need) {
            Some(items) => items.iter().all(|item| self.way(need, Some(item), later) == Some(true)),
            None => self.is_before(need, later),
        }
    }
}

impl Checker<'_, '_> {
    /// The order of the steps; none, and told, when some wait for each other.
    pub(super) fn order(&mut self, names: &Names, guards: &[GuardSet]) -> Option<Order> {
        self.refuse_own_guards(names, guards);
        let (mut order, points_down) = self.edges(names, guards);
        let graph = graph_of(&order.needs, &vec![(); order.needs.len()]);
        match toposort(&graph, None) {
            Ok(sorted) => order.sorted = sorted.into_iter().map(NodeIndex::index).collect(),
            Err(_) => {
                self.tell_circles(&graph, &order, names);
                return None;
            }
        }
        self.reduce(&mut order, points_down);
        Some(order)
    }

    /// A guard is over when the steps that it holds are, so none of them can wait for it.
    fn refuse_own_guards(&mut self, names: &Names, guards: &[GuardSet]) {
        for step in 0..self.drafts.len() {
            let Some(named) = self.drafts[step].needs.take() else { continue };
            let own = |named: &Named| {
                let meant = names.get(&named.id).filter(|_| !names.is_unclear(&named.id));
                guards.iter().find(|guard| Some(guard.step) == meant && guard.steps.contains(&step)).map(|guard| guard.step)
            };
            let (refused, kept): (Vec<_>, Vec<_>) = named.into_iter().map(|named| (own(&named), named)).partition(|(own, _)| own.is_some());
            let kept: Vec<Named> = kept.into_iter().map(|(_, named)| named).collect();
            for (guard, named) in &refused {
                let help = match kept.is_empty() {
                    true => "remove `needs`: without it a step waits for all above it".to_owned(),
                    false => format!("remove `{}` from `needs`", named.id),
                };
                let message = format!("`{}` cannot wait for `{}`, which guards it", self.called(step), named.id);
                let problem = self.notes.error("plan::own-guard", &named.span, message);
                problem.also(&self.drafts[guard.unwrap_or(step)].id_span, "it ends when the steps are over that it guards");
                problem.help(help);
            }
            self.drafts[step].needs = (refused.is_empty() || !kept.is_empty()).then_some(kept);
        }
    }

    /// The edges as written. The second part says whether a step waits for one below it.
    fn edges(&mut self, names: &Names, guards: &[GuardSet]) -> (Order, bool) {
        let guarded: HashMap<usize, &GuardSet> = guards.iter().map(|guard| (guard.step, guard)).collect();
        let count = self.drafts.len();
        let mut order = Order {
            needs: Vec::with_capacity(count),
            sorted: Vec::new(),
            waits_for_all_above: vec![false; count],
            items: HashMap::new(),
            unclear: guards.iter().filter(|guard| guard.is_unclear).map(|guard| guard.step).collect(),
        };
        // The steps above that nothing above waits for: to wait for them is to wait for all above.
        let mut ends: BTreeSet<usize> = BTreeSet::new();
        let mut points_down = false;
        for index in 0..count {
            let needs: Vec<usize> = match self.drafts[index].needs.take() {
                None => {
                    order.waits_for_all_above[index] = true;
                    std::mem::take(&mut ends).into_iter().collect()
                }
                Some(named) => {
                    let (mut whole, mut parts) = self.needs(names, &named, index, &mut order);
                    whole.extend(guarded.get(&index).into_iter().flat_map(|guard| guard.steps.iter().copied()));
                    for need in &whole {
                        ends.remove(need);
                    }
                    parts.retain(|need, _| !whole.contains(need));
                    whole.extend(parts.keys());
                    order.items.extend(parts.into_iter().map(|(need, items)| ((index, need), items)));
                    self.drafts[index].needs = Some(named);
                    whole.into_iter().collect()
                }
            };
            points_down |= needs.last().is_some_and(|&last| last > index);
            ends.insert(index);
            order.needs.push(needs);
        }
        (order, points_down)
    }

    /// The steps that a step names, and the items of others.
    fn needs(
        &mut self,
        names: &Names,
        named: &[Named],
        index: usize,
        order: &mut Order,
    ) -> (BTreeSet<usize>, BTreeMap<usize, BTreeSet<String>>) {
        let (mut whole, mut parts) = (BTreeSet::new(), BTreeMap::<usize, BTreeSet<String>>::new());
        for named in named {
            match self.meant(names, named) {
                Meant::Step(step) | Meant::Item(step, _) if step == index => {
                    self.notes.error("plan::circle", &named.span, "a step cannot wait for itself").help("remove it from `needs`");
                }
                Meant::Step(step) => drop(whole.insert(step)),
                Meant::Item(step, item) => drop(parts.entry(step).or_default().insert(item)),
                Meant::Unclear => drop(order.unclear.insert(index)),
            }
        }
        (whole, parts)
    }

    /// Leaves out what goes without saying. Steps that wait for all above have nothing to leave out, unless some step points down.
    fn reduce(&self, order: &mut Order, points_down: bool) {
        for index in 0..order.needs.len() {
            let needs = order.needs[index].clone();
            if needs.len() > 1 && (points_down || !order.waits_for_all_above[index]) {
                let spare = |&need: &usize| !needs.iter().any(|&other| other != need && order.is_spare(index, need, other));
                order.needs[index] = needs.iter().copied().filter(spare).collect();
            }
        }
    }

    fn tell_circles(&mut self, graph: &DiGraph<(), ()>, order: &Order, names: &Names) {
        for component in kosaraju_scc(graph).into_iter().filter(|component| component.len() > 1) {
            let members: HashSet<usize> = component.into_iter().map(NodeIndex::index).collect();
            let circle = shortest_circle(order, &members);
            let edges: Vec<_> =
                circle.iter().zip(circle.iter().cycle().skip(1)).map(|(&from, &to)| self.edge_words(names, from, to)).collect();
            let Some((first, rest)) = edges.split_first() else { continue };
            let message = format!("these steps wait for each other: {}", self.told_circle(&circle));
            let help = self.way_out(&circle);
            let problem = self.notes.error("plan::circle", &first.0, message);
            problem.words(first.1.clone());
            // The first and the last are enough to see where it closes.
            let shown = if rest.len() < MOST_SHOWN { rest } else { &rest[rest.len() - 1..] };
            shown.iter().for_each(|(span, words)| {
                problem.also(span, words.clone());
            });
            problem.help(help);
        }
    }

    /// The steps of a circle; of many the first ones and the last.
    fn told_circle(&self, circle: &[usize]) -> String {
        let id = |&step: &usize| format!("`{}`", self.called(step));
        match circle {
            [first, second, between @ .., last] if circle.len() > MOST_SHOWN => {
                format!("{}, {}, {} between, {}", id(first), id(second), between.len(), id(last))
            }
            all => all.iter().map(id).collect::<Vec<_>>().join(", "),
        }
    }

    /// In every circle some step waits for one below it, which nobody expects of a list that is read from the top.
    fn way_out(&self, circle: &[usize]) -> String {
        let mut edges = circle.iter().zip(circle.iter().cycle().skip(1));
        match edges.find(|(from, to)| to > from) {
            Some((&from, &to)) => {
                let (from, to) = (self.called(from), self.called(to));
                format!("remove `{to}` from the `needs` of `{from}`, which stands above it, or another one of these")
            }
            None => "remove one of these from `needs`".to_owned(),
        }
    }

    fn edge_words(&self, names: &Names, from: usize, to: usize) -> (std::ops::Range<usize>, String) {
        let (draft, waits) = (&self.drafts[from], format!("`{}` waits for `{}`", self.called(from), self.called(to)));
        let lists = [&draft.needs, &draft.guards];
        let means = |named: &&Named| names.get(named.id.split('[').next().unwrap_or_default()) == Some(to);
        let named = lists.into_iter().flatten().flatten().find(means);
        match named {
            Some(named) => (named.span.clone(), waits),
            None => (draft.id_span.clone(), format!("{waits}, as for all above it")),
        }
    }
}

/// The steps as a graph, an edge from each to those that wait for it.
pub(in crate::plan) fn graph_of<N: Clone>(needs: &[Vec<usize>], nodes: &[N]) -> DiGraph<N, ()> {
    let mut graph = DiGraph::with_capacity(nodes.len(), needs.iter().map(Vec::len).sum());
    nodes.iter().for_each(|node| {
        graph.add_node(node.clone());
    });
    for (step, needs) in needs.iter().enumerate() {
        for &need in needs {
            graph.add_edge(NodeIndex::new(need), NodeIndex::new(step), ());
        }
    }
    graph
}

/// The shortest way from the first of these steps back to itself.
fn shortest_circle(order: &Order, members: &HashSet<usize>) -> Vec<usize> {
    let Some(&start) = members.iter().min() else { return Vec::new() };
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(step) = open.pop_front() {
        for &need in order.needs[step].iter().filter(|need| members.contains(need)) {
            if need == start {
                let mut circle = vec![step];
                while let Some(&before) = circle.last().and_then(|last| came_from.get(last)) {
                    circle.push(before);
                }
                circle.reverse();
                return circle;
            }
            if let Entry::Vacant(unseen) = came_from.entry(need) {
                unseen.insert(step);
                open.push_back(need);
            }
        }
    }
    members.iter().copied().collect()
}
