//! A line of a `.gitignore`, taken apart.

use super::glob::Glob;
use crate::error::{Error, Result, escape};

/// The lines of a file of patterns: without a mark of the encoding at its front, and without what ends each of them.
///
/// ```
/// let lines: Vec<&[u8]> = lbak_core::patterns::lines(b"*.tmp\r\n# a comment\n\ncaf\xe9").collect();
/// assert_eq!(lines, [&b"*.tmp"[..], b"# a comment", b"", b"caf\xe9"]);
/// ```
pub fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let file = file.strip_suffix(b"\n").unwrap_or(file);
    file.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// What a pattern says.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// The pattern as it was given.
    pub(super) pattern: Vec<u8>,
    pub(super) glob: Glob,
    pub(super) place: Place,
    pub(super) takes_back: bool,
    pub(super) directories_only: bool,
    pub(super) any_case: bool,
}

/// Which path a pattern is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// That below the root, at any depth: only the last name counts.
    Anywhere,
    /// That below the root.
    BelowRoot,
    /// The absolute one.
    Absolute,
}

impl Rule {
    /// `None` for what is no pattern: an empty line, a comment.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a pattern that nothing can match.
    pub(super) fn parse(line: &[u8], any_case: bool) -> Result<Option<Self>> {
        let text = without_blanks(line);
        if text.is_empty() || text.starts_with(b"#") {
            return Ok(None);
        }
        let (takes_back, text) = strip(text, |text| text.strip_prefix(b"!"));
        let (directories_only, text) = strip(text, |text| text.strip_suffix(b"/"));
        let has_slash = text.contains(&b'/');
        let (is_absolute, text) = strip(text, |text| text.strip_prefix(b"/"));
        let glob = parse_glob(text, any_case).map_err(|why| Error::Invalid {
            what: format!("the pattern \"{}\" matches nothing: {why}", escape(line)),
        })?;
        let (place, glob) = match (is_absolute, has_slash) {
            (true, _) => (Place::Absolute, glob),
            (false, true) => (Place::BelowRoot, glob),
            (false, false) => (Place::Anywhere, glob.anywhere()),
        };
        Ok(Some(Self { pattern: line.to_vec(), glob, place, takes_back, directories_only, any_case }))
    }
}

fn parse_glob(text: &[u8], any_case: bool) -> Result<Glob, &'static str> {
    match text {
        [] => Err("it names nothing"),
        text if text.contains(&0) => Err("it holds a NUL byte, which no name has (is it UTF-16?)"),
        text => Glob::parse(text, any_case),
    }
}

fn strip<'t>(text: &'t [u8], stripped: impl Fn(&'t [u8]) -> Option<&'t [u8]>) -> (bool, &'t [u8]) {
    stripped(text).map_or((false, text), |rest| (true, rest))
}

/// Blanks at the end do not count, unless a backslash takes them as they are.
fn without_blanks(line: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut place = 0;
    while let Some(byte) = line.get(place) {
        place += if *byte == b'\\' { 2 } else { 1 };
        if *byte != b' ' {
            end = place.min(line.len());
        }
    }
    line.get(..end).unwrap_or(line)
}
