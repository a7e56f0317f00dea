//! Draws a plan's graph as a tree for a terminal: order, guards, what can be taken back, the pivot. Pure text, no colours.

mod alike;
mod past;

use super::words;
use super::wrap::{wrap, wrap_behind};
use crate::ids::StepId;
use crate::record::{Graph, GuardSummary, Reversibility, Role, StepSummary};
use alike::Alike;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Stands before a step whose doings stay.
const STAYS: char = '=';

/// The fewest columns in which notes stand beside a step; in fewer they stand below it.
const BESIDE: usize = 28;

/// One line of the tree before its columns are aligned.
struct Row<'a> {
    step: &'a StepSummary,
    /// The branches that lead to it.
    branch: String,
    /// The branches that pass by below it.
    below: String,
    /// What it needs besides the step that it hangs from.
    also: Vec<&'a StepId>,
    /// It waits for nothing, and another step that does not stands above it.
    is_beside: bool,
}

/// What a plan knows of its steps besides their graph.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remarks {
    /// Steps whose doings stay when the run goes back, and why.
    pub staying: BTreeMap<StepId, String>,
    /// Steps that are there once for each item of an input that has no value yet, and that input.
    pub spreading: BTreeMap<StepId, String>,
}

/// Draws the tree, in a terminal of this width: notes that do not fit go on below themselves, between the lines of the tree.
pub fn draw(name: &str, graph: &Graph, remarks: &Remarks, width: Option<usize>) -> Vec<String> {
    let count = graph.steps.iter().filter(|step| step.role != Role::Guard).count();
    let alike = Alike::of(graph, remarks);
    let (graph, remarks) = (&alike.graph, &alike.remarks);
    let rows = rows(graph);
    let pivot = pivot(&rows);
    let brackets = brackets(graph, &rows);
    let columns = Columns::of(&rows, &alike, brackets.first().map_or(0, |bracket| bracket.chars().count()), width);
    let wrapped = |line: String| width.map_or_else(|| vec![line.clone()], |width| wrap(&line, width));
    let mut lines = wrapped(format!("{name}: {}{}", words::count(count, "step", "steps"), side_by_side(graph)));
    lines.push(String::new());
    for (row, bracket) in rows.iter().zip(brackets) {
        lines.extend(columns.lines(row, &bracket, mark(row.step, remarks), &notes(&alike, row, pivot)));
    }
    lines.push(String::new());
    lines.extend(legend(graph, remarks).into_iter().flat_map(wrapped));
    lines
}

/// How wide the parts of a line are.
struct Columns<'a> {
    alike: &'a Alike,
    names: usize,
    kinds: usize,
    /// Where notes begin.
    notes: usize,
    width: Option<usize>,
}

