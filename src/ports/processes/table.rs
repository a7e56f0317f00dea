//! The system's table of processes, as `/proc` shows it. It knows nothing of who started them.

use std::fs;

/// A process that lives: one that is dead and only waits to be asked for does no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: i32,
    pub(super) group: i32,
    pub(super) session: i32,
}

/// Everybody who lives; none where there is no `/proc`.
pub(super) fn living() -> Option<Vec<Entry>> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    Some(pids.filter_map(|pid| entry(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect())
}

/// The variables with which a process began; none of processes that are another person's.
pub(super) fn environment(pid: i32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|variable| String::from_utf8_lossy(variable).into_owned()).collect()
}

fn entry(pid: i32, stat: &str) -> Option<Entry> {
    // The program's name stands in parentheses and may itself hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(Entry { pid, group, session })
}

#[cfg(test)]
mod tests {
    use super::{Entry, entry, living};

    #[test]
    fn a_name_full_of_parentheses_hides_no_group_and_a_zombie_is_gone() {
        assert_eq!(entry(70, "70 (a ) b) S 1 70 12 0 -1"), Some(Entry { pid: 70, group: 70, session: 12 }));
        assert_eq!(entry(72, "72 (sh) Z 1 70 12 0 -1"), None);
        assert_eq!(entry(73, ""), None);
    }

    #[test]
    fn this_process_is_in_it() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(living().unwrap().iter().any(|entry| entry.pid == pid));
    }
}
