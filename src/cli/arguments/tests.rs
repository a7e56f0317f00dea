//! The help as people see it.

use super::{Arguments, Command};
use clap::{CommandFactory, Parser};

#[test]
fn the_arguments_fit_together() {
    Arguments::command().debug_assert();
}

#[test]
fn the_help_is_what_a_person_needs_first() {
    let help = Arguments::command().term_width(100).render_help().to_string();
    insta::assert_snapshot!(help, @"
    Runs deployment plans written in YAML, and takes back what it did when one cannot finish

    Usage: bowline [OPTIONS] <COMMAND>

    Commands:
      validate  Check a plan and tell everything that is wrong with it
      graph     Draw a plan's steps: their order, guards, and what can be taken back
      preview   Tell what a run of a plan would change; changes nothing
      run       Run a plan
      resume    Go on with a run that was stopped, or whose process is gone
      rollback  Take back what a run did, also after it has succeeded
      abandon   Close a run as it is
      runs      List runs, newest first
      show      Tell what a run did, and how it stands
      approve   Say yes to a step that asks
      reject    Say no to a step that asks: the run is rolled back
      cancel    Stop a run that is under way in another process, and roll it back
      journal   Check, export and import the journals of runs
      backups   List, check, thin out and take out backups
      help      Print this message or the help of the given subcommand(s)

    Options:
          --state <DIR>        Folder that keeps runs, their journal and its key [default:
                               $XDG_STATE_HOME/bowline, else ~/.local/state/bowline] [env:
                               BOWLINE_STATE]
          --output <HOW>       How to tell what happens: a live display on a terminal and lines
                               elsewhere, always lines, or one JSON object a line [default: auto]
                               [possible values: auto, lines, json]
          --kubeconfig <FILE>  Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
      -v, --verbose...         Log what bowline does to standard error; twice for more
      -h, --help               Print help (see more with '--help')
      -V, --version            Print version

    Exit codes:
       0  succeeded; of `rollback`: everything is taken back
       2  wrong arguments, an invalid plan, an unusable state folder, or a journal that is not whole
       3  rolled back: a step failed, an approval was rejected, or the run was cancelled
       4  stuck: something that the run wrote could not be taken back
       5  halted: the run was stopped and can be resumed
       6  a preview found changes
       7  refused before it began: locked, an open run, a refusal in a preview, an answer of no
      70  a bug in bowline

    Signals, while a run is under way:
      Ctrl-C         starts nothing more, ends steps' programs, lets requests end, and rolls back
      Ctrl-C twice   halts at once; the run can be resumed
      SIGTERM, HUP   halts within 7 seconds; what still ran then is looked up by `resume`
    ");
}

#[test]
fn the_help_of_run() {
    let mut command = Arguments::command().term_width(100);
    command.build();
    let help = command.find_subcommand_mut("run").unwrap().render_help().to_string();
    insta::assert_snapshot!(help, @"
    Run a plan

    Usage: bowline run [OPTIONS] <PLAN>

    Arguments:
      <PLAN>  The plan's file

    Options:
      -e, --environment <NAME>  Environment of the plan to run in
          --state <DIR>         Folder that keeps runs, their journal and its key [default:
                                $XDG_STATE_HOME/bowline, else ~/.local/state/bowline] [env:
                                BOWLINE_STATE]
          --output <HOW>        How to tell what happens: a live display on a terminal and lines
                                elsewhere, always lines, or one JSON object a line [default: auto]
                                [possible values: auto, lines, json]
          --set <INPUT=VALUE>   Value of an input; may be repeated
          --context <NAME>      Context of the kubeconfig, instead of the environment's or the current
                                one
          --kubeconfig <FILE>   Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
      -n, --namespace <NAME>    Namespace of objects that name none, instead of the environment's or the
                                context's
      -v, --verbose...          Log what bowline does to standard error; twice for more
      -j, --jobs <N>            Most steps side by side; the plan's `concurrency` when not given
      -y, --yes                 Do not ask before a plan begins that cannot be taken back as a whole;
                                needed where nobody can be asked
          --lock <WHERE>        What keeps others out: a Lease in the cluster, where the plan reaches
                                one, or the state folder alone [default: lease] [possible values: lease,
                                local]
          --simulate            Run it in a simulated cluster, as the plan's `simulate` describes it:
                                nothing outside this process is reached
          --seed <NUMBER>       With `--simulate`: what chance follows from; the same seed gives the
                                same run
      -h, --help                Print help (see more with '--help')
    ");
}

#[test]
fn global_options_may_stand_behind_the_command() {
    let arguments = Arguments::try_parse_from(["bowline", "approve", "gate", "--state", "/x", "-c", "fine"]).unwrap();
    assert_eq!(arguments.common.state.unwrap().to_str(), Some("/x"));
    assert!(matches!(arguments.command, Command::Approve(answer) if answer.words == ["gate"]));
}
