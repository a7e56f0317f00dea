//! Tells live news after the record that they belong to. Records are told once they are durable, so news of a step may overtake its begin.

use super::story::Story;
use crate::event::Event;
use crate::ids::StepId;

/// Most news that are held back: a display that waits for a record which never comes must not fill the memory.
const MOST: usize = 1_000;

/// A story, and the news that are ahead of it.
#[derive(Debug, Default)]
pub struct InOrder {
    /// The story as it was told.
    pub story: Story,
    early: Vec<Event>,
}

impl InOrder {
    /// Takes an event in, and hands out what can be told now, each with the story up to it.
    pub fn take(&mut self, event: &Event, mut tell: impl FnMut(&Story, &Event)) {
        if self.is_early(event) {
            self.early.push(event.clone());
            if self.early.len() > MOST {
                self.release(|_, _| true, &mut tell);
            }
            return;
        }
        self.story.event(event);
        tell(&self.story, event);
        if matches!(event, Event::Recorded(_)) && !self.early.is_empty() {
            self.release(is_live, &mut tell);
        }
    }

    /// Hands out what is still held back.
    pub fn finish(&mut self, mut tell: impl FnMut(&Story, &Event)) {
        self.release(|_, _| true, &mut tell);
    }

    fn is_early(&self, event: &Event) -> bool {
        matches!(event, Event::Doing { .. } | Event::Of { .. } | Event::Line { .. }) && !is_live(&self.story, event)
    }

    fn release(&mut self, ready: impl Fn(&Story, &Event) -> bool, tell: &mut impl FnMut(&Story, &Event)) {
        for event in std::mem::take(&mut self.early) {
            match ready(&self.story, &event) {
                true => {
                    self.story.event(&event);
                    tell(&self.story, &event);
                }
                false => self.early.push(event),
            }
        }
    }
}

fn is_live(story: &Story, event: &Event) -> bool {
    step(event).and_then(|step| story.step(step)).is_some_and(|step| step.status.is_live())
}

fn step(event: &Event) -> Option<&StepId> {
    match event {
        Event::Doing { step, .. } | Event::Of { step, .. } | Event::Line { step, .. } => Some(step),
        Event::Warning { step, .. } => step.as_ref(),
        Event::Recorded(_) | Event::Released { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{InOrder, MOST};
    use crate::event::Event;
    use crate::report::samples;
    use std::sync::Arc;

    fn line(step: &str, text: &str) -> Event {
        Event::Line { step: samples::id(step), text: text.to_owned() }
    }

    #[test]
    fn a_line_waits_for_the_begin_of_its_step() {
        let records = samples::running().into_iter().map(|record| Event::Recorded(Arc::new(record)));
        let mut events: Vec<Event> = records.collect();
        let begin = events.len() - 1;
        events.insert(0, line("deploy", "early"));
        events.push(line("deploy", "late"));
        let (mut order, mut told) = (InOrder::default(), Vec::new());
        for event in &events {
            order.take(event, |_, event| told.push(event.clone()));
        }
        assert_eq!(told[begin + 1..], [line("deploy", "early"), line("deploy", "late")]);
    }

    #[test]
    fn what_never_begins_is_told_in_the_end_or_when_it_is_too_much() {
        let (mut order, mut told) = (InOrder::default(), 0);
        order.take(&line("smoke", "x"), |_, _| told += 1);
        assert_eq!(told, 0);
        order.finish(|_, _| told += 1);
        assert_eq!(told, 1);
        for _ in 0..=MOST {
            order.take(&line("smoke", "x"), |_, _| told += 1);
        }
        assert_eq!(told, MOST + 2);
    }
}
