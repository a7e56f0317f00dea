//! `--output json`: every event as one JSON object on a line of its own, the summary last. It knows no clock and no terminal.

use super::called::Called;
use super::outlet::{Outlet, locked};
use super::story::Story;
use super::summary::Summary;
use super::{Display, sentence};
use crate::event::{Event, Reporter};
use crate::ids::{Moment, RunId, StepId};
use crate::record::Record;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Mutex;

/// One line of the output. The word under `event` tells which; new words and new keys may come, so readers pass over what they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum JsonLine {
    /// A durable record of the run's journal. Those from `seq` 0 on tell all there is to know.
    #[serde(rename_all = "kebab-case")]
    Record {
        /// The step, when it is about one.
        step: Option<StepId>,
        /// The same in words; none when there is nothing to tell a person.
        text: Option<String>,
        /// The record.
        record: Record,
    },
    /// A step does or waits for something.
    Doing {
        /// The step.
        step: StepId,
        /// One line.
        text: String,
    },
    /// How much of a step is done.
    Progress {
        /// The step.
        step: StepId,
        /// Parts done.
        done: u64,
        /// Parts in all; 0 when nobody knows.
        total: u64,
        /// What is counted.
        unit: String,
    },
    /// A line that a step's program printed.
    Line {
        /// The step.
        step: StepId,
        /// The line.
        text: String,
    },
    /// Something that a person should see; what matters also after the run, the summary tells once more.
    Warning {
        /// The step, when it is about one.
        step: Option<StepId>,
        /// One line.
        text: String,
    },
    /// The process lets go of the run.
    Released {
        /// The run.
        run: RunId,
        /// When.
        at: Moment,
    },
    /// The command could not begin what it was asked for. Always the last line.
    #[serde(rename_all = "kebab-case")]
    Error {
        /// The exit code of the process.
        exit_code: u8,
        /// What happened, in one line.
        message: String,
        /// Why, outermost first.
        causes: Vec<String>,
        /// What to type next.
        hint: Option<String>,
        /// What is wrong with the plan: `file`, `line`, `column`, `severity`, `code`, `message` and `help` of each problem.
        problems: Vec<serde_json::Value>,
    },
    /// The end. Always the last line.
    #[serde(rename_all = "kebab-case")]
    Summary {
        /// The exit code of the process.
        exit_code: u8,
        /// How it ended, why, what is left and what to type next.
        summary: Box<Summary>,
    },
}

/// The JSON Schema of one line.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(JsonLine)
}

/// Writes events as JSON lines.
pub struct Json {
    outlet: Outlet,
    story: Mutex<Story>,
}

impl Json {
    /// Writes to `out`.
    pub fn new(out: impl std::io::Write + Send + 'static) -> Self {
        Self { outlet: Outlet::new(out), story: Mutex::default() }
    }

    /// Its commands say again what was said.
    #[must_use]
    pub fn called(self, called: &Called) -> Self {
        locked(&self.story).called = called.clone();
        self
    }

    fn write(&self, line: &JsonLine) {
        self.outlet.line(line.to_text());
    }
}

impl JsonLine {
    /// The line, without its end.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a line holds only what JSON can hold")
    }
}

fn line(story: &Story, event: &Event) -> JsonLine {
    match event.clone() {
        Event::Recorded(record) => {
            let sentence = sentence::of(story, &record, &TimeZone::UTC);
            let (step, text) = sentence.map(|sentence| (sentence.step, sentence.text)).unzip();
            JsonLine::Record { step: step.flatten(), text, record: (*record).clone() }
        }
        Event::Doing { step, text, .. } => JsonLine::Doing { step, text },
        Event::Of { step, done, total, unit } => JsonLine::Progress { step, done, total, unit },
        Event::Line { step, text, .. } => JsonLine::Line { step, text },
        Event::Warning { step, text } | Event::Notice { step, text } => JsonLine::Warning { step, text: story.called.complete(&text) },
        Event::Released { run, at } => JsonLine::Released { run, at },
    }
}

impl Reporter for Json {
    fn event(&self, event: &Event) {
        let mut story = locked(&self.story);
        story.event(event);
        self.write(&line(&story, event));
    }
}

impl Display for Json {
    fn recall(&self, records: &[Record]) {
        let mut story = locked(&self.story);
        records.iter().for_each(|record| story.record(record));
    }

    fn story(&self) -> Story {
        locked(&self.story).clone()
    }

    fn close(&self, summary: &Summary, exit_code: u8) {
        self.write(&JsonLine::Summary { exit_code, summary: Box::new(summary.clone()) });
        self.outlet.close();
    }

    fn leave(&self) {}
}

#[cfg(test)]
mod tests {
    use super::{Json, schema};
    use crate::event::{Event, Reporter};
    use crate::ids::Moment;
    use crate::report::Display;
    use crate::report::outlet::tests::Page;
    use crate::report::samples;
    use crate::report::summary::Summary;
    use std::sync::Arc;

    #[test]
    fn every_line_is_an_object_and_the_last_is_the_summary() {
        let page = Page::default();
        let json = Json::new(page.clone());
        for record in samples::rolled_back() {
            json.event(&Event::Recorded(Arc::new(record)));
        }
        json.event(&Event::Doing { step: samples::id("deploy"), text: "two\nlines".to_owned(), at: Moment::from_millis(0) });
        json.close(&Summary::of(&json.story()), 3);
        let text = page.text();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), samples::rolled_back().len() + 2);
        assert!(lines.iter().all(|line| line["event"].is_string()));
        insta::assert_snapshot!(text.lines().nth(3).unwrap(), @r#"{"event":"record","step":"database","text":"done in 1m 01s","record":{"v":1,"seq":3,"at":"2026-11-21T12:04:01.04Z","epoch":1,"what":{"attempt-ended":{"step":"database","attempt":1,"result":{"succeeded":{"output":null}}}}}}"#);
        insta::assert_snapshot!(serde_json::to_string_pretty(lines.last().unwrap()).unwrap(), @r#"
        {
          "event": "summary",
          "exit-code": 3,
          "summary": {
            "run": "20261121-120300-7f3a",
            "plan": "blue-green",
            "environment": "production",
            "simulated": false,
            "outcome": "rolled-back",
            "headline": "blue-green in production was rolled back after 1m 08s: what `back` guards is as it was, but for what somebody else changed",
            "reason": "healthy: image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found",
            "hint": "push the image, or name one that exists",
            "failed": [
              {
                "step": "healthy",
                "why": "image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found",
                "hint": "push the image, or name one that exists"
              }
            ],
            "restored": [],
            "stays": [],
            "kept": [
              {
                "step": "deploy",
                "what": "apps/Deployment/production/web-green",
                "notes": [
                  "spec.replicas is 4 since kubectl-scale set it"
                ]
              }
            ],
            "residue": [],
            "to-take-back": [],
            "blocked": [],
            "doubts": [],
            "warnings": [],
            "next": [
              {
                "command": "bowline show 20261121-120300-7f3a --evidence healthy",
                "does": "shows what was seen when it failed"
              }
            ],
            "no-way-back": null,
            "millis": 68860
          }
        }
        "#);
    }

    #[test]
    fn the_schema_names_every_kind_of_line() {
        let schema = schema().to_value();
        let kinds: Vec<&str> =
            schema["oneOf"].as_array().unwrap().iter().map(|one| one["properties"]["event"]["const"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["record", "doing", "progress", "line", "warning", "released", "error", "summary"]);
        assert_eq!(schema["$defs"]["Record"]["properties"]["seq"]["type"], "integer");
    }
}
