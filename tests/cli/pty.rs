//! The program on a terminal of its own: what a person sees there, line by line, and how it ended.

use crate::bench::Bench;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

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
}

/// Runs the program on a terminal so many columns wide; `typed` is what a person types there.
pub fn run(bench: &Bench, columns: u16, arguments: &[&str], typed: &str, variables: &[(&str, &str)]) -> Seen {
    line(bench, columns, &command(arguments), Typed::AtOnce(typed), variables)
}

/// Runs the program, and types once a question is seen.
pub fn answer(bench: &Bench, arguments: &[&str], question: &str, typed: &str) -> Seen {
    line(bench, 80, &command(arguments), Typed::After(question, typed), &[])
}

fn command(arguments: &[&str]) -> String {
    let quoted: Vec<String> = arguments.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    format!("{} {} --state state", env!("CARGO_BIN_EXE_bowline"), quoted.join(" "))
}

/// Runs a line of one command as a person would type it.
pub fn line(bench: &Bench, columns: u16, line: &str, typed: Typed<'_>, variables: &[(&str, &str)]) -> Seen {
    let line = format!("stty cols {columns} rows 200; exec {line}");
    // A suite that runs in the background, or under `nohup`, is deaf to keys and so would be what it starts.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP,INT,QUIT,TERM", "script", "-qfec", &line, "/dev/null"]).current_dir(bench.path(""));
    command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh").env("TZ", "UTC");
    for unset in ["BOWLINE_STATE", "BOWLINE_KEY", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(unset);
    }
    command.envs(variables.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("script is part of every Linux");
    let (mut keys, mut screen) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
    let mut raw = Vec::new();
    let words = match typed {
        Typed::AtOnce(words) => words,
        Typed::After(question, words) => {
            while !String::from_utf8_lossy(&raw).contains(question) {
                let mut more = [0; 1024];
                let count = screen.read(&mut more).expect("the terminal lives");
                assert!(count > 0, "`{question}` is not asked:\n{}", String::from_utf8_lossy(&raw));
                raw.extend(&more[..count]);
            }
            words
        }
    };
    keys.write_all(words.as_bytes()).expect("the terminal lives");
    drop(keys);
    screen.read_to_end(&mut raw).expect("the terminal lives");
    let code = child.wait().expect("it is our child").code();
    let mut terminal = vt100::Parser::new(200, columns, 0);
    terminal.process(&raw);
    Seen { code, raw: String::from_utf8_lossy(&raw).into_owned(), terminal }
}
