//! Programs that outlived the bowline that started them: found by a mark in their environment, and ended. It knows no run.

use super::group::end_by_id;
use futures::future::join_all;
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;

/// A group of processes that nobody watches any more.
struct Orphans {
    group: i32,
    label: String,
}

/// Ends every group in which somebody has `mark` (`NAME=value`) in its environment, and returns the values of the variable `label` there.
/// A daemon that has a session of its own was meant to stay. Where there is no `/proc` none is found.
pub(super) async fn end(mark: String, label: String) -> Vec<String> {
    let found = tokio::task::spawn_blocking(move || find(&mark, &label)).await.unwrap_or_default();
    join_all(found.iter().map(|orphans| end_by_id(Pid::from_raw(orphans.group)))).await;
    found.into_iter().map(|orphans| orphans.label).collect()
}

fn find(mark: &str, label: &str) -> Vec<Orphans> {
    let mut groups = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        // Processes of others cannot be read, and are not ours.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        let variables = || environment.split(|byte| *byte == 0);
        if !variables().any(|variable| variable == mark.as_bytes()) {
            continue;
        }
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some(group) = group_in_a_session_of_others(&stat) {
            let value =
                |variable: &[u8]| Some(String::from_utf8_lossy(variable.strip_prefix(label.as_bytes())?.strip_prefix(b"=")?).into_owned());
            groups.insert(group, variables().find_map(value).unwrap_or_default());
        }
    }
    groups.into_iter().map(|(group, label)| Orphans { group, label }).collect()
}

/// The process group, unless it leads the session: that is how a program takes leave of whoever started it.
fn group_in_a_session_of_others(stat: &str) -> Option<i32> {
    // The program's name stands in parentheses and may itself hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let group: i32 = fields.nth(1)?.parse().ok()?;
    let session: i32 = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X") && group != session && group > 1).then_some(group)
}

#[cfg(test)]
mod tests {
    use super::group_in_a_session_of_others;

    #[test]
    fn a_daemon_with_a_session_of_its_own_is_no_orphan() {
        assert_eq!(group_in_a_session_of_others("70 (a ) b) S 1 70 12 0 -1"), Some(70));
        assert_eq!(group_in_a_session_of_others("71 (sh) S 1 70 70 0 -1"), None);
        assert_eq!(group_in_a_session_of_others("72 (sh) Z 1 70 12 0 -1"), None);
        assert_eq!(group_in_a_session_of_others(""), None);
    }
}
