//! What is wrong with a plan, in words, with the exact place and what to write instead. It decides nothing.

use super::Source;
use super::model::NamedFile;
use crate::expr::place::line_and_column;
use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Most problems that a person is shown at once; a program is told all.
const MOST_SHOWN: usize = 500;

/// One thing that is wrong, or worth a look.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Names the kind of mistake, such as `plan::unknown-step`.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Only worth a look: the plan can run.
    pub is_warning: bool,
    /// A mistake, but in a plan that was begun.
    pub is_judged: bool,
    labels: Vec<(Range<usize>, Option<String>)>,
    source: Arc<NamedSource<String>>,
}

impl Problem {
    /// Adds what to write instead.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place, with words for it; it is only underlined where there are none.
    pub(super) fn also(&mut self, span: &Range<usize>, words: impl Into<String>) -> &mut Self {
        let words = words.into();
        self.labels.push((span.clone(), (!words.is_empty()).then_some(words)));
        self
    }

    /// Gives the first place words.
    pub(super) fn words(&mut self, words: impl Into<String>) -> &mut Self {
        if let Some((_, told)) = self.labels.first_mut() {
            *told = Some(words.into());
        }
        self
    }

    /// The first place: line and column from 1, the column in characters.
    pub fn place(&self) -> (usize, usize) {
        line_and_column(self.source.inner(), self.start())
    }

    /// The characters that it points at first.
    pub fn pointed(&self) -> &str {
        self.labels.first().and_then(|(span, _)| self.source.inner().get(span.clone())).unwrap_or_default()
    }

    /// "expected a list, found a text" needs no "write a list" below it.
    fn is_said_already(&self, help: &str) -> bool {
        let wanted = self.message.strip_prefix("expected ").and_then(|rest| rest.split_once(", found "));
        wanted.is_some_and(|(wanted, _)| help.strip_prefix("write ") == Some(wanted))
    }

    /// True when the same is said of the same place.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.code, &self.message, &self.labels) == (other.code, &other.message, &other.labels)
    }

    fn start(&self) -> usize {
        self.labels.first().map_or(0, |(span, _)| span.start)
    }

    /// One line for a log: `plan.yaml:7:13: …`.
    pub fn line(&self) -> String {
        let (line, column) = self.place();
        format!("{}:{line}:{column}: {}", self.source.name(), self.message)
    }

    /// An object with `file`, `line`, `column`, `severity`, `code`, `message` and `help`.
    pub fn to_json(&self) -> Value {
        let (line, column) = self.place();
        let severity = if self.is_warning { "warning" } else { "error" };
        json!({
            "file": self.source.name(), "line": line, "column": column, "severity": severity,
            "code": self.code, "message": self.message, "help": self.help,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.is_warning { Severity::Warning } else { Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_ref().filter(|help| !self.is_said_already(help));
        help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.labels.is_empty()).then_some(&*self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().map(|(span, words)| LabeledSpan::new(words.clone(), span.start, span.len()))))
    }
}

/// Why a plan cannot run: at least one mistake, and the warnings beside it, in the order of the text.
#[derive(Debug, Clone)]
pub struct Problems {
    name: String,
    all: Vec<Problem>,
    /// The files that the plan names, as far as it could be read.
    pub files: Vec<NamedFile>,
}

impl Problems {
    /// The mistakes and warnings.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.all.iter()
    }

    /// The same problems, and those of files that the plan names.
    #[must_use]
    pub fn with_files(mut self, source: &Source, faults: &[(NamedFile, String)]) -> Self {
        let mut notes = Notes::new(source);
        faults.iter().for_each(|(file, fault)| notes.file(file, fault));
        let like = self.all.first().map(|problem| Arc::clone(&problem.source));
        self.all.extend(notes.all.into_iter().map(|problem| Problem { source: like.clone().unwrap_or(problem.source), ..problem }));
        self.all.sort_by_key(Problem::start);
        self
    }

    /// How many mistakes there are, warnings not counted.
    pub fn mistakes(&self) -> usize {
        self.all.iter().filter(|problem| !problem.is_warning).count()
    }

    /// A list of objects, see [`Problem::to_json`].
    pub fn to_json(&self) -> Value {
        Value::Array(self.iter().map(Problem::to_json).collect())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes() {
            1 => write!(f, "{} has a mistake", self.name),
            many if self.all.len() > MOST_SHOWN => write!(f, "{} has {many} mistakes; these are the first {MOST_SHOWN}", self.name),
            many => write!(f, "{} has {many} mistakes", self.name),
        }
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.all.iter().take(MOST_SHOWN).map(|problem| problem as &dyn Diagnostic)))
    }
}

/// Collects problems while a plan is read and checked.
pub(super) struct Notes<'s> {
    pub(super) source: &'s Source,
    /// A copy of the text, made for the first problem: most plans have none.
    shown: OnceCell<Arc<NamedSource<String>>>,
    all: Vec<Problem>,
    masked: Vec<Range<usize>>,
    is_begun: bool,
}

