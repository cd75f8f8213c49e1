//! The command line of `lbak`: reads the arguments, runs one command over the library, and turns what came of it into an exit code.
//!
//! ```text
//! arguments → environment → command over the facade `lbak` → output and exit code
//! ```
//!
//! Everything that a command does is a function of the facade; what is here is words: options, messages, tables, hints.
//!
//! A library only for its own binary and its tests: nothing here is an interface for anybody else. Programs embed the
//! crate `lbak`.
#![doc(hidden)]

mod apart;
mod arguments;
mod backups;
mod chosen;
mod command_line;
mod commands;
mod completing;
pub mod confining;
mod default_repository;
mod environment;
mod exit;
mod findings;
mod habits;
mod invocation;
mod json;
mod known;
mod listing;
mod making;
mod named;
mod opening;
mod output;
pub mod parsers;
mod path_lines;
mod paths;
mod patterns;
mod progress;
mod questions;
mod remote_places;
mod secrets;
mod selecting;
mod signals;
mod sizes;
mod streams;
mod tables;
mod times;
mod wanted;
mod wrapping;

use std::{process::ExitCode, sync::Arc};

use crate::{environment::Environment, exit::Exit, invocation::Invocation, output::Output};

/// The program.
pub fn main() -> ExitCode {
    // Usage errors, `--help` and `--version` end here.
    completing::answer();
    let arguments = command_line::parse();
    let output = Arc::new(Output::new(&arguments.global));
    let outcome = Environment::read().and_then(|environment| {
        let invocation = Invocation::new(&arguments.global, environment, &output);
        let outcome = commands::run(&arguments.command, &invocation);
        outcome.map_err(|error| invocation.explain_signal(error, &arguments.command))
    });
    let exit = match outcome.and_then(|exit| output.finish().map(|()| exit)) {
        Ok(exit) => exit,
        Err(error) => exit::tell(&error, &output),
    };
    ExitCode::from(exit.code())
}

impl Exit {
    /// What the shell sees.
    fn code(self) -> u8 {
        self as u8
    }
}
