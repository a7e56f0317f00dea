//! Keeps what a person types from being shown while lines move on a terminal: what is echoed there tears them. It draws nothing.

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use std::io::{Stderr, stderr};

/// While it lives, nothing that is typed is shown on the terminal of standard error; keys that are signals are heard all the same.
pub struct UnseenTyping {
    terminal: Stderr,
}

impl UnseenTyping {
    /// None where nothing is shown anyway, where there is no terminal, and in the background, whose terminal is somebody else's.
    pub fn begin() -> Option<Self> {
        let terminal = stderr();
        echo(&terminal, false).then_some(Self { terminal })
    }
}

impl Drop for UnseenTyping {
    fn drop(&mut self) {
        // An error means that the terminal is gone, or that whoever took it over has set it to his liking.
        let _gone = echo(&self.terminal, true);
    }
}

/// True when the terminal was changed. From the background it is left alone: a process that changes it there is stopped.
fn echo(terminal: &Stderr, is_on: bool) -> bool {
    if tcgetpgrp(terminal) != Ok(getpgrp()) {
        return false;
    }
    let Ok(mut settings) = tcgetattr(terminal) else { return false };
    if settings.local_flags.contains(LocalFlags::ECHO) == is_on {
        return false;
    }
    settings.local_flags.set(LocalFlags::ECHO, is_on);
    tcsetattr(terminal, SetArg::TCSANOW, &settings).is_ok()
}
