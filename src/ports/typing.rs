//! What a person types while nobody asks: it is not shown where lines move, since they would tear, and it is forgotten, since it is no answer
//! to anything. It draws nothing.

use nix::sys::termios::{FlushArg, LocalFlags, SetArg, tcflush, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use std::io::{Stderr, stderr, stdin};

/// Forgets what was typed and not read: a question that comes now was not there when it was typed, and the shell would take it for a command.
pub fn forget_typed() {
    let terminal = stdin();
    // From the background it is left alone: a process that takes from a terminal there is stopped.
    if tcgetpgrp(&terminal) == Ok(getpgrp()) {
        // An error means that it is gone, and what was typed with it.
        let _gone = tcflush(&terminal, FlushArg::TCIFLUSH);
    }
}

/// While it lives, nothing that is typed is shown on the terminal of standard error; keys that are signals are heard all the same.
pub struct UnseenTyping {
    terminal: Stderr,
    is_changed: bool,
}

impl UnseenTyping {
    /// Changes nothing where nothing is shown anyway, where there is no terminal, and in the background, whose terminal is somebody else's.
    pub fn begin() -> Self {
        let terminal = stderr();
        let is_changed = echo(&terminal, false);
        Self { terminal, is_changed }
    }

    /// The same once more: who was stopped and is in the foreground again finds the terminal as the shell wants it.
    pub fn again(&mut self) {
        self.is_changed |= echo(&self.terminal, false);
    }
}

impl Drop for UnseenTyping {
    fn drop(&mut self) {
        if self.is_changed {
            // An error means that the terminal is gone, or that whoever took it over has set it to his liking.
            let _gone = echo(&self.terminal, true);
        }
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
