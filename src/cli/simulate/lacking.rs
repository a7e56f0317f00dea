//! What a plan's `simulate` does not describe and every run would come to: told at once, with the lines to write. It starts nothing.

use crate::action::{About, Asked, Sent};
use crate::cli::context::Context;
use crate::cli::failure::{CommandFailure, Diagnosis};
use crate::cli::freeze::Contents;
use crate::expr::place::line_and_column;
use crate::plan::{Demand, Demands, Places, Source};
use crate::report::paint::Paint;
use crate::report::words::{self, plain};
use crate::report::wrap::wrap;
use crate::scenario::Scenario;
use crate::sim;
use indexmap::IndexMap;
use serde_json::{Value, json};

/// Most places that are named of one thing.
const MOST_PLACES: usize = 3;

/// An object that is in the cluster before the run, and the file that it stands in.
pub(super) struct Furniture {
    pub(super) file: String,
    pub(super) object: Value,
}

/// What kind of words is missing: a list of the plan's `simulate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Object,
    Image,
    /// A program that containers of an image run.
    InPod,
    Server,
    Program,
    Answer,
}

/// Something that has no words.
#[derive(Debug)]
struct Lack {
    words: Words,
    what: String,
    /// The line to write, or what stands behind its key.
    rule: String,
    /// The key in front of it; empty where there is none.
    key: String,
    /// Where it is asked for: file, line and column.
    places: Vec<(String, usize, usize)>,
    is_certain: bool,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    lacks: Vec<Lack>,
    /// The plan says something of its world already.
    is_begun: bool,
}

/// Where things stand: the plan, and the files beside it.
pub(super) struct Texts<'a> {
    source: &'a Source,
    places: Places<'a>,
    files: &'a Contents,
}

impl<'a> Texts<'a> {
    pub(super) fn of(source: &'a Source, files: &'a Contents) -> Self {
        Self { source, places: Places::of(source), files }
    }

    fn of_step<T>(&self, demand: &Demand<T>, about: &About) -> (String, usize, usize) {
        let (line, column) = self.places.of_step(&demand.step, about);
        (self.source.name.clone(), line, column)
    }

    fn of_image(&self, demand: &Demand<Sent>, written: &str) -> (String, usize, usize) {
        match &demand.what.about {
            About::File(path) => in_file(self.files, path, written),
            about => self.of_step(demand, about),
        }
    }
}

impl Lacking {
    /// What of these demands nobody describes, and what of the cluster's own objects.
    pub(super) fn of(scenario: &Scenario, demands: &Demands, furniture: &[Furniture], texts: &Texts<'_>) -> Self {
        let mut lacking = Self { lacks: Vec::new(), is_begun: texts.places.has("simulate") };
        // A program has no place of its own: it may be of a probe, or of what takes the step back.
        let own = About::Parameter(Vec::new());
        for demand in &demands.programs {
            if let Some(rule) = sim::lacking_program(scenario, &demand.what) {
                let what = format!("the program `{}`", demand.what.title());
                lacking.add(Lack::new(Words::Program, what, rule, demand.is_certain), texts.of_step(demand, &own));
            }
        }
        for Furniture { file, object } in furniture {
            for image in sim::images(object) {
                lacking.image(scenario, image, true, || in_file(texts.files, file, image));
            }
        }
        for demand in &demands.objects {
            let (known, written) = (sim::images(&demand.what.object), sim::images(&demand.what.written));
            for (number, image) in known.into_iter().enumerate() {
                let written = written.get(number).copied().unwrap_or_default();
                lacking.image(scenario, image, demand.is_certain, || texts.of_image(demand, written));
            }
        }
        let there: Vec<&Value> =
            furniture.iter().map(|known| &known.object).chain(demands.objects.iter().map(|demand| &demand.what.object)).collect();
        for demand in &demands.asked {
            if let Some(lack) = asked(scenario, &there, &demand.what, demand.is_certain) {
                lacking.add(lack, texts.of_step(demand, &own));
            }
        }
        for demand in demands.answers.iter().filter(|demand| !scenario.approvals.contains_key(&demand.step)) {
            let rule = format!("{}: approved", key(demand.step.as_str()));
            let lack = Lack::new(Words::Answer, format!("an answer to {}", demand.step), rule, demand.is_certain);
            lacking.add(lack, texts.of_step(demand, &own));
        }
        lacking
    }

    fn image(&mut self, scenario: &Scenario, image: &str, is_certain: bool, place: impl Fn() -> (String, usize, usize)) {
        if let Some(key) = sim::lacking_image(scenario, image) {
            self.add(Lack { key, ..Lack::new(Words::Image, format!("the image `{image}`"), String::new(), is_certain) }, place());
        }
    }

