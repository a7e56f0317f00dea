//! Where lines go: a thread of its own writes them, so that a slow reader never holds a run up and a closed pipe ends nothing. It knows no run.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// Takes lines and never fails: once nobody reads any more, what comes is dropped.
pub struct Outlet {
    lines: Mutex<Option<Sender<String>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Outlet {
    /// Starts to write to `out`.
    pub fn new(mut out: impl Write + Send + 'static) -> Self {
        let (sender, receiver) = channel::<String>();
        let writer = std::thread::spawn(move || {
            // The first error is the last write: a pipe that is closed stays closed, and a full disk must not end a run.
            while let Ok(line) = receiver.recv() {
                if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
                    break;
                }
            }
        });
        Self { lines: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)) }
    }

    /// Takes a line, without its end.
    pub fn line(&self, mut line: String) {
        line.push('\n');
        if let Some(sender) = &*locked(&self.lines) {
            // An error means that nobody reads any more.
            let _gone = sender.send(line);
        }
    }

    /// Returns when everything is written, or nobody reads any more. What comes later is dropped.
    pub fn close(&self) {
        drop(locked(&self.lines).take());
        if let Some(writer) = locked(&self.writer).take() {
            // A panic of the writer has been told by the panic itself.
            let _ended = writer.join();
        }
    }
}

/// The value behind a lock, also after a panic elsewhere: a display is no reason to end a run.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
pub(super) mod tests {
    use super::Outlet;
    use std::io::{Error, ErrorKind, Write};
    use std::sync::{Arc, Mutex};

    /// A writer whose text a test can look at, and that breaks after so many writes.
    #[derive(Clone, Default)]
    pub(in crate::report) struct Page {
        text: Arc<Mutex<String>>,
        breaks_after: Option<usize>,
        writes: usize,
    }

    impl Page {
        pub(in crate::report) fn text(&self) -> String {
            self.text.lock().unwrap().clone()
        }

        pub(in crate::report) fn closed_after(writes: usize) -> Self {
            Self { breaks_after: Some(writes), ..Self::default() }
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.breaks_after.is_some_and(|limit| self.writes >= limit) {
                return Err(Error::from(ErrorKind::BrokenPipe));
            }
            self.writes += 1;
            self.text.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_is_written_when_it_closes() {
        let page = Page::default();
        let outlet = Outlet::new(page.clone());
        outlet.line("one".to_owned());
        outlet.line("two".to_owned());
        outlet.close();
        outlet.line("late".to_owned());
        assert_eq!(page.text(), "one\ntwo\n");
    }

    #[test]
    fn a_closed_pipe_is_no_crash() {
        let page = Page::closed_after(1);
        let outlet = Outlet::new(page.clone());
        for line in ["one", "two", "three"] {
            outlet.line(line.to_owned());
        }
        outlet.close();
        assert_eq!(page.text(), "one\n");
    }
}
