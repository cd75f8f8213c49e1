//! Options of `lbak snapshot` that say what of the named paths is read, and where more paths are named.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

/// What is read.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What is read")]
pub(crate) struct WantedArguments {
    /// Also back up the paths in this file, one in each line as it stands; `-` is standard input
    ///
    /// Nothing in it is a comment or a pattern, and every path must be there. Each is recorded in the snapshot: of very many
    /// files name the directory that they lie in, and what is wanted of it with --include.
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from: Vec<PathBuf>,
    /// The same with a NUL byte behind each path, as `find -print0` writes them
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from0: Vec<PathBuf>,
    /// Leave out what matches, as a line of a .gitignore does: `*.tmp`, `/srv/data/cache/`, `!keep.tmp`
    ///
    /// Without a slash a pattern matches a name at any depth; with one at the front it is an absolute path, with `./` or `../`
    /// there a path from the working directory, with one inside a path below PATH; one at the end matches directories only.
    /// `*`, `?` and `[a-z]` stop at slashes, `**/` does not, `!` takes back what an earlier pattern excluded, and the last that
    /// matches decides. What is below an excluded directory is not looked at. A named PATH itself is always taken. Patterns that
    /// matched nothing are told at the end.
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<OsString>,
    /// The same, whether letters are upper case or lower case
    #[arg(long, value_name = "PATTERN")]
    pub(crate) iexclude: Vec<OsString>,
    /// Leave out what matches a line of this file; --exclude patterns count as later lines
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude_file: Vec<PathBuf>,
    /// The same, whether letters are upper case or lower case
    #[arg(long, value_name = "FILE")]
    pub(crate) iexclude_file: Vec<PathBuf>,
    /// Read only what matches, with all that is below it; what is excluded stays excluded
    ///
    /// Patterns are those of --exclude. Directories on the way are stored, those that lead to nothing are not.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include: Vec<OsString>,
    /// The same, whether letters are upper case or lower case
    #[arg(long, value_name = "PATTERN")]
    pub(crate) iinclude: Vec<OsString>,
    /// Of a directory with a valid CACHEDIR.TAG, keep that tag alone
    #[arg(long)]
    pub(crate) exclude_caches: bool,
    /// Of a directory that holds a file of this name, which begins with HEADER, keep that file alone
    #[arg(long, value_name = "NAME[:HEADER]")]
    pub(crate) exclude_if_present: Vec<OsString>,
    /// Leave out files that are larger: bytes, or with K, M, G or T behind the number
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) exclude_larger_than: Option<u64>,
    /// Keep directories on which another file system is mounted empty
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    /// Also read proc, sysfs and their like, which are kept empty unless they are named
    #[arg(long)]
    pub(crate) include_pseudo_filesystems: bool,
}

/// A number of bytes, in powers of 1024: `100`, `64K`, `1.5G`, `2TiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let unclear = || format!("`{text}` is no size: give bytes, or a number with K, M, G or T");
    let number = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let shift = match text.get(number.len()..).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return Err(unclear()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // Three digits behind the point are more than anybody means, and stay exact.
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 3 {
        return Err(unclear());
    }
    let thousandths: u128 = format!("{whole}{fraction:0<3}").parse().map_err(|_| unclear())?;
    thousandths.checked_mul(1 << shift).and_then(|bytes| u64::try_from(bytes / 1000).ok()).ok_or_else(unclear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let sizes = ["0", "100", "7b", "64K", "1.5G", "2TiB", "16777215T"].map(|text| size(text).expect(text));
        assert_eq!(sizes, [0, 100, 7, 64 << 10, 3 << 29, 2 << 40, 16_777_215 << 40]);
        for text in ["", "K", "-1", "1,5G", "1.G", ".5G", "1KB", "1P", "1 K", "99999999T", "1.2345M", "१"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