impl<'a> Columns<'a> {
    fn of(rows: &[Row<'_>], alike: &'a Alike, brackets: usize, width: Option<usize>) -> Self {
        let widest = |of: &dyn Fn(&Row<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let names = widest(&|row| row.branch.chars().count() + alike.label(&row.step.id).chars().count());
        let kinds = widest(&|row| row.step.kind.as_str().len());
        Self { alike, names, kinds, notes: brackets + 3 + names + 2 + kinds + 2, width }
    }

    fn lines(&self, row: &Row<'_>, bracket: &str, mark: char, notes: &str) -> Vec<String> {
        let (label, kind) = (format!("{}{}", row.branch, self.alike.label(&row.step.id)), &row.step.kind);
        let (names, kinds) = (self.names, self.kinds);
        let whole = format!("{bracket} {mark} {label:names$}  {kind:kinds$}  {notes}").trim_end().to_owned();
        let Some(width) = self.width.filter(|width| whole.chars().count() > *width) else { return vec![whole] };
        let passing: String = bracket.chars().map(|part| if matches!(part, ' ' | '╰') { ' ' } else { '│' }).collect();
        let below = format!("{passing}   {}", row.below);
        let (first, begin) = match width >= self.notes + BESIDE {
            true => (format!("{bracket} {mark} {label:names$}  {kind:kinds$}  "), self.notes),
            false => (format!("{bracket} {mark} {label}  {kind}"), below.chars().count() + 2),
        };
        let mut parts = wrap_text(notes, width.saturating_sub(begin).max(1)).into_iter();
        let mut lines = vec![first];
        if begin == self.notes {
            lines[0].extend(parts.next());
        }
        lines.extend(parts.map(|part| format!("{below:begin$}{part}")));
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// A text in lines of at most so many columns; words that are longer stay whole.
fn wrap_text(text: &str, width: usize) -> Vec<String> {
    match text.is_empty() {
        true => Vec::new(),
        false => wrap_behind(text, 0, 0, width),
    }
}

fn side_by_side(graph: &Graph) -> String {
    match graph.concurrency {
        0 => String::new(),
        most => format!(", at most {most} side by side"),
    }
}

/// The rows in the order in which they are drawn: every step hangs from the last of its needs, a lone child goes straight on. Where
/// several wait for nothing, they branch from the left edge.
fn rows(graph: &Graph) -> Vec<Row<'_>> {
    let at: HashMap<&StepId, usize> = graph.steps.iter().enumerate().map(|(at, step)| (&step.id, at)).collect();
    let ranks = ranks(graph, &at);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); graph.steps.len()];
    let mut parents: Vec<Option<usize>> = Vec::with_capacity(graph.steps.len());
    for (own, step) in graph.steps.iter().enumerate() {
        let parent = step.needs.iter().filter_map(|need| at.get(need).copied()).max_by_key(|need| (ranks[*need], *need));
        parents.push(parent);
        if let Some(parent) = parent {
            children[parent].push(own);
        }
    }
    // A stack, not recursion: a chain of a hundred thousand steps is a plan, too.
    let roots: Vec<usize> = (0..graph.steps.len()).filter(|own| parents[*own].is_none()).collect();
    let mut stack: Vec<(usize, String, String)> = rooted(&roots);
    let mut rows = Vec::with_capacity(graph.steps.len());
    while let Some((own, branch, below)) = stack.pop() {
        let step = &graph.steps[own];
        let parent = parents[own].map(|parent| &graph.steps[parent].id);
        let last = children[own].len().saturating_sub(1);
        let passing = if last > 0 { format!("{below}│") } else { below.clone() };
        let is_beside = step.needs.is_empty() && roots.first().is_some_and(|first| family(&graph.steps[*first]) != family(step));
        let also = step.needs.iter().filter(|need| Some(*need) != parent).collect();
        rows.push(Row { step, branch, below: passing, also, is_beside });
        for (place, child) in children[own].iter().enumerate().rev() {
            let (branch, next) = match (last, place == last) {
                (0, _) => (below.clone(), below.clone()),
                (_, true) => (format!("{below}└─ "), format!("{below}   ")),
                (_, false) => (format!("{below}├─ "), format!("{below}│  ")),
            };
            stack.push((*child, branch, next));
        }
    }
    rows
}

/// The steps with which it begins, the last one first: each with its branch, and what passes by below it.
fn rooted(roots: &[usize]) -> Vec<(usize, String, String)> {
    let last = roots.len().saturating_sub(1);
    let branch = |place: usize| match place {
        _ if last == 0 => ("", ""),
        0 => ("┌─ ", "│  "),
        _ if place == last => ("└─ ", "   "),
        _ => ("├─ ", "│  "),
    };
    roots.iter().enumerate().rev().map(|(place, root)| (*root, branch(place).0.to_owned(), branch(place).1.to_owned())).collect()
}

/// The step of the plan that it comes from: `deploy` of `deploy[eu]`.
fn family(step: &StepSummary) -> &str {
    step.id.parts().map_or(step.id.as_str(), |(family, _)| family)
}

/// The length of the longest way from a step without needs to each step.
fn ranks(graph: &Graph, at: &HashMap<&StepId, usize>) -> Vec<usize> {
    let mut ranks = vec![0; graph.steps.len()];
    let mut open: Vec<usize> = graph.steps.iter().map(|step| step.needs.iter().filter(|need| at.contains_key(need)).count()).collect();
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); graph.steps.len()];
    for (own, step) in graph.steps.iter().enumerate() {
        step.needs.iter().filter_map(|need| at.get(need)).for_each(|need| needed_by[*need].push(own));
    }
    let mut ready: Vec<usize> = (0..open.len()).filter(|own| open[*own] == 0).collect();
    while let Some(own) = ready.pop() {
        for next in &needed_by[own] {
            ranks[*next] = ranks[*next].max(ranks[own] + 1);
            open[*next] -= 1;
            if open[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    ranks
}

/// The pivot: the first step in the drawn order that cannot be taken back.
fn pivot<'a>(rows: &[Row<'a>]) -> Option<&'a StepId> {
    rows.iter().find(|row| row.step.reversibility == Reversibility::Irreversible).map(|row| &row.step.id)
}

