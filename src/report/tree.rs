//! Draws a plan's graph as a tree for a terminal: order, guards, what can be taken back, the pivot. Pure text, no colours.

use super::words;
use crate::ids::StepId;
use crate::record::{Graph, GuardSummary, Reversibility, Role, StepSummary};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Stands before a step whose doings stay.
const STAYS: char = '=';

/// One line of the tree before its columns are aligned.
struct Row<'a> {
    step: &'a StepSummary,
    /// The branches that lead to it.
    branch: String,
    /// What it needs besides the step that it hangs from.
    also: Vec<&'a StepId>,
}

/// Steps whose doings stay when the run goes back, and why.
pub type Staying = BTreeMap<StepId, String>;

/// Draws the tree.
pub fn draw(name: &str, graph: &Graph, staying: &Staying) -> String {
    let rows = rows(graph);
    let pivot = pivot(&rows);
    let brackets = brackets(graph, &rows);
    let widest = |of: &dyn Fn(&Row<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let names = widest(&|row| row.branch.chars().count() + row.step.id.as_str().len());
    let kinds = widest(&|row| row.step.kind.as_str().len());
    let count = rows.iter().filter(|row| row.step.role != Role::Guard).count();
    let mut lines = vec![format!("{name}: {}{}", words::count(count, "step", "steps"), side_by_side(graph)), String::new()];
    for (row, bracket) in rows.iter().zip(brackets) {
        let label = format!("{}{}", row.branch, row.step.id);
        let mark = mark(row.step, staying);
        let line = format!(
            "{bracket} {mark} {label:names$}  {kind:kinds$}  {}",
            notes(graph, row, pivot, staying.get(&row.step.id)),
            kind = row.step.kind
        );
        lines.push(line.trim_end().to_owned());
    }
    lines.push(String::new());
    lines.extend(legend(graph, staying));
    lines.join("\n")
}

fn side_by_side(graph: &Graph) -> String {
    match graph.concurrency {
        0 => String::new(),
        most => format!(", at most {most} side by side"),
    }
}

/// The rows in the order in which they are drawn: every step hangs from the last of its needs, a lone child goes straight on.
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
    let roots = (0..graph.steps.len()).filter(|own| parents[*own].is_none());
    let mut stack: Vec<(usize, String, String)> = roots.rev().map(|root| (root, String::new(), String::new())).collect();
    let mut rows = Vec::with_capacity(graph.steps.len());
    while let Some((own, branch, below)) = stack.pop() {
        let step = &graph.steps[own];
        let parent = parents[own].map(|parent| &graph.steps[parent].id);
        rows.push(Row { step, branch, also: step.needs.iter().filter(|need| Some(*need) != parent).collect() });
        let last = children[own].len().saturating_sub(1);
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

fn mark(step: &StepSummary, staying: &Staying) -> char {
    match (step.role, step.reversibility) {
        (Role::Guard, _) => '◆',
        (Role::Approve, _) => '?',
        (Role::Pause, _) => '…',
        (_, Reversibility::ReadOnly) => '·',
        (_, Reversibility::Reversible) if staying.contains_key(&step.id) => STAYS,
        (_, Reversibility::Reversible) => '↩',
        (_, Reversibility::Compensable) => '↺',
        (_, Reversibility::Irreversible) => '✗',
    }
}

fn notes(graph: &Graph, row: &Row<'_>, pivot: Option<&StepId>, stays: Option<&String>) -> String {
    let mut notes: Vec<String> = stays.map(|why| words::plain(why)).into_iter().collect();
    if pivot == Some(&row.step.id) {
        notes.push("the pivot: nothing is taken back once it has run".to_owned());
    }
    if let Some(guard) = graph.guards.iter().find(|guard| guard.id == row.step.id) {
        let verified = if guard.verified { ", then verified" } else { "" };
        notes.push(format!("takes back {} within {}{verified}", names(graph, &guard.guards), guard.budget));
    }
    if !row.also.is_empty() {
        notes.push(format!("also after {}", row.also.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ")));
    }
    if row.step.continue_on_error {
        notes.push("may fail".to_owned());
    }
    if row.step.retry.attempts > 1 {
        notes.push(format!("up to {} attempts", row.step.retry.attempts));
    }
    notes.join("; ")
}

/// The guarded steps in plan order; many are counted.
fn names(graph: &Graph, guarded: &BTreeSet<StepId>) -> String {
    if guarded.len() > 6 {
        return words::count(guarded.len(), "step", "steps");
    }
    let inside = graph.steps.iter().map(|step| &step.id).filter(|id| guarded.contains(*id));
    inside.map(StepId::as_str).collect::<Vec<_>>().join(", ")
}

/// Explains the marks that were used.
fn legend(graph: &Graph, staying: &Staying) -> Vec<String> {
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
    let used: BTreeSet<char> = graph.steps.iter().map(|step| mark(step, staying)).collect();
    marks.into_iter().filter(|(mark, _)| used.contains(mark)).map(|(mark, meaning)| format!("{mark} {meaning}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Staying, draw};
    use crate::record::Reversibility;
    use crate::report::samples::{blue_green, graph, guard, id, step};

    fn staying() -> Staying {
        Staying::from([(id("database"), "what it makes is meant to be kept".to_owned())])
    }

    #[test]
    fn a_runbook_is_a_straight_line() {
        insta::assert_snapshot!(draw("blue-green", &blue_green(), &staying()), @"
        blue-green: 7 steps

          = database  backup            what it makes is meant to be kept
        ╭ · colours   detect-colour
        ├ ↩ deploy    apply
        ├ · healthy   wait-healthy
        ├ · smoke     smoke-test        up to 3 attempts
        ├ ↩ switch    switch-ingress
        ├ ↩ retire    scale
        ╰ ◆ back      rollback-on-fail  takes back colours, deploy, healthy, smoke, switch, retire within 5m, then verified

        · changes nothing
        ↩ can be taken back
        = stays when the rest is taken back
        ◆ takes back what it guards when something in it fails
        ");
    }

    #[test]
    fn branches_joins_nested_guards_and_the_pivot() {
        use Reversibility::{Compensable, Irreversible, ReadOnly, Reversible};
        let mut plan = graph(
            vec![
                step("ask", "approve", ReadOnly, &[]),
                step("config", "apply", Reversible, &["ask"]),
                step("users", "apply", Reversible, &["config"]),
                step("streams", "apply", Reversible, &["config"]),
                step("streams-up", "wait-healthy", ReadOnly, &["streams"]),
                step("inner", "rollback-on-fail", ReadOnly, &["streams-up"]),
                step("warm", "shell", Compensable, &["users", "inner"]),
                step("outer", "rollback-on-fail", ReadOnly, &["warm"]),
                step("announce", "shell", Irreversible, &["outer"]),
                step("settle", "pause", ReadOnly, &["announce"]),
            ],
            vec![
                guard("inner", &["streams", "streams-up"], 60),
                guard("outer", &["config", "users", "streams", "streams-up", "inner", "warm"], 300),
            ],
        );
        plan.concurrency = 4;
        plan.steps[6].continue_on_error = true;
        plan.steps[4].retry.attempts = 3;
        insta::assert_snapshot!(draw("release", &plan, &Staying::new()), @"
        release: 8 steps, at most 4 side by side

           ? ask            approve
        ╭  ↩ config         apply
        ├  ↩ ├─ users       apply
        ├╭ ↩ └─ streams     apply
        ├├ ·    streams-up  wait-healthy      up to 3 attempts
        ├╰ ◆    inner       rollback-on-fail  takes back streams, streams-up within 1m, then verified
        ├  ↺    warm        shell             also after users; may fail
        ╰  ◆    outer       rollback-on-fail  takes back config, users, streams, streams-up, inner, warm within 5m, then verified
           ✗    announce    shell             the pivot: nothing is taken back once it has run
           …    settle      pause

        · changes nothing
        ↩ can be taken back
        ↺ is taken back by steps that the plan gives
        ✗ cannot be taken back
        ? asks a person
        … waits
        ◆ takes back what it guards when something in it fails
        ");
    }

    #[test]
    fn a_long_chain_is_drawn_without_recursion() {
        let steps = (0..5_000).map(|n| {
            let before = format!("s{}", n - 1);
            step(
                &format!("s{n}"),
                "shell",
                Reversibility::ReadOnly,
                if n == 0 { &[] } else { std::slice::from_ref(&before) }.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
            )
        });
        let plan = graph(steps.collect(), Vec::new());
        assert_eq!(draw("long", &plan, &Staying::new()).lines().count(), 5_000 + 4);
    }

    #[test]
    fn a_need_that_is_not_there_does_no_harm() {
        let mut plan = blue_green();
        plan.steps[0].needs.push(id("gone"));
        assert!(draw("odd", &plan, &Staying::new()).contains("also after gone"));
    }
}
