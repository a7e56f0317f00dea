//! This machine as others see it: its name, its boot, its processes and people. It knows no run.

use std::io;
use std::path::Path;

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

impl SystemHost {
    /// Works in this folder from now on: programs that are given no other one are started there.
    ///
    /// # Errors
    /// When there is no such folder, or it may not be entered.
    pub fn work_in(self, folder: &Path) -> io::Result<()> {
        std::env::set_current_dir(folder)
    }

    /// True when this process was started deaf to SIGHUP, as `nohup` does. It must be asked before anybody listens to that signal.
    pub fn is_deaf_to_hang_up(self) -> bool {
        std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, nix::sys::signal::Signal::SIGHUP as u32))
    }
}

/// Reads the mask `SigIgn` of `/proc/PID/status`: bit `n - 1` stands for signal `n`.
fn ignores(status: &str, signal: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

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
    use super::{Host, SystemHost, ignores, started};

    #[test]
    fn this_process_lives_and_started_when_it_says() {
        let facts = SystemHost.this_process().unwrap();
        assert_eq!(SystemHost.started(facts.pid), Some(facts.started));
        assert!(!facts.boot.is_empty() && !facts.host.is_empty() && !facts.user.is_empty());
    }

    #[test]
    fn a_signal_that_is_ignored_is_a_bit_of_the_mask() {
        let status = "Name:\tbowline\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000004002\n";
        assert!(ignores(status, 1) && ignores(status, 13) && !ignores(status, 2) && !ignores(status, 15));
        assert!(!ignores("", 1));
    }

    #[test]
    fn a_name_full_of_parentheses_hides_no_start_and_a_zombie_is_gone() {
        let stat = |state: &str| format!("7 (a) R (b) {state} 1 1 1 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 174723 3133440 390");
        assert_eq!(started(&stat("S")), Some(174_723));
        assert_eq!(started(&stat("Z")), None);
        assert_eq!(started(""), None);
    }
}
