//! What is said when a lock is in the way or cannot be taken: who has it, where, and what to type there.

use crate::cli::exit::Exit;
use crate::cli::failure::CommandFailure;
use crate::cluster::lease::Claim;
use crate::cluster::{ApiError, Class};
use crate::journal::FrozenLock;
use crate::report::called::quoted;

fn named(place: &FrozenLock) -> String {
    format!("Lease `{}` in namespace `{}`", place.name, place.namespace)
}

/// Somebody else holds the lock.
pub fn taken_by(claim: &Claim, place: &FrozenLock) -> CommandFailure {
    let refused = |message: String| CommandFailure::new(Exit::Refused, message);
    let free = "whoever knows that nobody goes on with it frees the lock: `bowline abandon --lock-of PLAN`";
    if claim.run.is_empty() {
        let message = format!("the lock is held by `{}`, which is no run of bowline ({})", claim.host, named(place));
        return refused(message).hint(free);
    }
    let environment = if claim.environment.is_empty() { String::new() } else { format!(" in `{}`", claim.environment) };
    let Claim { run, plan, host, pid, user, state, .. } = claim;
    let mut failure = refused(format!("the lock is held by run {run} of `{plan}`{environment} on {host}, and nothing was done"));
    failure
        .causes
        .push(format!("process {pid} of {user} works on it, or was the last to do so; its state folder is {state} ({})", named(place)));
    let there = |word: &str| format!("`bowline {word} {run} --state {}`", quoted(state));
    failure.hint(format!(
        "wait for it; if nobody works on it any more, type on {host} {}, {} or {} (which frees the lock of a run that is over, too); if that \
         folder is lost, {free}",
        there("resume"),
        there("rollback"),
        there("abandon")
    ))
}

/// The run went on elsewhere, beyond what this folder knows of it.
pub fn went_on(last: &Claim, is_free: bool, known: u64, place: &FrozenLock) -> CommandFailure {
    let Claim { run, epoch, host, pid, user, state, .. } = last;
    let state = quoted(state);
    let message = format!("run {run} went on in another state folder, and what it did there is not known here");
    let mut failure = CommandFailure::new(Exit::Refused, message);
    failure.causes.push(format!(
        "process {pid} of {user} on {host} held it last, as number {epoch} of those that did; this folder knows of {known} ({})",
        named(place)
    ));
    failure.hint(match is_free {
        true => format!(
            "it has given the lock up since: `bowline show {run} --state {state}` on {host} tells how it ended, `bowline abandon {run}` \
             closes it here"
        ),
        false => format!(
            "go on with it on {host}: `bowline resume {run} --state {state}`; to go on with it here, take it along: \
             `bowline journal export {run} --to FILE --state {state}` there, `bowline journal import FILE --state DIR` here, into a folder \
             that does not have it"
        ),
    })
}

/// The run is at work on another machine.
pub fn at_work(claim: &Claim) -> CommandFailure {
    let Claim { run, host, pid, user, .. } = claim;
    CommandFailure::new(Exit::Refused, format!("run {run} is at work: process {pid} of {user} on {host} has just renewed its lock"))
        .hint(format!("wait for it, or stop it on {host}"))
}

/// The lock can neither be read nor written.
pub fn cannot_lock(place: &FrozenLock, error: &ApiError) -> CommandFailure {
    let failure = CommandFailure::new(Exit::Refused, format!("the {} cannot be taken, and nothing was done", named(place))).because(error);
    let FrozenLock { namespace, .. } = place;
    match error.class {
        Class::Forbidden | Class::Unauthorised => failure.hint(format!(
            "ask for the verbs get, create and update on leases.coordination.k8s.io in `{namespace}`, name another namespace with \
             `lock-namespace:` at the plan's head, or lock on this machine alone with `--lock local`"
        )),
        Class::Absent | Class::NotServed => failure.hint(format!(
            "the namespace `{namespace}` must be there before the run; if the plan makes it, name another one for its lock at the plan's \
             head: `lock-namespace: default`"
        )),
        _ => failure.hint("try again; `--lock local` locks on this machine alone"),
    }
}

#[cfg(test)]
mod tests {
    use super::{at_work, cannot_lock, taken_by};
    use crate::cli::exit::Exit;
    use crate::cluster::lease::Claim;
    use crate::cluster::{ApiError, Class};
    use crate::journal::FrozenLock;
    use crate::report::called::Called;

    fn place() -> FrozenLock {
        FrozenLock { namespace: "shop".to_owned(), name: "bowline.web.production".to_owned() }
    }

    fn claim() -> Claim {
        Claim {
            run: "20261121-120300-7f3a".to_owned(),
            plan: "web".to_owned(),
            environment: "production".to_owned(),
            host: "ci-1".to_owned(),
            pid: 7,
            user: "ann".to_owned(),
            state: "/theirs".to_owned(),
            ..Claim::default()
        }
    }

    #[test]
    fn whoever_is_refused_is_told_who_is_first_and_what_to_type_there() {
        let called = Called { state: Some("/mine".to_owned()), ..Called::default() };
        let failure = taken_by(&claim(), &place()).complete(&called);
        assert_eq!(failure.exit, Exit::Refused);
        insta::assert_snapshot!(failure.lines().join("\n"), @"
        error: the lock is held by run 20261121-120300-7f3a of `web` in `production` on ci-1, and nothing was done
          because process 7 of ann works on it, or was the last to do so; its state folder is /theirs (Lease `bowline.web.production` in namespace `shop`)
          next: wait for it; if nobody works on it any more, type on ci-1 `bowline resume 20261121-120300-7f3a --state /theirs`, `bowline rollback 20261121-120300-7f3a --state /theirs` or `bowline abandon 20261121-120300-7f3a --state /theirs` (which frees the lock of a run that is over, too); if that folder is lost, whoever knows that nobody goes on with it frees the lock: `bowline abandon --lock-of PLAN --state /mine`
        ");
        let foreign = Claim { host: "somebody".to_owned(), ..Claim::default() };
        insta::assert_snapshot!(taken_by(&foreign, &place()).lines().join("\n"), @"
        error: the lock is held by `somebody`, which is no run of bowline (Lease `bowline.web.production` in namespace `shop`)
          next: whoever knows that nobody goes on with it frees the lock: `bowline abandon --lock-of PLAN`
        ");
        insta::assert_snapshot!(at_work(&claim()).lines().join("\n"), @"
        error: run 20261121-120300-7f3a is at work: process 7 of ann on ci-1 has just renewed its lock
          next: wait for it, or stop it on ci-1
        ");
    }

    #[test]
    fn a_lock_that_cannot_be_taken_says_how_else() {
        let failure = |class| {
            let error = ApiError { class, message: "the server says no".to_owned(), retry_after: None };
            cannot_lock(&place(), &error).lines().join("\n")
        };
        insta::assert_snapshot!(failure(Class::Forbidden), @"
        error: the Lease `bowline.web.production` in namespace `shop` cannot be taken, and nothing was done
          because the server says no
          next: ask for the verbs get, create and update on leases.coordination.k8s.io in `shop`, name another namespace with `lock-namespace:` at the plan's head, or lock on this machine alone with `--lock local`
        ");
        insta::assert_snapshot!(failure(Class::Absent), @"
        error: the Lease `bowline.web.production` in namespace `shop` cannot be taken, and nothing was done
          because the server says no
          next: the namespace `shop` must be there before the run; if the plan makes it, name another one for its lock at the plan's head: `lock-namespace: default`
        ");
    }
}
