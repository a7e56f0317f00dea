//! What is said of programs that outlived the bowline that started them. It ends none.

use super::exit::Exit;
use super::failure::CommandFailure;
use crate::ids::StepId;
use crate::ports::Orphan;
use crate::report::words;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// What became of them: a line for each step, or for all items of one. The step is none where a line is about several.
pub fn told(orphans: &[Orphan]) -> Vec<(Option<StepId>, String)> {
    let mut families: IndexMap<(String, bool), Vec<&Orphan>> = IndexMap::new();
    for orphan in orphans {
        let family = StepId::new(&orphan.step).ok().and_then(|step| step.parts().map(|(name, _)| name.to_owned()));
        families.entry((family.unwrap_or_else(|| orphan.step.clone()), orphan.ended)).or_default().push(orphan);
    }
    families.into_iter().map(|((name, ended), orphans)| line(&name, ended, &orphans)).collect()
}

fn line(name: &str, ended: bool, orphans: &[&Orphan]) -> (Option<StepId>, String) {
    let steps: BTreeSet<&str> = orphans.iter().map(|orphan| orphan.step.as_str()).collect();
    let groups = orphans.iter().map(|orphan| orphan.group.to_string()).collect::<Vec<_>>().join(", ");
    let told = match (orphans.len(), ended) {
        (1, true) => "its program still ran although the bowline that had started it was gone: it was ended".to_owned(),
        (1, false) => {
            format!(
                "its program still ran although the bowline that had started it was gone: it could not be ended (process group {groups})"
            )
        }
        (_, true) => "the programs still ran although the bowline that had started them was gone: they were ended".to_owned(),
        (_, false) => {
            format!(
                "the programs still ran although the bowline that had started them was gone: they could not be ended (process groups {groups})"
            )
        }
    };
    match steps.len() {
        1 => (steps.first().and_then(|step| StepId::new(step).ok()), told),
        several => (None, format!("{} of `{name}`: {told}", words::count(several, "step", "steps"))),
    }
}

/// Why a run is not taken up while they run.
pub fn still_run(orphans: &[Orphan]) -> CommandFailure {
    let groups: Vec<String> = orphans.iter().filter(|orphan| !orphan.ended).map(|orphan| orphan.group.to_string()).collect();
    let hint = format!("end them as whoever may, then try again: kill -TERM -- -{}", groups.join(" -"));
    CommandFailure::new(Exit::Refused, "programs of the run still work, and would write after it was taken back; nothing was done")
        .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::{still_run, told};
    use crate::ids::StepId;
    use crate::ports::Orphan;

    fn orphan(step: &str, group: i32, ended: bool) -> Orphan {
        Orphan { step: step.to_owned(), group, ended }
    }

    fn lines(orphans: &[Orphan]) -> String {
        let line = |(step, text): (Option<StepId>, String)| format!("{}: {text}", step.as_ref().map_or("-", StepId::as_str));
        told(orphans).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn one_that_cannot_be_ended_is_named_with_the_command_that_ends_it() {
        let (ended, runs, too) = (orphan("busy", 7, true), orphan("busy", 8, false), orphan("busy", 9, false));
        insta::assert_snapshot!(lines(&[ended.clone(), runs.clone()]), @"
        busy: its program still ran although the bowline that had started it was gone: it was ended
        busy: its program still ran although the bowline that had started it was gone: it could not be ended (process group 8)
        ");
        insta::assert_snapshot!(lines(&[runs.clone(), too.clone()]), @"busy: the programs still ran although the bowline that had started them was gone: they could not be ended (process groups 8, 9)");
        let failure = still_run(&[ended, runs, too]);
        insta::assert_snapshot!(failure.hint.unwrap(), @"end them as whoever may, then try again: kill -TERM -- -8 -9");
    }

    #[test]
    fn those_of_all_items_of_a_step_are_told_once() {
        let items: Vec<Orphan> = (0..30).map(|item| orphan(&format!("work[a{item}]"), item, true)).collect();
        let alone = [orphan("build[eu]", 50, true), orphan("other", 51, true)];
        insta::assert_snapshot!(lines(&[&items[..], &alone].concat()), @"
        -: 30 steps of `work`: the programs still ran although the bowline that had started them was gone: they were ended
        build[eu]: its program still ran although the bowline that had started it was gone: it was ended
        other: its program still ran although the bowline that had started it was gone: it was ended
        ");
    }
}
