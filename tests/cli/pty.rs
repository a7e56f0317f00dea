//! The program on a terminal of its own: what a person sees there, line by line, and how it ended.

use crate::bench::Bench;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What was seen on a terminal.
pub struct Seen {
    pub code: Option<i32>,
    /// Everything that was written, commands to the terminal included.
    pub raw: String,
    terminal: vt100::Parser,
}

impl Seen {
    /// The lines, without what blank ones come after them.
    pub fn text(&self) -> String {
        self.terminal.screen().contents()
    }

    /// True when a colour or another look was asked for.
    pub fn is_coloured(&self) -> bool {
        self.raw.split("\x1b[").skip(1).any(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
            rest[end..].starts_with('m') && !matches!(&rest[..end], "" | "0")
        })
    }

    /// The lines that the terminal had to break within, since they were too long for it. Blanks that fill a line up break nothing.
    pub fn broken_lines(&self) -> Vec<String> {
        let screen = self.terminal.screen();
        let (rows, columns) = screen.size();
        let row = |row: u16| screen.contents_between(row, 0, row, columns);
        (0..rows).filter(|at| screen.row_wrapped(*at)).map(row).filter(|line| !line.ends_with(' ')).collect()
    }

    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.text());
        self
    }

    #[track_caller]
    pub fn assert_says(&self, words: &str) -> &Self {
        // A line that is broken between words says the same.
        let told = self.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(words), "`{words}` is not said:\n{}", self.text());
        self
    }
}

/// What a person types at a terminal, and when.
#[derive(Clone, Copy)]
pub enum Typed<'a> {
    /// At once, whatever is seen.
    AtOnce(&'a str),
    /// These words, once those before them are seen.
    After(&'a str, &'a str),
    /// The same, where they are seen.
    IfAsked(&'a str, &'a str),
}

/// Runs the program on a terminal so many columns wide; `typed` is what a person types there.
pub fn run(bench: &Bench, columns: u16, arguments: &[&str], typed: &str, variables: &[(&str, &str)]) -> Seen {
    line(bench, columns, &command(arguments), Typed::AtOnce(typed), variables)
}

/// Runs the program, and types once a question is seen.
pub fn answer(bench: &Bench, arguments: &[&str], question: &str, typed: &str) -> Seen {
    line(bench, 80, &command(arguments), Typed::After(question, typed), &[])
}

pub fn command(arguments: &[&str]) -> String {
    let quoted: Vec<String> = arguments.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    format!("{} {} --state state", env!("CARGO_BIN_EXE_bowline"), quoted.join(" "))
}

/// Runs a line of one command as a person would type it.
pub fn line(bench: &Bench, columns: u16, line: &str, typed: Typed<'_>, variables: &[(&str, &str)]) -> Seen {
    let mut terminal = Terminal::start(bench, columns, &format!("exec {line}"), variables);
    match typed {
        Typed::AtOnce(words) => terminal.press(words),
        Typed::After(question, words) => {
            assert!(terminal.shows(question), "`{question}` is not asked:\n{}", terminal.shown());
            terminal.press(words);
        }
        Typed::IfAsked(question, words) if terminal.shows(question) => terminal.press(words),
        Typed::IfAsked(..) => {}
    }
    terminal.end()
}

/// A terminal on which something runs.
pub struct Terminal {
    columns: u16,
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    raw: Vec<u8>,
}

impl Terminal {
    /// Runs lines of a shell.
    pub fn start(bench: &Bench, columns: u16, lines: &str, variables: &[(&str, &str)]) -> Self {
        let lines = format!("stty cols {columns} rows 200; {lines}");
        // A suite that runs in the background, or under `nohup`, is deaf to keys and so would be what it starts.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,QUIT,TERM", "script", "-qfec", &lines, "/dev/null"]).current_dir(bench.path(""));
        command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh").env("TZ", "UTC");
        for unset in ["BOWLINE_STATE", "BOWLINE_KEY", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(unset);
        }
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("script is part of every Linux");
        let (keys, screen) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
        Self { columns, child, keys, screen, raw: Vec::new() }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal lives");
    }

    /// Waits until these words are shown; false when all ended without them.
    pub fn shows(&mut self, words: &str) -> bool {
        while !self.shown().contains(words) {
            let mut more = [0; 1024];
            match self.screen.read(&mut more).expect("the terminal lives") {
                0 => return false,
                count => self.raw.extend(&more[..count]),
            }
        }
        true
    }

    /// Everything that was shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// Waits until all ended.
    pub fn end(mut self) -> Seen {
        drop(self.keys);
        self.screen.read_to_end(&mut self.raw).expect("the terminal lives");
        let code = self.child.wait().expect("it is our child").code();
        let mut terminal = vt100::Parser::new(200, self.columns, 0);
        terminal.process(&self.raw);
        Seen { code, raw: String::from_utf8_lossy(&self.raw).into_owned(), terminal }
    }
}
