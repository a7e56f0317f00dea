//! This machine as others see it: its name, its boot, its processes and people. It knows no run.

use std::io;

/// A process, told apart from every other one that there ever was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Host name.
    pub host: String,
    /// Process id on that host.
    pub pid: u32,
    /// When it started, in the host's own count: a reused pid is not the same process.
    pub started: u64,
    /// The boot of that host: one running kernel, whatever names it goes by.
    pub boot: String,
    /// Login name.
    pub user: String,
}

/// Tells about this machine.
pub trait Host: Send + Sync {
    /// This process.
    ///
    /// # Errors
    /// When the system does not tell.
    fn this_process(&self) -> io::Result<ProcessFacts>;

    /// When the living process with this id started, as [`ProcessFacts::started`] counts; none when there is none that can be seen from here.
    fn started(&self, pid: u32) -> Option<u64>;
}

/// The machine that this runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemHost;

impl Host for SystemHost {
    fn this_process(&self) -> io::Result<ProcessFacts> {
        let pid = std::process::id();
        let uid = nix::unistd::getuid();
        // A user without an entry in the user database (usual in containers) is still somebody.
        let user = nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| format!("uid {uid}"), |user| user.name);
        Ok(ProcessFacts {
            host: nix::unistd::gethostname()?.to_string_lossy().into_owned(),
            pid,
            started: self.started(pid).ok_or_else(|| io::Error::other("/proc does not show this process"))?,
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
            user,
        })
    }

    fn started(&self, pid: u32) -> Option<u64> {
        started(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }
}

/// Reads field 22 of `/proc/PID/stat`. A zombie does no more and counts as gone.
fn started(stat: &str) -> Option<u64> {
    // The program's name stands in parentheses and may itself hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Host, SystemHost, started};

    #[test]
    fn this_process_lives_and_started_when_it_says() {
        let facts = SystemHost.this_process().unwrap();
        assert_eq!(SystemHost.started(facts.pid), Some(facts.started));
        assert!(!facts.boot.is_empty() && !facts.host.is_empty() && !facts.user.is_empty());
    }

    #[test]
    fn a_name_full_of_parentheses_hides_no_start_and_a_zombie_is_gone() {
        let stat = |state: &str| format!("7 (a) R (b) {state} 1 1 1 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 174723 3133440 390");
        assert_eq!(started(&stat("S")), Some(174_723));
        assert_eq!(started(&stat("Z")), None);
        assert_eq!(started(""), None);
    }
}