    fn add(&mut self, new: Lack, place: (String, usize, usize)) {
        let new = Lack { rule: plain(&new.rule), key: plain(&new.key), what: plain(&new.what), places: vec![place.clone()], ..new };
        match self.lacks.iter_mut().find(|lack| lack.is_like(&new)) {
            Some(lack) => {
                lack.is_certain |= new.is_certain;
                if !lack.places.contains(&place) {
                    lack.places.push(place);
                }
            }
            None => self.lacks.push(new),
        }
    }

    /// Why a run cannot begin; nothing where it comes to its end without more.
    pub(super) fn refused(&self, context: &Context) -> Option<CommandFailure> {
        self.lacks.iter().find(|lack| lack.is_certain)?;
        let mut failure = CommandFailure::usage(format!("not modelled: {} of this plan, so nothing was begun", self.count()));
        let each = |lack: &Lack| {
            let (file, line, column) = lack.places.first().cloned().unwrap_or_default();
            json!({
                "file": file, "line": line, "column": column, "severity": if lack.is_certain { "error" } else { "warning" },
                "code": lack.words.code(), "message": format!("{} is not modelled", lack.what),
                "help": format!("write `{}` in `simulate.{}`", lack.line(), lack.words.list()),
            })
        };
        let mut prose = vec![format!("error: {}", failure.message)];
        prose.extend(self.lacks.iter().map(Lack::told));
        prose.push(format!("  next: {}", self.invitation()));
        let paint = Paint { is_on: context.streams.colour };
        let prose = prose.iter().flat_map(|line| context.streams.width_err.map_or_else(|| vec![line.clone()], |width| wrap(line, width)));
        let lines = prose.map(|line| paint.lead(&line)).chain(self.rules());
        failure.diagnostic = Some(Box::new(Diagnosis {
            text: lines.collect::<Vec<_>>().join("\n"),
            is_drawn: true,
            problems: self.lacks.iter().map(each).collect(),
        }));
        Some(failure)
    }

    /// After a run that came to something that nobody described: what of that was not to be told before, and the lines to write for all of it.
    pub(super) fn after(&self, missing: Vec<String>) -> (Vec<String>, Vec<String>) {
        let rest: Vec<String> = missing.iter().filter(|line| !self.lacks.iter().any(|lack| lack.is_meant(line))).cloned().collect();
        if rest.len() == missing.len() {
            return (rest, Vec::new());
        }
        let words = format!("not modelled: {} of this plan; {}", self.count(), self.invitation());
        (rest.into_iter().chain([words]).collect(), self.rules().collect())
    }

    fn count(&self) -> String {
        let all: [(&[Words], &str, &str); 5] = [
            (&[Words::Object], "object", "objects"),
            (&[Words::Program, Words::InPod], "program", "programs"),
            (&[Words::Image], "image", "images"),
            (&[Words::Server], "server", "servers"),
            (&[Words::Answer], "answer", "answers"),
        ];
        let told = all.into_iter().filter_map(|(kinds, one, many)| {
            let count = self.lacks.iter().filter(|lack| kinds.contains(&lack.words)).count();
            (count > 0).then(|| words::count(count, one, many))
        });
        let told: Vec<String> = told.collect();
        match told.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
            _ => told.concat(),
        }
    }

    fn invitation(&self) -> &'static str {
        if self.is_begun { "add to what its `simulate` says:" } else { "write in it:" }
    }

    /// Lines of a plan, to be copied as they stand.
    fn rules(&self) -> impl Iterator<Item = String> {
        let mut lines = vec!["simulate:".to_owned()];
        let of_kind = |kind: Words| self.lacks.iter().filter(move |lack| lack.words == kind);
        if of_kind(Words::Object).next().is_some() {
            let names: Vec<&str> = of_kind(Words::Object).map(|lack| lack.rule.as_str()).collect();
            lines.extend(["  cluster:".to_owned(), format!("    - there.yaml  # a manifest with {}", names.join(", "))]);
        }
        let mut images: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for lack in of_kind(Words::Image).chain(of_kind(Words::InPod)) {
            images.entry(&lack.key).or_default().extend(Some(lack.rule.as_str()).filter(|rule| !rule.is_empty()));
        }
        lines.extend((!images.is_empty()).then(|| "  images:".to_owned()));
        lines.extend(images.iter().map(|(key, rules)| format!("    {}", of_image(key, rules))));
        for (kind, item) in [(Words::Server, "- "), (Words::Program, "- "), (Words::Answer, "")] {
            let mut lacks = of_kind(kind).peekable();
            lines.extend(lacks.peek().map(|_| format!("  {}:", kind.list())));
            lines.extend(lacks.map(|lack| format!("    {item}{}", lack.rule)));
        }
        lines.into_iter()
    }
}

