//! Keeps two steps from writing the same object when neither waits for the other, where that shows only in a run. It knows targets by
//! their names alone.

use super::core::Core;
use crate::ids::StepId;
use crate::record::{Failure, Target};
use std::collections::{HashMap, HashSet};

/// Who wrote what, as far as the run has come.
#[derive(Debug, Default)]
pub(super) struct Writers(HashMap<Target, Vec<StepId>>);

impl Writers {
    /// The writers of a run that another process began.
    pub(super) fn of(core: &Core) -> Self {
        let mut writers = Self::default();
        core.steps().for_each(|(id, step)| writers.note(id, &step.targets));
        writers
    }

    /// A step writes these from now on.
    pub(super) fn note(&mut self, step: &StepId, targets: &[Target]) {
        for target in targets.iter().filter(|target| !target.0.contains('*')) {
            let known = self.0.entry(target.clone()).or_default();
            if !known.contains(step) {
                known.push(step.clone());
            }
        }
    }

    /// True when another step than this one writes it by name.
    pub(super) fn has_other(&self, step: &StepId, target: &Target) -> bool {
        self.0.get(target).is_some_and(|known| known.iter().any(|other| other != step))
    }

    /// Refuses a step that writes what an earlier one wrote for which it does not wait.
    ///
    /// # Errors
    /// Names both, and the object.
    pub(super) fn check(&self, core: &Core, step: &StepId, targets: &[Target]) -> Result<(), Failure> {
        let mut before = None;
        for target in targets {
            let mut others = self.0.get(target).into_iter().flatten().filter(|other| *other != step).peekable();
            if others.peek().is_none() {
                continue;
            }
            let before = before.get_or_insert_with(|| before_it(core, step));
            if let Some(other) = others.find(|other| !before.contains(other)) {
                let target = &target.0;
                let message =
                    format!("`{other}` writes {target}, too, and neither waits for the other: add `{other}` to the `needs` of `{step}`");
                return Err(Failure::permanent(message));
            }
        }
        Ok(())
    }
}

/// Every step for which this one waits, however far away.
fn before_it<'a>(core: &'a Core, step: &'a StepId) -> HashSet<&'a StepId> {
    let (mut found, mut open) = (HashSet::new(), vec![step]);
    while let Some(step) = open.pop() {
        let needs = core.summary(step).into_iter().flat_map(|summary| &summary.needs);
        open.extend(needs.filter(|need| found.insert(*need)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::Writers;
    use crate::engine::core::Core;
    use crate::engine::core::testing::{graph, id, step};
    use crate::record::Target;

    #[test]
    fn who_writes_what_another_wrote_waits_for_it_or_is_refused() {
        let core = Core::new(graph(vec![step("a", &[]), step("b", &["a"]), step("c", &["b"]), step("d", &["a"])])).unwrap();
        let web = [Target("kube:apps/Deployment/shop/web".to_owned())];
        let mut writers = Writers::default();
        writers.note(&id("b"), &web);
        assert_eq!(writers.check(&core, &id("b"), &web), Ok(()), "a step may try again");
        assert_eq!(writers.check(&core, &id("c"), &web), Ok(()));
        let told = writers.check(&core, &id("d"), &web).unwrap_err().message;
        insta::assert_snapshot!(told, @"`b` writes kube:apps/Deployment/shop/web, too, and neither waits for the other: add `b` to the `needs` of `d`");
        assert_eq!(writers.check(&core, &id("d"), &[Target("kube:batch/Job/shop/*".to_owned())]), Ok(()));
    }
}
