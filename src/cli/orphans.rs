//! What is said of programs that outlived the bowline that started them. It ends none.

use super::exit::Exit;
use super::failure::CommandFailure;
use crate::ports::Orphan;

/// What became of one, for a line that names its step.
pub fn told(orphan: &Orphan) -> String {
    let fate = match orphan.ended {
        true => "it was ended".to_owned(),
        false => format!("it could not be ended (process group {})", orphan.group),
    };
    format!("its program still ran although the bowline that had started it was gone: {fate}")
}

/// Why a run is not taken up while they run.
pub fn still_run(orphans: &[Orphan]) -> CommandFailure {
    let groups: Vec<String> = orphans.iter().filter(|orphan| !orphan.ended).map(|orphan| orphan.group.to_string()).collect();
    let hint = format!("end them as whoever may, then try again: kill -TERM -- -{}", groups.join(" -"));
    CommandFailure::new(Exit::Refused, "programs of the run still work, and would write after it was taken back; nothing was done")
        .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::{still_run, told};
    use crate::ports::Orphan;

    #[test]
    fn one_that_cannot_be_ended_is_named_with_the_command_that_ends_it() {
        let orphan = |group, ended| Orphan { step: "busy".to_owned(), group, ended };
        insta::assert_snapshot!(told(&orphan(7, true)), @"its program still ran although the bowline that had started it was gone: it was ended");
        insta::assert_snapshot!(told(&orphan(8, false)), @"its program still ran although the bowline that had started it was gone: it could not be ended (process group 8)");
        let failure = still_run(&[orphan(7, true), orphan(8, false), orphan(9, false)]);
        insta::assert_snapshot!(failure.hint.unwrap(), @"end them as whoever may, then try again: kill -TERM -- -8 -9");
    }
}
