//! Options that narrow which snapshots are meant, and values that several commands take.

use std::path::PathBuf;

use clap::{Args, builder::NonEmptyStringValueParser};

/// Conditions that a snapshot must meet.
#[derive(Args, Debug, Default)]
pub(crate) struct SelectionArguments {
    /// Only snapshots of this host
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host: Option<String>,
    /// Only snapshots that this path was named for; given several times, for all of them
    #[arg(long = "path", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only snapshots with this tag
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tag: Option<String>,
}

/// A number of threads: at least one.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("give a number from 1 to 1024".to_owned()),
    }
}
