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
      logs      Tell what the programs of a run's steps printed
      approve   Say yes to a step that asks
      reject    Say no to a step that asks: the run is rolled back
      cancel    Stop a run that is under way in another process, and roll it back
      journal   Check, export and import the journals of runs
      backups   List, check, thin out and take out backups
      schema    Print the JSON Schema of plans, of records or of events
      actions   List what a step can do, or tell everything about one kind
      help      Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Options of every command:
          --state <DIR>        Folder that keeps runs, their journal and its key [default:
                               $XDG_STATE_HOME/bowline, else ~/.local/state/bowline] [env:
                               BOWLINE_STATE]
          --output <HOW>       How to tell what happens: a live display on a terminal and lines
                               elsewhere, always lines, or one JSON object a line [default: auto]
                               [possible values: auto, lines, json]
          --kubeconfig <FILE>  Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
      -v, --verbose...         Log what bowline does to standard error; twice for more
      -q, --quiet              Tell only warnings, mistakes and how it ended
          --color <WHEN>       When to use colours; `auto` asks the terminal, NO_COLOR and
                               CLICOLOR_FORCE [default: auto] [possible values: auto, always, never]

    Exit codes:
       0  succeeded; of `rollback`: everything is taken back
       2  wrong arguments, an invalid plan, a missing secret, an unusable state folder or journal
       3  rolled back: a step failed, an approval was rejected, or the run was cancelled
       4  stuck: something that the run wrote could not be taken back
       5  halted: the run was stopped and can be resumed
       6  a preview found changes
       7  refused before it began: locked, a run in the way or over, a refusal in a preview, a no
      70  a bug in bowline
     130  Ctrl-C before anything was begun, as at a question

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
      -e, --environment <NAME>   Environment of the plan to run in
      -i, --input <INPUT=VALUE>  Value of an input; may be repeated [alias: --set]
          --inputs <FILE>        YAML file with values of inputs; those of `--input` win
          --context <NAME>       Context of the kubeconfig, instead of the environment's or the current
                                 one
      -n, --namespace <NAME>     Namespace of objects that name none, instead of the environment's or
                                 the context's
      -j, --jobs <N>             Most steps side by side; the plan's `concurrency` when not given
      -y, --yes                  Do not ask before a plan begins that cannot be taken back as a whole;
                                 needed where nobody can be asked
          --no-rollback          When a step fails, halt instead of rolling back: `resume` tries it
                                 again, `rollback` takes back what was done
          --run-id <ID>          Give the run this id; where a run of it has ended already its outcome
                                 is told again, and nothing runs
          --lock <WHERE>         What keeps others out: a Lease in the cluster, where the plan reaches
                                 one, or the state folder alone [default: lease] [possible values:
                                 lease, local]
          --simulate             Run it in a simulated cluster, as the plan's `simulate` describes it:
                                 nothing outside this process is reached
          --seed <NUMBER>        With `--simulate`: what chance follows from; the same seed gives the
                                 same run
      -h, --help                 Print help (see more with '--help')

    Options of every command:
          --state <DIR>        Folder that keeps runs, their journal and its key [default:
                               $XDG_STATE_HOME/bowline, else ~/.local/state/bowline] [env:
                               BOWLINE_STATE]
          --output <HOW>       How to tell what happens: a live display on a terminal and lines
                               elsewhere, always lines, or one JSON object a line [default: auto]
                               [possible values: auto, lines, json]
          --kubeconfig <FILE>  Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
      -v, --verbose...         Log what bowline does to standard error; twice for more
      -q, --quiet              Tell only warnings, mistakes and how it ended
          --color <WHEN>       When to use colours; `auto` asks the terminal, NO_COLOR and
                               CLICOLOR_FORCE [default: auto] [possible values: auto, always, never]

    Examples:
      bowline run plan.yaml -e production -i version=v1.2.3
      bowline run plan.yaml --inputs values.yaml --run-id ci-4711 --yes

    Exit codes: 0, 2, 3, 4, 5, 7 (see `bowline --help`)
    ");
}

#[test]
fn global_options_may_stand_behind_the_command() {
    let arguments = Arguments::try_parse_from(["bowline", "approve", "gate", "--state", "/x", "-c", "fine"]).unwrap();
    assert_eq!(arguments.common.state.unwrap().to_str(), Some("/x"));
    assert!(matches!(arguments.command, Command::Approve(answer) if answer.words == ["gate"]));
}

/// The examples of a command and of those below it, as their help shows them.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let own = help.lines().filter_map(|line| line.strip_prefix("  bowline ")).map(str::to_owned);
    own.chain(command.get_subcommands().flat_map(examples)).collect()
}

/// A line as a shell takes it apart, as far as our examples go: quotes, and no redirection.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (vec![String::new()], false);
    for character in line.split(" > ").next().unwrap_or_default().chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words
}

#[test]
fn every_example_of_the_help_can_be_typed() {
    let examples = examples(&Arguments::command());
    assert!(examples.len() > 30, "{examples:?}");
    for example in examples {
        let words = std::iter::once("bowline".to_owned()).chain(words(&example));
        if let Err(error) = Arguments::try_parse_from(words) {
            panic!("bowline {example}: {error}");
        }
    }
}
