//! Programs that outlived the bowline that started them: found by a mark in their environment, and ended. It knows no run.

use super::Orphan;
use super::group::end_by_id;
use super::table::{self, Entry};
use crate::ports::{Host, SystemHost};
use futures::future::join_all;
use nix::unistd::{Pid, getpgrp};
use std::collections::{BTreeMap, HashMap};

/// Looks until nobody is found any more: between a look and the signal a program may have started another group.
const LOOKS: u32 = 5;

/// Ends every group in which somebody has `mark` (`NAME=value`) in its environment; each is called by the value of its variable `label`.
/// Whoever's variable `runner` names a process that lives is looked after. A daemon that has a session of its own was meant to stay. Where there is no `/proc` none is found.
pub(super) async fn end(mark: String, label: String, runner: &'static str) -> Vec<Orphan> {
    let mut orphans = BTreeMap::new();
    for _ in 0..LOOKS {
        let (mark, label) = (mark.clone(), label.clone());
        let found = tokio::task::spawn_blocking(move || find(&mark, &label, runner)).await.unwrap_or_default();
        if found.is_empty() {
            break;
        }
        let ended = join_all(found.keys().map(|group| end_group(*group))).await;
        for ((group, step), ended) in found.into_iter().zip(ended) {
            orphans.insert(group, Orphan { step, group, ended });
        }
        if orphans.values().any(|orphan| !orphan.ended) {
            break;
        }
    }
    orphans.into_values().collect()
}

/// This process's own group would take this process along.
async fn end_group(group: i32) -> bool {
    let group = Pid::from_raw(group);
    group != getpgrp() && end_by_id(group).await
}

fn find(mark: &str, label: &str, runner: &str) -> BTreeMap<i32, String> {
    let everybody = table::living().unwrap_or_default();
    let marked: HashMap<i32, String> =
        everybody.iter().filter_map(|entry| Some((entry.pid, label_of(entry.pid, mark, label, runner)?))).collect();
    let is_orphan = |entry: &&Entry| is_orphan(entry, |pid| marked.contains_key(&pid));
    everybody.iter().filter(is_orphan).map(|entry| (entry.group, marked[&entry.pid].clone())).collect()
}

/// The value of the variable `label`, if the process has the mark and nobody looks after it.
fn label_of(pid: i32, mark: &str, label: &str, runner: &str) -> Option<String> {
    let variables = table::environment(pid);
    variables.iter().any(|variable| variable == mark).then_some(())?;
    let value = |name: &str| variables.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='));
    let is_looked_after = value(runner).is_some_and(lives);
    (!is_looked_after).then(|| value(label).unwrap_or_default().to_owned())
}

/// True when the process that is meant by `PID:START` lives.
fn lives(runner: &str) -> bool {
    let parts = runner.split_once(':').and_then(|(pid, start)| Some((pid.parse::<u32>().ok()?, start.parse::<u64>().ok()?)));
    parts.is_some_and(|(pid, start)| SystemHost.started(pid) == Some(start))
}

/// A session of its own is how a program takes leave of whoever started it: then its leader has the mark, or is gone and has left its group.
/// The same goes for what is started in such a session, as in a terminal that a step opened.
fn is_orphan(entry: &Entry, is_marked: impl Fn(i32) -> bool) -> bool {
    is_marked(entry.pid) && entry.group > 1 && entry.group != entry.session && !is_marked(entry.session)
}

#[cfg(test)]
mod tests {
    use super::is_orphan;
    use crate::ports::processes::table::Entry;

    #[test]
    fn a_session_of_its_own_is_left_alone_with_all_that_was_started_in_it() {
        let marked = |pid: i32| pid >= 70;
        let entry = |pid, group, session| Entry { pid, group, session };
        assert!(is_orphan(&entry(70, 70, 12), marked));
        assert!(!is_orphan(&entry(12, 12, 12), marked), "it has no mark");
        assert!(!is_orphan(&entry(71, 71, 71), marked), "it leads a session");
        assert!(!is_orphan(&entry(73, 73, 71), marked), "it was started in that session");
    }
}
