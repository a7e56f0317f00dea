//! What a plan's `simulate` does not describe and every run would come to: told at once, with the lines to write. It starts nothing.

use crate::action::{Registry, RunScope};
use crate::plan::{Bound, Does, Plan};
use crate::report::words;
use crate::sim::Simulation;

/// What is to be written, and what of it has been told.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    forth: Vec<String>,
    perhaps: Vec<String>,
    approvals: Vec<String>,
    is_told: bool,
}

impl Lacking {
    pub(super) fn of(simulation: &Simulation, plan: &Plan, registry: &Registry, bound: &Bound, scope: &RunScope) -> Self {
        let programs = plan.programs(registry, bound, scope);
        let forth = simulation.lacking(&programs.forth);
        let perhaps = simulation.lacking(&programs.perhaps).into_iter().filter(|rule| !forth.contains(rule)).collect();
        let asks = plan.steps.iter().filter(|step| matches!(step.does, Does::Approve { .. }) && step.when.is_none());
        let unanswered = asks.filter(|step| !plan.simulate.approvals.contains_key(&step.id)).map(|step| step.id.to_string());
        Self { forth, perhaps, approvals: unanswered.collect(), is_told: false }
    }

    /// Before the run: words, and the lines to write; none where the run comes to its end without more.
    pub(super) fn before(&mut self) -> Option<(String, Vec<String>)> {
        self.is_told = !(self.forth.is_empty() && self.approvals.is_empty());
        self.is_told.then(|| self.told())
    }

    /// After a run that came to something that nobody described: what of that was not told before, and the lines to write for all of it.
    pub(super) fn after(&self, missing: Vec<String>) -> (Vec<String>, Vec<String>) {
        let is_known = |rule: &String| missing.iter().any(|line| line.contains(rule.as_str()));
        let all = || self.forth.iter().chain(&self.perhaps);
        let rest: Vec<String> = missing.iter().filter(|line| !all().any(|rule| line.contains(rule.as_str()))).cloned().collect();
        match !self.is_told && all().any(is_known) {
            false => (rest, Vec::new()),
            true => {
                let (words, lines) = self.told();
                (rest.into_iter().chain([words]).collect(), lines)
            }
        }
    }

    fn told(&self) -> (String, Vec<String>) {
        let (programs, asks) = (self.forth.len() + self.perhaps.len(), self.approvals.len());
        let mut what = Vec::new();
        what.extend((programs > 0).then(|| words::count(programs, "program", "programs")));
        what.extend((asks > 0).then(|| words::count(asks, "answer", "answers")));
        let words = format!("not modelled: {} of this plan; write in it:", what.join(" and "));
        let mut lines = vec!["  simulate:".to_owned()];
        if programs > 0 {
            lines.push("    processes:".to_owned());
            lines.extend(self.forth.iter().chain(&self.perhaps).map(|rule| format!("      - {rule}")));
        }
        if asks > 0 {
            lines.push("    approvals:".to_owned());
            lines.extend(self.approvals.iter().map(|step| format!("      {}: approved", key(step))));
        }
        (words, lines)
    }
}

/// What stands between brackets is put between quotes.
fn key(step: &str) -> String {
    if step.contains('[') { format!("'{step}'") } else { step.to_owned() }
}