/// What nobody describes of what a step asks of the outside.
fn asked(scenario: &Scenario, there: &[&Value], asked: &Asked, is_certain: bool) -> Option<Lack> {
    match asked {
        Asked::Server { method, url, host } => {
            let rule = sim::lacking_server(scenario, there, method, url, host.as_deref())?;
            let url = url.split(['?', '#']).next().unwrap_or_default();
            Some(Lack::new(Words::Server, format!("the server that answers {method} {url}"), rule, is_certain))
        }
        Asked::Object(name) if sim::may_be_there(there, name) => None,
        Asked::Object(name) => Some(Lack::new(Words::Object, format!("{name}, which no step applies"), name.clone(), is_certain)),
        Asked::InPod { pod, .. } if !sim::may_be_there(there, pod) => {
            Some(Lack::new(Words::Object, format!("{pod}, which no step applies"), pod.clone(), is_certain))
        }
        Asked::InPod { pod, container, script } => {
            let (image, rule) = sim::lacking_in_pod(scenario, there, pod, container.as_deref(), script)?;
            let what = format!("the program `{}` in {pod}", script.title());
            Some(Lack { key: quoted(&image), ..Lack::new(Words::InPod, what, rule, is_certain) })
        }
    }
}

/// The line of an image in `simulate.images`.
fn of_image(key: &str, exec: &[&str]) -> String {
    match exec {
        [] => format!("{key}: {{}}"),
        rules => format!("{key}: {{ exec: [{}] }}", rules.join(", ")),
    }
}

fn quoted(image: &str) -> String {
    format!("'{}'", image.replace('\'', "''"))
}

impl Words {
    fn list(self) -> &'static str {
        match self {
            Words::Object => "cluster",
            Words::Image | Words::InPod => "images",
            Words::Server => "http",
            Words::Program => "processes",
            Words::Answer => "approvals",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Words::Object => "simulate::object",
            Words::Image => "simulate::image",
            Words::Program | Words::InPod => "simulate::program",
            Words::Server => "simulate::server",
            Words::Answer => "simulate::answer",
        }
    }
}

impl Lack {
    fn new(words: Words, what: String, rule: String, is_certain: bool) -> Self {
        Self { words, what, rule, key: String::new(), places: Vec::new(), is_certain }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.words == other.words && self.rule == other.rule && self.key == other.key
    }

    /// What is to be written for it.
    fn line(&self) -> String {
        match self.words {
            Words::Image => of_image(&self.key, &[]),
            Words::InPod => of_image(&self.key, &[&self.rule]),
            Words::Object => format!("there.yaml  # a manifest with {}", self.rule),
            Words::Server | Words::Program | Words::Answer => self.rule.clone(),
        }
    }

    fn told(&self) -> String {
        let places: Vec<String> =
            self.places.iter().take(MOST_PLACES).map(|(file, line, column)| format!("{file}:{line}:{column}")).collect();
        let more = self.places.len().saturating_sub(MOST_PLACES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let perhaps = if self.is_certain { "" } else { ", should the run come to it" };
        format!("  {}{more}: {}{perhaps}", places.join(", "), self.what)
    }

    /// True when the simulated world missed this.
    fn is_meant(&self, line: &str) -> bool {
        match self.words {
            Words::Program | Words::InPod => line.contains(&self.rule),
            Words::Server => self.what.split_once("answers ").is_some_and(|(_, question)| line.contains(question)),
            Words::Image => {
                line.contains("`simulate.images`") && self.what.strip_prefix("the image ").is_some_and(|image| line.contains(image))
            }
            Words::Answer | Words::Object => false,
        }
    }
}

/// What stands between brackets is put between quotes.
fn key(step: &str) -> String {
    if step.contains('[') { format!("'{step}'") } else { step.to_owned() }
}

/// Where a text stands in a file as a whole word and in no comment; else where the file begins.
fn in_file(files: &Contents, path: &str, word: &str) -> (String, usize, usize) {
    let text = files.get(path).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let is_comment = |at: usize| text[..at].rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('#'));
    let is_part = |c: char| c.is_alphanumeric() || "-._/:@".contains(c);
    let is_word = |at: usize| {
        let behind = text[at + word.len()..].chars().next();
        !text[..at].ends_with(is_part) && !behind.is_some_and(is_part)
    };
    let found = text.match_indices(word).map(|(at, _)| at).find(|at| !word.is_empty() && is_word(*at) && !is_comment(*at));
    let (line, column) = found.map_or((1, 1), |at| line_and_column(&text, at));
    (path.to_owned(), line, column)
}
