//! Whoever writes exactly what is told of guards has a plan whose guards are right: no second round.

use crate::plan::testing::{checked, shown};
use std::collections::BTreeMap;

/// One step as it is written, one a line.
#[derive(Clone, Debug)]
struct Line {
    id: String,
    needs: Option<Vec<String>>,
    guard: bool,
    guards: Option<Vec<String>>,
    changes: bool,
}

impl Line {
    fn text(&self) -> String {
        let list = |key: &str, names: &Option<Vec<String>>| names.as_ref().map(|names| format!("{key}: [{}], ", names.join(", ")));
        let needs = list("needs", &self.needs).unwrap_or_default();
        let guards = list("guards", &self.guards).unwrap_or_default();
        let does = match (self.guard, self.changes) {
            (true, _) => format!("rollback-on-fail: {{ {guards}budget: 1m }}"),
            (_, true) => format!("apply: {{ manifests: [{}.yaml] }}", self.id),
            (_, false) => "shell: { run: look, read-only: true }".to_owned(),
        };
        format!("- {{ id: {}, {needs}{does} }}", self.id)
    }
}

fn text(lines: &[Line]) -> String {
    lines.iter().fold("plan: p\nsteps:\n".to_owned(), |text, line| text + &line.text() + "\n")
}

/// A small generator, so that a plan that fails is the same one again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % most
    }

    fn some(&mut self, ids: &[String]) -> Vec<String> {
        ids.iter().filter(|_| self.below(3) == 0).cloned().collect()
    }

    fn plan(&mut self) -> Vec<Line> {
        let ids: Vec<String> = (0..4 + self.below(5)).map(|number| format!("s{number}")).collect();
        let mut lines: Vec<Line> = Vec::new();
        for (at, id) in ids.iter().enumerate() {
            let guard = at > 1 && self.below(3) == 0;
            // Now and then a step waits for one below it, as for its own guard.
            let reach = if self.below(8) == 0 { ids.len() } else { at };
            let others: Vec<String> = ids[..reach].iter().filter(|other| *other != id).cloned().collect();
            let needs = (self.below(2) == 0).then(|| self.some(&others));
            let guards = (guard && self.below(4) > 0).then(|| self.some(&ids[..at]));
            lines.push(Line { id: id.clone(), needs, guard, guards, changes: self.below(2) == 0 });
        }
        lines
    }
}

const OF_GUARDS: [&str; 4] = ["plan::guard-open", "plan::guards-overlap", "plan::unguarded", "plan::own-guard"];

/// What is told of a plan: code, line of the step, help.
fn told(lines: &[Line]) -> Vec<(&'static str, usize, String)> {
    let problems = match checked(&text(lines)) {
        Ok(plan) => plan.warnings,
        Err(problems) => problems.iter().cloned().collect(),
    };
    problems.into_iter().map(|problem| (problem.code, problem.place().0 - 3, problem.help.unwrap_or_default())).collect()
}

/// Writes what is told; false where nothing is told to be written.
fn obey(lines: &mut Vec<Line>, at: usize, help: &str) -> bool {
    if help.starts_with("remove `needs`") {
        lines[at].needs = None;
        return true;
    }
    if let Some((id, _)) = help.strip_prefix("remove `").and_then(|rest| rest.split_once("` from `needs`")) {
        lines[at].needs.iter_mut().for_each(|needs| needs.retain(|need| need != id));
        return true;
    }
    let (mut obeyed, places): (bool, BTreeMap<String, usize>) =
        (false, lines.iter().enumerate().map(|(at, line)| (line.id.clone(), at)).collect());
    let parts: Vec<&str> = help.split('`').collect();
    for (number, part) in parts.iter().enumerate().skip(1).step_by(2) {
        let names = |list: &str| list.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let list = part.split_once('[').and_then(|(_, rest)| rest.rsplit_once(']')).map(|(list, _)| names(list));
        let place = parts.get(number + 2).filter(|_| parts.get(number + 1) == Some(&" in ")).and_then(|id| places.get(*id)).unwrap_or(&at);
        match (list, part.split(['[', '{']).next().unwrap_or_default().trim()) {
            (Some(list), "guards:") => lines[*place].guards = Some(list),
            (Some(list), "needs:") => lines[*place].needs = Some(list),
            (Some(list), "-") => {
                lines.push(Line { id: "all".to_owned(), needs: None, guard: true, guards: Some(list), changes: false });
            }
            _ => continue,
        }
        obeyed = true;
    }
    obeyed
}

