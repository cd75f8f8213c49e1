//! `lbak tag`.

use clap::{ArgGroup, Args, builder::NonEmptyStringValueParser};

use super::SelectionArguments;

/// Change the tags or the description of snapshots
///
/// The snapshot keeps its id, its content and its times. Changes that others make at the same time are kept too. While space is
/// being reclaimed this may be too late (exit code 1): then the snapshot stays as it is.
#[derive(Args, Debug)]
#[command(override_usage = "lbak tag [OPTIONS] <SNAPSHOT>...", group = ArgGroup::new("change").required(true).multiple(true))]
#[command(after_help = "\
Examples:
  lbak tag latest --add keep --remove nightly
  lbak tag 3fa2b1c0 77d01e22 --set release-2 --description 'what was shipped'
  lbak tag latest~1 --set ''")]
pub(crate) struct TagArguments {
    /// `latest`, `latest~N` or the beginning of an id
    #[arg(required = true, value_name = "SNAPSHOT")]
    pub(crate) snapshots: Vec<String>,
    /// Tag that comes; may be given several times
    #[arg(long, value_name = "TAG", group = "change", value_parser = super::selection::tag)]
    pub(crate) add: Vec<String>,
    /// Tag that goes; may be given several times
    #[arg(long, value_name = "TAG", group = "change", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) remove: Vec<String>,
    /// Tag that replaces all that are there; may be given several times, '' for none
    #[arg(long, value_name = "TAG", group = "change", conflicts_with_all = ["add", "remove"], value_parser = tag_or_none)]
    pub(crate) set: Vec<String>,
    /// A line about the snapshot that replaces the one that is there; '' for none
    #[arg(long, value_name = "TEXT", group = "change")]
    pub(crate) description: Option<String>,
    /// Show what would be changed, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
}

/// A tag, or `''` for none.
fn tag_or_none(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { super::selection::tag(text) }
}
