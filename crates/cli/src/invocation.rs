//! One call of the program: what was asked for globally, the environment, where output goes, what stops it.

use std::sync::{Arc, OnceLock};

use lbak::{Cancellation, Error, Misread};

use crate::{
    arguments::{Command, GlobalArguments},
    environment::Environment,
    exit::Trouble,
    output::Output,
    progress::{Progress, Work},
    signals::Signals,
};

/// What every command needs.
pub(crate) struct Invocation<'a> {
    /// The options that every command has.
    pub(crate) global: &'a GlobalArguments,
    /// The variables that lbak knows.
    pub(crate) environment: Environment,
    /// Where everything that is said goes.
    pub(crate) output: &'a Arc<Output>,
    /// Ctrl-C and termination.
    pub(crate) signals: Signals,
    /// What was read wrongly once of the repository that was opened, and is in no report.
    pub(crate) misread: OnceLock<Misread>,
}

impl<'a> Invocation<'a> {
    pub(crate) fn new(global: &'a GlobalArguments, environment: Environment, output: &'a Arc<Output>) -> Self {
        Self { global, environment, output, signals: Signals::default(), misread: OnceLock::new() }
    }

    /// The switch that stops a verb.
    pub(crate) fn cancellation(&self) -> Cancellation {
        self.signals.cancellation().clone()
    }

    /// An observer that shows how far the work is, until it is dropped.
    pub(crate) fn progress(&self, work: Work) -> Progress {
        Progress::new(work, Arc::clone(self.output))
    }

    /// A verb that was stopped says so with the signal that stopped it, and what that means.
    pub(crate) fn explain_signal(&self, error: anyhow::Error, command: &Command) -> anyhow::Error {
        let is_cancelled = matches!(error.downcast_ref::<Error>(), Some(Error::Cancelled));
        let Some(exit) = self.signals.exit().filter(|_| is_cancelled) else { return error };
        let trouble = Trouble::new(exit, exit.of_signal());
        match command {
            Command::Snapshot(arguments) if !arguments.dry_run => {
                trouble.hint("nothing was committed; what was stored until now is used by the next run")
            }
            Command::Verify(_) => trouble.hint("not all was checked: nothing is said of the repository"),
            _ => trouble,
        }
        .into()
    }
}