impl<'s> Notes<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, shown: OnceCell::new(), all: Vec::new(), masked: Vec::new(), is_begun: false }
    }

    /// For a plan that was begun, perhaps by a bowline that knew less.
    pub(super) fn of_begun(source: &'s Source) -> Self {
        Self { is_begun: true, ..Self::new(source) }
    }

    /// Notes a mistake.
    pub(super) fn error(&mut self, code: &'static str, span: &Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.add(code, span, message.into(), false)
    }

    /// Notes a mistake that keeps nobody from carrying the plan out as it stands, only from beginning with it: a step of it may fail. In one
    /// that was begun it is worth a look.
    pub(super) fn judgment(&mut self, code: &'static str, span: &Range<usize>, message: impl Into<String>) -> &mut Problem {
        let is_begun = self.is_begun;
        let problem = self.add(code, span, message.into(), is_begun);
        problem.is_judged = is_begun;
        problem
    }

    /// Notes something worth a look.
    pub(super) fn warning(&mut self, code: &'static str, span: &Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.add(code, span, message.into(), true)
    }

    /// Notes a mistake in the words of the type or the action that found it: what they say to write instead becomes the help.
    pub(super) fn said(&mut self, code: &'static str, span: &Range<usize>, words: &str, otherwise: &str) {
        let verbs = ["write ", "say ", "name ", "keep ", "give ", "they go ", "did you mean ", "known "];
        let parts = words.match_indices(": ").map(|(at, colon)| (&words[..at], &words[at + colon.len()..]));
        match parts.filter(|(_, rest)| verbs.iter().any(|verb| rest.starts_with(verb))).last() {
            Some((message, help)) => self.error(code, span, message).help(help),
            None => self.error(code, span, words).help(otherwise),
        };
    }

    /// As [`Notes::said`], for a [judgment](Notes::judgment).
    pub(super) fn judged(&mut self, code: &'static str, span: &Range<usize>, words: &str, otherwise: &str) {
        self.said(code, span, words, otherwise);
        let problem = self.all.last_mut().expect("a problem was noted just now");
        (problem.is_warning, problem.is_judged) = (self.is_begun, self.is_begun);
    }

    fn add(&mut self, code: &'static str, span: &Range<usize>, message: String, is_warning: bool) -> &mut Problem {
        let source = Arc::clone(self.shown.get_or_init(|| self.source.shown(&[])));
        let labels = vec![(span.clone(), None)];
        self.all.push(Problem { code, message, help: None, is_warning, is_judged: false, labels, source });
        self.all.last_mut().expect("a problem was pushed just now")
    }

    pub(super) fn file(&mut self, file: &NamedFile, fault: &str) {
        let problem = self.error("plan::file", &file.span, fault);
        // Where a line of it is told it was found, and what is wrong with it is said.
        let has_line = fault.split(':').nth(1).is_some_and(|line| line.parse::<usize>().is_ok());
        problem.help(match has_line {
            true => "that line and column are the file's own",
            false => "paths are taken from the plan's folder; a file there must hold Kubernetes objects in YAML or JSON",
        });
    }

    /// Hides a part of the text from every problem that is shown.
    pub(super) fn mask(&mut self, span: &Range<usize>) {
        self.masked.push(span.clone());
    }

    /// Hides the lines below `secrets:` of a text that is not YAML: what they hold cannot be told.
    pub(super) fn mask_secrets(&mut self) {
        let (mut inside, mut start) = (false, 0);
        for line in self.source.text.split_inclusive('\n') {
            let is_key = line.starts_with(|first: char| !first.is_whitespace() && !matches!(first, '#' | '}'));
            inside = if is_key { line.starts_with("secrets") } else { inside };
            if let Some(colon) = line.find(':').filter(|_| inside) {
                self.masked.push(start + colon + 1..start + line.trim_end().len().max(colon + 1));
            } else if inside {
                self.masked.push(start..start + line.trim_end().len());
            }
            start += line.len();
        }
    }

    /// How many problems there are so far.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.all.iter().any(|problem| !problem.is_warning)
    }

    /// The warnings, or all problems when there is a mistake.
    pub(super) fn finish(mut self) -> Result<Vec<Problem>, Problems> {
        if !self.masked.is_empty() {
            let shown = self.source.shown(&self.masked);
            self.all.iter_mut().for_each(|problem| problem.source = Arc::clone(&shown));
        }
        self.all.sort_by_key(Problem::start);
        // What stands below an anchor is read again at each alias.
        self.all.dedup_by(|one, other| one.is_like(other));
        match self.has_errors() {
            true => Err(Problems { name: self.source.name.clone(), all: self.all, files: Vec::new() }),
            false => Ok(self.all),
        }
    }
}
