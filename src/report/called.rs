//! How bowline was called, as far as the commands that it tells people to type must say the same again. Pure; it reads no arguments.

/// Commands that reach a cluster.
const REACHING: [&str; 4] = ["run", "resume", "rollback", "abandon"];

/// What was said on the command line and is not known from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// `--state`.
    pub state: Option<String>,
    /// `--kubeconfig`.
    pub kubeconfig: Option<String>,
    /// The run can be found again by whoever types them.
    pub is_kept: bool,
}

impl Default for Called {
    fn default() -> Self {
        Self { state: None, kubeconfig: None, is_kept: true }
    }
}

impl Called {
    /// A whole command from its words: `resume RUN` is `bowline resume RUN --state DIR` where the folder was named.
    pub fn command(&self, words: &str) -> String {
        let reaches = words.split_whitespace().next().is_some_and(|verb| REACHING.contains(&verb));
        let mut command = format!("bowline {}", unglobbed(words));
        for (option, value) in [("--state", &self.state), ("--kubeconfig", &self.kubeconfig)] {
            // A command for another machine names that machine's folder, and its kubeconfig is not this one.
            let is_elsewhere = words.contains(" --state ");
            if let (Some(value), true, false) = (value, option == "--state" || reaches, is_elsewhere) {
                command = format!("{command} {option} {}", quoted(value));
            }
        }
        command
    }

    /// A text whose commands, each in backquotes, are made whole.
    pub fn complete(&self, text: &str) -> String {
        let mut whole = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("`bowline ") {
            let Some((words, behind)) = after.split_once('`') else { break };
            whole.push_str(&format!("{before}`{}`", self.command(words)));
            rest = behind;
        }
        whole + rest
    }
}

/// The words of a command, with those in quotes for which a shell would look for files, such as `deploy[eu]=done`. Where some are in quotes
/// already all is as it should be.
fn unglobbed(words: &str) -> String {
    let is_pattern = |word: &str| word.contains(['[', ']']);
    if !is_pattern(words) || words.contains('\'') {
        return words.to_owned();
    }
    words.split(' ').map(|word| if is_pattern(word) { quoted(word) } else { word.to_owned() }).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let is_harmless = |character: char| character.is_alphanumeric() || "/._-+:,@%=".contains(character);
    match !word.is_empty() && word.chars().all(is_harmless) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::Called;

    #[test]
    fn commands_say_again_what_was_said() {
        let called = Called { state: Some("my runs".to_owned()), kubeconfig: Some("/k".to_owned()), is_kept: true };
        assert_eq!(called.command("resume r1"), "bowline resume r1 --state 'my runs' --kubeconfig /k");
        assert_eq!(called.command("show r1"), "bowline show r1 --state 'my runs'");
        assert_eq!(Called::default().command("show r1"), "bowline show r1");
        assert_eq!(called.command("resume r1 --state /theirs"), "bowline resume r1 --state /theirs");
    }

    #[test]
    fn the_item_of_a_step_is_quoted_once() {
        let command = Called::default().command("resume r1 --settle build[eu]=done");
        assert_eq!(command, "bowline resume r1 --settle 'build[eu]=done'");
        assert_eq!(Called::default().complete(&format!("`{command}`")), format!("`{command}`"));
        let there = format!("resume r1 --state {}", super::quoted("/my [old] runs"));
        assert_eq!(Called::default().command(&there), "bowline resume r1 --state '/my [old] runs'");
    }

    #[test]
    fn commands_within_a_text_are_made_whole() {
        let called = Called { state: Some("/s".to_owned()), ..Called::default() };
        assert_eq!(called.complete("`bowline runs` lists them, `x` not"), "`bowline runs --state /s` lists them, `x` not");
        assert_eq!(
            called.complete("a `bowline show r` or `bowline abandon r`"),
            "a `bowline show r --state /s` or `bowline abandon r --state /s`"
        );
        assert_eq!(called.complete("`bowline never ends"), "`bowline never ends");
    }

    #[test]
    fn a_folder_is_quoted_for_the_shell() {
        let called = Called { state: Some("it's".to_owned()), ..Called::default() };
        assert_eq!(called.command("runs"), "bowline runs --state 'it'\\''s'");
    }
}