/// A column for each guard, the outermost first: `╭├╰` beside what it guards, `│` beside what merely stands between.
fn brackets(graph: &Graph, rows: &[Row<'_>]) -> Vec<String> {
    let mut guards: Vec<&GuardSummary> = graph.guards.iter().collect();
    guards.sort_by_key(|guard| std::cmp::Reverse(guard.guards.len()));
    let mut columns = vec![String::new(); rows.len()];
    for guard in guards {
        let held = |row: &Row<'_>| guard.guards.contains(&row.step.id) || row.step.id == guard.id;
        let first = rows.iter().position(held);
        let last = rows.iter().rposition(held);
        for (at, row) in rows.iter().enumerate() {
            columns[at].push(match (first, last) {
                (Some(first), Some(last)) if at < first || at > last => ' ',
                (Some(first), _) if at == first => '╭',
                (_, Some(last)) if at == last => '╰',
                _ if held(row) => '├',
                _ => '│',
            });
        }
    }
    columns
}

fn mark(step: &StepSummary, remarks: &Remarks) -> char {
    match (step.role, step.reversibility) {
        (Role::Guard, _) => '◆',
        (Role::Approve, _) => '?',
        (Role::Pause, _) => '…',
        (_, Reversibility::ReadOnly) => '·',
        (_, Reversibility::Reversible) if remarks.staying.contains_key(&step.id) => STAYS,
        (_, Reversibility::Reversible) => '↩',
        (_, Reversibility::Compensable) => '↺',
        (_, Reversibility::Irreversible) => '✗',
    }
}

fn notes(alike: &Alike, row: &Row<'_>, pivot: Option<&StepId>) -> String {
    let Alike { graph, remarks, .. } = alike;
    let id = &row.step.id;
    let spreads = remarks.spreading.get(id).map(|input| format!("once for each item of the input `{input}`"));
    let mut notes: Vec<String> = spreads.into_iter().chain(remarks.staying.get(id).map(|why| words::plain(why))).collect();
    notes.extend(alike.untold(id).map(|items| format!("once for each of {items} items")));
    if row.is_beside {
        notes.push("starts at once".to_owned());
    }
    if pivot == Some(id) {
        let but: Vec<&str> = past::guards_past(graph, id).into_iter().map(StepId::as_str).collect();
        let but = if but.is_empty() { String::new() } else { format!(" but what {} guards", but.join(" or ")) };
        notes.push(format!("the pivot: nothing{but} is taken back once it has run"));
    }
    if let Some(guard) = graph.guards.iter().find(|guard| guard.id == *id) {
        notes.extend(takes_back(alike, guard));
    }
    if !row.also.is_empty() {
        notes.push(format!("also after {}", row.also.iter().map(|id| alike.label(id)).collect::<Vec<_>>().join(", ")));
    }
    if row.step.continue_on_error {
        notes.push("may fail".to_owned());
    }
    if row.step.retry.attempts > 1 {
        notes.push(format!("up to {} attempts", row.step.retry.attempts));
    }
    notes.join("; ")
}

/// What a guard takes back, and until when.
fn takes_back(alike: &Alike, guard: &GuardSummary) -> Vec<String> {
    let pivots: Vec<String> = past::pivots(&alike.graph, guard).into_iter().map(|id| alike.label(id)).collect();
    let until = (!pivots.is_empty()).then(|| format!("nothing once {} has run", pivots.join(" or ")));
    let steps = past::taken_back(&alike.graph, guard);
    if steps.is_empty() && until.is_some() {
        return until.map(|until| format!("takes back {until}")).into_iter().collect();
    }
    let verified = if guard.verified { ", then verified" } else { "" };
    let told = format!("takes back {} within {}{verified}", names(alike, &steps), guard.budget);
    std::iter::once(told).chain(until).collect()
}

/// The guarded steps in plan order; many are counted.
fn names(alike: &Alike, guarded: &BTreeSet<StepId>) -> String {
    if guarded.len() > 6 {
        return words::count(alike.count(guarded), "step", "steps");
    }
    let inside = alike.graph.steps.iter().map(|step| &step.id).filter(|id| guarded.contains(*id));
    inside.map(|id| alike.label(id)).collect::<Vec<_>>().join(", ")
}

/// Explains the marks that were used.
fn legend(graph: &Graph, remarks: &Remarks) -> Vec<String> {
    let marks = [
        ('·', "changes nothing"),
        ('↩', "can be taken back"),
        (STAYS, "stays when the rest is taken back"),
        ('↺', "is taken back by steps that the plan gives"),
        ('✗', "cannot be taken back"),
        ('?', "asks a person"),
        ('…', "waits"),
        ('◆', "takes back what it guards when something in it fails"),
    ];
    let used: BTreeSet<char> = graph.steps.iter().map(|step| mark(step, remarks)).collect();
    marks.into_iter().filter(|(mark, _)| used.contains(mark)).map(|(mark, meaning)| format!("{mark} {meaning}")).collect()
}

#[cfg(test)]
mod tests;
