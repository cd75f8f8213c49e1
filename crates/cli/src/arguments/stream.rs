//! Options of `lbak snapshot` for what lies in no file: standard input, and the output of a command.

use std::{ffi::OsString, time::Duration};

use clap::Args;
use jiff::SignedDuration;

/// Where the bytes come from, and what is asked of them.
#[derive(Args, Debug)]
#[command(next_help_heading = "Streams and commands")]
pub(crate) struct StreamArguments {
    /// Back up standard input, as one file
    #[arg(long, group = "stream", conflicts_with = "WantedArguments")]
    pub(crate) stdin: bool,
    /// Run the COMMAND behind `--` and back up its output, as one file; nothing is committed unless it ends with status 0
    ///
    /// No shell reads the words. They are stored in the snapshot: no passwords in them. A dry run runs the command, too.
    #[arg(
        long,
        group = "stream",
        alias = "stdin-from-command",
        requires = "command",
        conflicts_with = "WantedArguments"
    )]
    pub(crate) from_command: bool,
    /// Path of that file in the snapshot [default: stdin]
    #[arg(long, value_name = "NAME", alias = "stdin-filename", requires = "stream")]
    pub(crate) stdin_name: Option<OsString>,
    /// Fail when nothing comes for so long: `90s`, `10m`, `1h 30m` [default: wait for ever]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "stream")]
    pub(crate) timeout: Option<Duration>,
    /// Fail when the command has not ended after so long
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "from_command")]
    pub(crate) time_limit: Option<Duration>,
    /// Commit a snapshot although nothing came
    #[arg(long, requires = "stream")]
    pub(crate) allow_empty: bool,
    /// Fail when fewer bytes came: `1000`, `64K`, `2M`, `1G`
    #[arg(long, value_name = "SIZE", value_parser = crate::sizes::parse, requires = "stream")]
    pub(crate) min_bytes: Option<u64>,
    /// Fail when TEXT does not stand in the last 4 KiB
    // It is a comment of SQL as often as not: `-- Dump completed`.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, requires = "stream")]
    pub(crate) expect_trailer: Option<OsString>,
    /// The words of the command for --from-command
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

impl StreamArguments {
    /// Tells whether this is about a stream at all.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.stdin || self.from_command
    }
}

/// Reads how long to wait: with a unit, and not no time at all.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration.filter(|duration| !duration.is_zero()).ok_or_else(|| "give a time with its unit: `90s`, `10m`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h 30m", 5400), ("10 minutes", 600), ("2h", 7200)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "0s", "-1m", "1 month", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
