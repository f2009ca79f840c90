//! The program `cpm`: a node that serves users, a client, a demonstration of both, and a reader of messages.

mod args;
mod client;
mod config;
mod demo;
mod driver;
mod failure;
mod line;
mod parse;
mod prompt;
mod serve;
mod users;

use args::{Cli, Command};
use clap::Parser;
use failure::Context;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let subscriber =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(cli.log).with_ansi(false);
    subscriber.init();
    let result = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Client(args) => client::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Parse(args) => {
            let mut out = std::io::stdout().lock();
            match parse::run(args.kind, &args.files, &mut out) {
                Ok(code) => return code,
                Err(error) => Err(error).context("cannot write to standard output"),
            }
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}

/// One line on standard error.
#[expect(clippy::print_stderr, reason = "standard error is where a program says why it failed")]
fn complain(failure: &failure::Failure) {
    eprintln!("cpm: {failure}");
}