#[test]
fn writing_what_is_told_of_guards_makes_them_right_at_once() {
    let (mut chance, mut mended, mut helpless) = (Chance(7), 0, 0);
    for _ in 0..4_000 {
        let before = chance.plan();
        let problems = told(&before);
        let is_ours = |(code, ..): &(&str, usize, String)| OF_GUARDS.contains(code);
        if problems.is_empty() || !problems.iter().all(is_ours) {
            continue;
        }
        let mut after = before.clone();
        if !problems.iter().fold(true, |all, (_, at, help)| obey(&mut after, *at, help) && all) {
            helpless += 1;
            continue;
        }
        assert_eq!(told(&after), [], "\n{}\nwas told {problems:#?}\nand became\n{}", text(&before), text(&after));
        mended += 1;
    }
    assert!(mended > 700 && helpless * 10 < mended, "{mended} mended, {helpless} without a word that helps");
}

#[test]
fn the_lines_are_those_that_a_person_would_write() {
    let help = |steps: &str| {
        let problems = match checked(&format!("plan: p\nsteps:\n{steps}")) {
            Ok(plan) => plan.warnings,
            Err(problems) => problems.iter().cloned().collect(),
        };
        problems.into_iter().map(|problem| format!("{}\n    {}\n", problem.message, problem.help.unwrap_or_default())).collect::<String>()
    };
    insta::assert_snapshot!(help("- { id: prepare, apply: { manifests: [a] } }
- { id: deploy, apply: { manifests: [b] } }
- { id: check, shell: { run: x, read-only: true } }
- { id: guard, rollback-on-fail: { guards: [deploy, check] } }
"), @"
    `prepare` is in no guard: a failure that `guard` takes back leaves its changes where they are
        write `guards: [prepare, deploy, check]` in `guard`
    ");
    insta::assert_snapshot!(help("- { id: prepare, apply: { manifests: [a] } }
- { id: left, needs: [prepare], apply: { manifests: [b] } }
- { id: right, needs: [prepare], apply: { manifests: [c] } }
- { id: one, needs: [], rollback-on-fail: { guards: [left] } }
- { id: two, needs: [], rollback-on-fail: { guards: [right] } }
- { id: last, needs: [one], apply: { manifests: [d] } }
"), @"
    `prepare` is in no guard: a failure that `one` takes back leaves its changes where they are
        write `guards: [prepare, right, one]` in `two` and `needs: [two]` in `last`
    ");
    insta::assert_snapshot!(help("- { id: prepare, apply: { manifests: [a] } }
- { id: base, rollback-on-fail: }
- { id: deploy, needs: [prepare], apply: { manifests: [b] } }
- { id: check, needs: [base, deploy], shell: { run: x, read-only: true } }
- { id: guard, rollback-on-fail: { guards: [deploy, check] } }
"), @"
    `deploy` needs `prepare`, which `base` may still take back
        write `needs: [base]` in `deploy`
    ");
    insta::assert_snapshot!(help("- { id: prepare, apply: { manifests: [a] } }
- { id: deploy, needs: [guard], apply: { manifests: [b] } }
- { id: check, needs: [deploy, guard], shell: { run: x, read-only: true } }
- { id: guard, rollback-on-fail: { guards: [prepare, deploy, check] } }
"), @"
    `deploy` cannot wait for `guard`, which guards it
        remove `needs`: without it a step waits for all above it
    `check` cannot wait for `guard`, which guards it
        remove `guard` from `needs`
    ");
}

#[test]
fn steps_in_no_guard_are_told_together() {
    let plan = "plan: p\nsteps:\n- { id: a, apply: { manifests: [a] } }\n- { id: b, apply: { manifests: [b] } }\n- { id: c, apply: { manifests: [c] } }\n- { id: back, rollback-on-fail: { guards: [c] } }\n";
    let warnings = checked(plan).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    insta::assert_snapshot!(shown(&warnings[0]), @"
    plan::unguarded

      ⚠ `a` and another step are in no guard: a failure that `back` takes back leaves their changes where they are
       ╭─[plan.yaml:3:9]
     2 │ steps:
     3 │ - { id: a, apply: { manifests: [a] } }
       ·         ─
     4 │ - { id: b, apply: { manifests: [b] } }
       ·         ─
     5 │ - { id: c, apply: { manifests: [c] } }
       ╰────
      help: write `guards: [a, b, c]` in `back`
    ");
}
