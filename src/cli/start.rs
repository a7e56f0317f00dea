//! From the arguments to an exit code. It knows which command is which, and no command's work.

use super::arguments::{Arguments, Colour, Command};
use super::context::{Context, Streams};
use super::exit::Exit;
use super::failure::CommandFailure;
#[cfg(feature = "kubernetes")]
use super::simulate;
use super::{
    abandon, actions, answer, backups, cancel, graph, journal, logs, misread, preview, print, resume, run, runs, schema, show, validate,
};
use crate::ports::Ports;
use crate::report::paint::Paint;
use clap::Parser;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::future::Future;
use tokio::runtime::{Builder, Runtime};

/// Runs the command that the program's arguments name, and returns the exit code.
pub fn main() -> u8 {
    main_with(std::env::args_os(), |outside| outside)
}

/// Runs the command that these arguments name, the program's name first. The outside may be put behind something: a fault layer, a simulation.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>, outside: impl FnOnce(Ports) -> Ports) -> u8 {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    // People type it.
    let typed = if typed.len() == 2 && typed[1] == "version" { vec![typed[0].clone(), "--version".into()] } else { typed };
    let arguments = match Arguments::try_parse_from(&typed) {
        Ok(arguments) => arguments,
        Err(error) => return unread(error, &typed).code(),
    };
    let context = Context::new(arguments.common, outside);
    match dispatch(&context, &arguments.command) {
        Ok(exit) => exit.code(),
        Err(failure) => {
            let failure = failure.complete(&context.called);
            tell(&context, &failure);
            failure.exit.code()
        }
    }
}

/// Tells help, or why the arguments mean nothing.
fn unread(error: clap::Error, typed: &[OsString]) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nobody may read it, as in `bowline --help | head -1`.
            let _nobody_reads = error.print();
            Exit::Succeeded
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _nobody_reads = error.print();
            Exit::Usage
        }
        _ => {
            let streams = Streams::look(Colour::Auto);
            print::notice(misread::told(error, typed, streams.colour, streams.width_err).trim_end());
            Exit::Usage
        }
    }
}

fn dispatch(context: &Context, command: &Command) -> Result<Exit, CommandFailure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandFailure::new(Exit::Internal, "the system gives no threads").because(&error))?;
    match command {
        Command::Validate(arguments) => on(&runtime, validate::validate(context, arguments)),
        Command::Graph(arguments) => on(&runtime, graph::graph(context, arguments)),
        // What is to be simulated must never be done instead.
        #[cfg(not(feature = "kubernetes"))]
        Command::Preview(arguments) if arguments.simulate => Err(cannot_simulate()),
        #[cfg(not(feature = "kubernetes"))]
        Command::Run(arguments) if arguments.simulate => Err(cannot_simulate()),
        #[cfg(feature = "kubernetes")]
        Command::Preview(arguments) if arguments.simulate => simulate::preview(context, arguments),
        Command::Preview(arguments) => on(&runtime, preview::preview(context, arguments)),
        #[cfg(feature = "kubernetes")]
        Command::Run(arguments) if arguments.simulate => simulate::run(context, arguments),
        Command::Run(arguments) => run::run(context, &runtime, arguments),
        Command::Resume(arguments) => resume::resume(context, &runtime, arguments),
        Command::Rollback(arguments) => resume::rollback(context, &runtime, arguments),
        Command::Abandon(arguments) => abandon::abandon(context, &runtime, arguments),
        Command::Runs(arguments) => runs::runs(context, arguments),
        Command::Show(arguments) => show::show(context, arguments),
        Command::Logs(arguments) => on(&runtime, logs::logs(context, arguments)),
        Command::Approve(arguments) => on(&runtime, answer::answer(context, arguments, true)),
        Command::Reject(arguments) => on(&runtime, answer::answer(context, arguments, false)),
        Command::Cancel(arguments) => on(&runtime, cancel::cancel(context, arguments)),
        Command::Backups(command) => on(&runtime, backups::backups(context, command)),
        Command::Journal(command) => on(&runtime, journal::journal(context, command)),
        Command::Schema(arguments) => schema::schema(context, arguments),
        Command::Actions(arguments) => actions::actions(context, arguments),
    }
}

#[cfg(not(feature = "kubernetes"))]
fn cannot_simulate() -> CommandFailure {
    CommandFailure::usage("this bowline was built without Kubernetes, so it simulates nothing")
}

fn on(runtime: &Runtime, work: impl Future<Output = Result<Exit, CommandFailure>>) -> Result<Exit, CommandFailure> {
    runtime.block_on(work)
}

fn tell(context: &Context, failure: &CommandFailure) {
    match context.is_json() {
        true => print::line(&failure.to_json().to_text()),
        false if failure.diagnostic.as_ref().is_some_and(|diagnosis| diagnosis.is_drawn) => {
            failure.lines().iter().for_each(|line| print::notice(line))
        }
        false => {
            let paint = Paint { is_on: context.streams.colour };
            let lines: Vec<String> = failure.lines().iter().map(|line| paint.lead(line)).collect();
            print::notices(&lines, context.streams);
        }
    }
}
