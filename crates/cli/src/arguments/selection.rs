//! Options that narrow which snapshots are meant, and values that several commands take.

use std::path::PathBuf;

use clap::{Args, builder::NonEmptyStringValueParser};

/// Conditions that a snapshot must meet.
#[derive(Args, Debug, Default)]
pub(crate) struct SelectionArguments {
    /// Only snapshots of this host
    #[arg(long, short_alias = 'H', value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host: Option<String>,
    /// Only snapshots that this path was named for, perhaps among others; given several times, for all of them. Where that
    /// leaves several backups, the one of exactly these paths is meant
    #[arg(long = "path", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only snapshots with this tag
    #[arg(long, value_name = "TAG", value_parser = tag)]
    pub(crate) tag: Option<String>,
}

/// A tag: no list of tags, as restic has them, for which a tag with a comma in it would be taken.
pub(super) fn tag(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a tag is not empty".to_owned()),
        _ if text.contains(',') => Err("a tag has no comma: give the option once for each tag".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A number of threads: at least one.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("give a number from 1 to 1024".to_owned()),
    }
}
