//! What the outside of a simulated run is like, as a plan writes it: pure data. It knows no plan and no cluster.

use crate::ids::{Period, StepId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The outside of a simulated run. What it does not describe is not modelled: a step that asks for it fails and says what to add.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Scenario {
    /// Manifests of what is in the cluster before the run: files, folders and globs, from the plan's folder.
    pub cluster: Vec<String>,
    /// Addresses that lead to the cluster's ingress controller or gateway, such as `http://127.0.0.1:8000`.
    pub entries: Vec<String>,
    /// What containers do, by their image; in a pattern `*` stands for anything, and the longest pattern that fits counts.
    pub images: BTreeMap<String, Image>,
    /// Servers outside the cluster. The first that fits answers.
    pub http: Vec<Server>,
    /// Servers outside the cluster that take connections, as `host:port`.
    pub tcp: Vec<String>,
    /// Programs on this machine. The first that fits runs.
    pub processes: Vec<Program>,
    /// Values of the plan's secrets; `simulated-NAME` for those that are not here. The real ones are never read.
    pub secrets: BTreeMap<String, String>,
    /// What people answer to steps that ask.
    pub approvals: BTreeMap<StepId, Approval>,
    /// Steps that fail once they have done everything, and what they say.
    pub fails: BTreeMap<StepId, String>,
}

impl Scenario {
    /// Makes what is said of a step hold for all the steps that stand in its place; what is said of one of them counts more.
    pub fn spread(&mut self, step: &StepId, all: &[StepId]) {
        spread(&mut self.approvals, step, all);
        spread(&mut self.fails, step, all);
    }
}

fn spread<T: Clone>(said: &mut BTreeMap<StepId, T>, step: &StepId, all: &[StepId]) {
    let Some(of_all) = said.remove(step) else { return };
    for one in all {
        said.entry(one.clone()).or_insert_with(|| of_all.clone());
    }
}

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// Yes.
    Approved,
    /// No.
    Rejected,
}

/// What the containers of an image do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Image {
    /// How it fails; it works when this is not given.
    pub fails: Option<Failing>,
    /// From its start until it is ready; 1s when it is not given.
    pub ready_after: Option<Period>,
    /// In a Job: how long it runs; 1s when it is not given.
    pub runs_for: Option<Period>,
    /// In a Job: its exit code; 0 when it is not given.
    pub exit_code: i32,
    /// What it prints.
    pub prints: String,
    /// What it answers. The first that fits counts.
    pub http: Vec<Served>,
    /// Programs that can be started in it. The first that fits runs.
    pub exec: Vec<Program>,
}

/// How an image fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Failing {
    /// It cannot be pulled: the registry does not have it.
    Missing,
    /// Its program ends with an error as soon as it runs.
    Crashes,
    /// It runs and never becomes ready.
    NeverReady,
}

/// An answer of a container. `{{ image.tag }}`, `{{ image.name }}`, `{{ pod.name }}`, `{{ env.NAME }}` and `{{ labels.NAME }}` in its
/// headers and body stand for what the container is and was given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Served {
    /// The path; in it `*` stands for anything. Every path when it is not given.
    pub path: Option<String>,
    /// The method; every method when it is not given.
    pub method: Option<String>,
    /// Variables that the container must have been given, also by a ConfigMap or a Secret; in a value `*` stands for anything.
    pub env: BTreeMap<String, String>,
    /// The status; 200 when it is not given.
    pub status: Option<u16>,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    pub json: Option<Value>,
    /// A body that is no JSON.
    pub text: Option<String>,
    /// How long it takes; 5ms when it is not given.
    pub takes: Option<Period>,
}

/// A server outside the cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Server {
    /// The URL, without its query; in it `*` stands for anything.
    pub url: String,
    /// The method; every method when it is not given.
    #[serde(default)]
    pub method: Option<String>,
    /// The status; 200 when it is not given.
    #[serde(default)]
    pub status: Option<u16>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default)]
    pub json: Option<Value>,
    /// A body that is no JSON.
    #[serde(default)]
    pub text: Option<String>,
    /// How long it takes; 5ms when it is not given.
    #[serde(default)]
    pub takes: Option<Period>,
}

