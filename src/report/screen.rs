//! The live display as a reporter: a thread of its own draws, so that a terminal that is stopped never holds a run up. It draws nothing itself.

use super::live;
use super::outlet::locked;
use super::story::Story;
use super::summary::Summary;
use super::terminal::{Look, Painter};
use super::{Display, Now};
use crate::event::{Event, Reporter};
use crate::record::Record;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A terminal that is stopped must not keep the process from leaving.
const LEAVING: Duration = Duration::from_millis(500);

enum Order {
    Event(Event),
    Recall(Vec<Record>),
    Aside(Box<dyn FnOnce() + Send>),
    Close(Vec<String>, bool),
    Leave(Sender<()>),
}

/// A live display.
pub struct Terminal {
    story: Mutex<Story>,
    orders: Mutex<Option<Sender<Order>>>,
    painter: Mutex<Option<JoinHandle<()>>>,
    meanwhile: Meanwhile,
}

/// What is called with every drawing, and let go when nothing moves any more.
type Meanwhile = Arc<Mutex<Option<Box<dyn FnMut() + Send>>>>;

impl Terminal {
    /// Draws on standard error, which must be a terminal. `meanwhile` is held as long as lines move there, and called with every drawing: in
    /// between the terminal may have been somebody else's.
    pub fn new(look: Look, now: Now, meanwhile: impl FnMut() + Send + 'static) -> Self {
        Self::start(Painter::on_standard_error(look, now), meanwhile)
    }

    fn start(painter: Painter, meanwhile: impl FnMut() + Send + 'static) -> Self {
        let (orders, received) = channel();
        let story = painter.story.clone();
        let meanwhile: Meanwhile = Arc::new(Mutex::new(Some(Box::new(meanwhile))));
        let called = Arc::clone(&meanwhile);
        let painter = std::thread::spawn(move || work(painter, &received, &called));
        let (orders, painter) = (Mutex::new(Some(orders)), Mutex::new(Some(painter)));
        Self { story: Mutex::new(story), orders, painter, meanwhile }
    }

    /// Runs something that writes to the terminal, such as a log line, without tearing the display.
    pub fn aside(&self, write: impl FnOnce() + Send + 'static) {
        let orders = locked(&self.orders);
        match &*orders {
            Some(orders) => drop(orders.send(Order::Aside(Box::new(write)))),
            None => write(),
        }
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &*locked(&self.orders) {
            // An error means that the display is gone; the run goes on.
            let _gone = orders.send(order);
        }
    }

    fn end(&self) {
        drop(locked(&self.orders).take());
        if let Some(painter) = locked(&self.painter).take() {
            let _ended = painter.join();
        }
        drop(locked(&self.meanwhile).take());
    }
}

impl Reporter for Terminal {
    fn event(&self, event: &Event) {
        locked(&self.story).event(event);
        self.order(Order::Event(event.clone()));
    }
}

impl Display for Terminal {
    fn recall(&self, records: &[Record]) {
        let mut story = locked(&self.story);
        records.iter().for_each(|record| story.record(record));
        self.order(Order::Recall(records.to_vec()));
    }

    fn story(&self) -> Story {
        locked(&self.story).clone()
    }

    fn close(&self, summary: &Summary, exit_code: u8) {
        self.order(Order::Close(summary.lines(), exit_code == 0));
        self.end();
    }

    fn leave(&self) {
        let (done, restored) = channel();
        self.order(Order::Leave(done));
        let _in_time = restored.recv_timeout(LEAVING);
        drop(locked(&self.meanwhile).take());
    }
}

fn work(mut painter: Painter, orders: &Receiver<Order>, meanwhile: &Meanwhile) {
    loop {
        let mut order = match orders.recv_timeout(live::FRAME) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return painter.clear(),
        };
        // Everything that has come is taken in before one drawing, since drawing costs more than folding.
        while let Some(next) = order {
            if obey(&mut painter, next).is_break() {
                return;
            }
            order = orders.try_recv().ok();
        }
        if let Some(meanwhile) = &mut *locked(meanwhile) {
            meanwhile();
        }
        painter.draw();
    }
}

fn obey(painter: &mut Painter, order: Order) -> ControlFlow<()> {
    match order {
        Order::Event(event) => painter.event(&event),
        Order::Recall(records) => records.iter().for_each(|record| painter.story.record(record)),
        Order::Aside(write) => painter.aside(write),
        Order::Close(lines, good) => {
            painter.close(&lines, good);
            return ControlFlow::Break(());
        }
        Order::Leave(done) => {
            painter.clear();
            let _nobody_waits = done.send(());
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::Terminal;
    use crate::event::{Event, Reporter};
    use crate::report::Display;
    use crate::report::samples;
    use crate::report::summary::Summary;
    use crate::report::terminal::tests::painter;
    use indicatif::InMemoryTerm;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn what_goes_on_meanwhile_is_called_with_every_drawing_and_let_go_at_the_end() {
        let (term, called) = (InMemoryTerm::new(40, 120), Arc::new(AtomicU32::new(0)));
        let counter = Arc::clone(&called);
        let terminal = Terminal::start(painter(&term, 120, false), move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        terminal.recall(&samples::running());
        while called.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
        terminal.close(&Summary::of(&terminal.story()), 5);
        assert_eq!(Arc::strong_count(&called), 1);
    }

    #[test]
    fn a_log_line_goes_between_and_closing_waits_for_all_of_it() {
        let term = InMemoryTerm::new(40, 120);
        let terminal = Terminal::start(painter(&term, 120, false), || ());
        terminal.recall(&samples::running());
        let (told, heard) = std::sync::mpsc::channel();
        terminal.aside(move || told.send("log").unwrap());
        terminal.event(&Event::Warning { step: None, text: "the clock jumped".to_owned() });
        terminal.close(&Summary::of(&terminal.story()), 5);
        assert_eq!(heard.recv(), Ok("log"));
        insta::assert_snapshot!(term.contents(), @"
        12:04:15 ! the clock jumped
        blue-green in production has not ended: done so far: database, colours
        warning: the clock jumped
        next:
          bowline resume 20261121-120300-7f3a    goes on where it stopped
          bowline rollback 20261121-120300-7f3a  takes back what was done
          bowline abandon 20261121-120300-7f3a   closes it as it is
        ");
    }

    #[test]
    fn leaving_clears_the_moving_lines() {
        let term = InMemoryTerm::new(24, 100);
        let terminal = Terminal::start(painter(&term, 100, false), || ());
        samples::running().into_iter().for_each(|record| terminal.event(&Event::Recorded(Arc::new(record))));
        terminal.leave();
        assert!(!term.contents().contains("deploy"), "{}", term.contents());
        assert!(term.contents().contains("database"));
    }
}
