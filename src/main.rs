//! Runs the command line and returns its exit code.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(bowline::cli::main())
}