/// A program, on this machine or in a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Program {
    /// Its command line, words parted by spaces; in it `*` stands for anything. Of a script, the text that the shell reads.
    pub run: String,
    /// What it must read on standard input to be meant; in it `*` stands for anything.
    #[serde(default)]
    pub input: Option<String>,
    /// Its exit code.
    #[serde(default)]
    pub exit_code: i32,
    /// What it prints on standard output.
    #[serde(default)]
    pub stdout: String,
    /// What it prints on standard error.
    #[serde(default)]
    pub stderr: String,
    /// How long it runs; 100ms when it is not given.
    #[serde(default)]
    pub takes: Option<Period>,
}

impl Scenario {
    /// The rule for an image: the longest pattern that fits.
    pub fn image(&self, image: &str) -> Option<&Image> {
        let fitting = self.images.iter().filter(|(pattern, _)| fits(pattern, image));
        fitting.max_by_key(|(pattern, _)| pattern.len()).map(|(_, rule)| rule)
    }
}

/// True when a text is what a pattern means: `*` stands for anything, also for nothing.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// True when some text that `known` stands for is what the pattern means: `*` stands for anything in both.
pub fn may_fit(pattern: &str, known: &str) -> bool {
    let known: Vec<char> = known.chars().collect();
    // Which beginnings of what is known may be meant by the pattern so far.
    let mut reached = vec![false; known.len() + 1];
    reached[0] = true;
    pass_stars(&mut reached, &known);
    for part in pattern.chars() {
        let mut next = vec![false; known.len() + 1];
        if part == '*' {
            let first = reached.iter().position(|is_reached| *is_reached).unwrap_or(reached.len());
            next[first..].fill(true);
        } else {
            for (at, letter) in known.iter().enumerate().filter(|(at, _)| reached[*at]) {
                next[if *letter == '*' { at } else { at + 1 }] |= *letter == '*' || *letter == part;
            }
        }
        pass_stars(&mut next, &known);
        reached = next;
    }
    reached[known.len()]
}

/// A star may stand for nothing.
fn pass_stars(reached: &mut [bool], known: &[char]) {
    for (at, _) in known.iter().enumerate().filter(|(_, letter)| **letter == '*') {
        reached[at + 1] |= reached[at];
    }
}

#[cfg(test)]
mod tests {
    use super::{Image, Scenario, fits, may_fit};

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in
            [("web:*", "web:v2"), ("*", ""), ("a*c", "abc"), ("a*b*c", "aXbYbZc"), ("web", "web"), ("pg_dump *", "pg_dump -x")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("web:*", "api:v2"), ("web", "web:v2"), ("a*c", "ab"), ("a*b*c", "acb"), ("", "x")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_known_in_part_may_be_meant() {
        for (pattern, known) in [
            ("web:v1", "web:*"),
            ("web:*", "*"),
            ("web", "*web*"),
            ("make AT=abc all", "make AT=* all"),
            ("a*c", "*b*"),
            ("", "*"),
            ("*", ""),
            ("abc", "abc"),
            ("a*", "*b"),
        ] {
            assert!(may_fit(pattern, known), "{pattern} {known}");
        }
        for (pattern, known) in [("api:*", "web:*"), ("web", "web:*"), ("make", "make *"), ("", "x*"), ("abc", "ab"), ("a*c", "*d")] {
            assert!(!may_fit(pattern, known), "{pattern} {known}");
        }
    }

    #[test]
    fn the_longest_pattern_that_fits_an_image_counts() {
        let of = |code| Image { exit_code: code, ..Image::default() };
        let images = [("*", 0), ("web:*", 1), ("web:v3", 2)].map(|(pattern, code)| (pattern.to_owned(), of(code)));
        let scenario = Scenario { images: images.into(), ..Scenario::default() };
        let found = |image: &str| scenario.image(image).map(|rule| rule.exit_code);
        assert_eq!([found("web:v3"), found("web:v4"), found("other")], [Some(2), Some(1), Some(0)]);
        assert_eq!(Scenario::default().image("web:v3"), None);
    }
}
