//! Patterns of options and of files, as the library takes them, and what is said of those that matched nothing.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use lbak::{
    escape,
    patterns::{PatternCount, PatternRole, Patterns, lines},
};

use crate::{
    exit::{Exit, Trouble, without_number},
    findings,
    output::Output,
    sizes,
};

/// What options of one kind say: patterns, and files of patterns.
#[derive(Clone, Copy, Default)]
pub(crate) struct Said<'a> {
    pub(crate) patterns: &'a [OsString],
    pub(crate) files: &'a [PathBuf],
}

/// Patterns, and which of them stood on the command line.
pub(crate) struct Given {
    pub(crate) patterns: Patterns,
    on_command_line: HashSet<Vec<u8>>,
}

impl Given {
    /// Reads all that is said. Lines of files count as if they stood before the patterns of the options.
    pub(crate) fn read(
        exclude: Said<'_>,
        iexclude: Said<'_>,
        include: Said<'_>,
        iinclude: Said<'_>,
    ) -> anyhow::Result<Self> {
        let mut on_command_line = HashSet::new();
        let mut all = |said: Said<'_>| -> anyhow::Result<Vec<Vec<u8>>> {
            let options = of_options(said.patterns)?;
            on_command_line.extend(options.iter().cloned());
            let mut patterns = Vec::new();
            said.files.iter().try_for_each(|file| add_lines(file, &mut patterns))?;
            patterns.extend(options);
            Ok(patterns)
        };
        let (exclude, iexclude) = (all(exclude)?, all(iexclude)?);
        let (include, iinclude) = (all(include)?, all(iinclude)?);
        let patterns = Patterns::with_case(&exclude, &iexclude, &include, &iinclude)?;
        Ok(Self { patterns, on_command_line })
    }

    /// Tells of patterns that matched nothing. A list in a file is often made for several machines: of its lines it is told in short.
    pub(crate) fn tell_unmatched(&self, output: &Output, counts: &[PatternCount]) {
        let unmatched = || counts.iter().filter(|count| count.matches == 0);
        let (options, lines): (Vec<_>, Vec<_>) =
            unmatched().partition(|count| self.on_command_line.contains(&count.pattern));
        let tells_all = output.is_verbose();
        let told = if tells_all { options.len() } else { options.len().min(findings::TOLD) };
        options.iter().take(told).for_each(|count| output.note(&in_words(count)));
        if told < options.len() {
            let more = sizes::counted((options.len() - told) as u64, "more pattern", "more patterns");
            output.note(&format!("and {more} matched nothing (-v tells which)"));
        }
        if tells_all {
            lines.iter().for_each(|count| output.note(&in_words(count)));
        } else if !lines.is_empty() {
            let lines = sizes::counted(lines.len() as u64, "pattern of a file", "patterns of files");
            output.note(&format!("{lines} matched nothing (-v tells which)"));
        }
    }
}

/// A pattern that matched nothing, and what it means, if that is perhaps not what was meant.
fn in_words(count: &PatternCount) -> String {
    let option = match (count.role, count.any_case) {
        (PatternRole::Exclude, false) => "--exclude",
        (PatternRole::Exclude, true) => "--iexclude",
        (PatternRole::Include, false) => "--include",
        (PatternRole::Include, true) => "--iinclude",
    };
    let pattern = escape(&count.pattern);
    let text = count.pattern.strip_prefix(b"!").unwrap_or(&count.pattern);
    let plain = text.strip_suffix(b"/").unwrap_or(text);
    let meaning = match () {
        () if text.starts_with(b"/") => ": a slash at its front makes it an absolute path of the source".to_owned(),
        () if plain.contains(&b'/') && !plain.starts_with(b"**/") => {
            let anywhere = escape(text);
            format!(": a slash inside makes it a path below each root; `**/{anywhere}` matches at any depth")
        }
        () if plain.len() < text.len() => ": a slash at its end makes it match directories only".to_owned(),
        () => String::new(),
    };
    format!("{option} `{pattern}` matched nothing{meaning}")
}

/// The patterns of options. What begins with `./` or `../` is a path from the working directory, as everywhere else on a command line.
pub(crate) fn of_options(patterns: &[OsString]) -> anyhow::Result<Vec<Vec<u8>>> {
    let from_here = |pattern: Vec<u8>| match is_from_here(&pattern) {
        true => {
            let here = std::env::current_dir();
            let shown = escape(&pattern);
            Ok(from(&here.with_context(|| format!("cannot tell where the pattern `{shown}` begins"))?, &pattern))
        }
        false => Ok(pattern),
    };
    named(patterns)?.into_iter().map(from_here).collect()
}

/// Patterns that each name something, as they stand.
pub(crate) fn named(patterns: &[OsString]) -> anyhow::Result<Vec<Vec<u8>>> {
    patterns.iter().map(|pattern| name(pattern.as_bytes())).collect()
}

fn name(pattern: &[u8]) -> anyhow::Result<Vec<u8>> {
    let shown = escape(pattern);
    // A line of a file may be a comment. An option that does nothing is not what anybody meant.
    if pattern.starts_with(b"#") {
        let trouble = Trouble::usage(format!("the pattern `{shown}` is a comment"));
        return Err(trouble.hint(format!("`\\{shown}` is the pattern for a name that begins with #")).into());
    }
    if pattern.iter().all(|byte| b"/! ".contains(byte)) {
        return Err(Trouble::usage(format!("the pattern `{shown}` matches nothing")).into());
    }
    Ok(pattern.to_vec())
}

/// Tells whether a pattern is a path from the working directory.
fn is_from_here(pattern: &[u8]) -> bool {
    let path = pattern.strip_prefix(b"!").unwrap_or(pattern);
    matches!(path.split(|&byte| byte == b'/').next(), Some(b"." | b".."))
}

/// A pattern that is a path from a directory, as one of an absolute path.
fn from(here: &Path, pattern: &[u8]) -> Vec<u8> {
    let (mark, mut path) = match pattern.strip_prefix(b"!") {
        Some(path) => (&b"!"[..], path),
        None => (&b""[..], pattern),
    };
    let mut base = here.to_owned();
    loop {
        let (first, rest) = match path.iter().position(|&byte| byte == b'/') {
            Some(slash) => (path.get(..slash), path.get(slash + 1..)),
            None => (Some(path), None),
        };
        match first {
            Some(b"..") => {
                base.pop();
            }
            Some(b".") => {}
            _ => break,
        }
        path = rest.unwrap_or_default();
    }
    let mut absolute = mark.to_vec();
    // Nothing in it is meant as a pattern; a blank at its end counts.
    for &byte in base.as_os_str().as_bytes() {
        if b"*?[\\ ".contains(&byte) {
            absolute.push(b'\\');
        }
        absolute.push(byte);
    }
    if !path.is_empty() {
        if !absolute.ends_with(b"/") {
            absolute.push(b'/');
        }
        absolute.extend_from_slice(path);
    }
    absolute
}

/// Adds the lines of a file. One that matches nothing is told with its place.
fn add_lines(file: &Path, patterns: &mut Vec<Vec<u8>>) -> anyhow::Result<()> {
    let none: &[&[u8]] = &[];
    let bytes = fs::read(file).map_err(|error| {
        let hint = match (error.kind(), file.starts_with("~")) {
            (_, true) => {
                "the shell has left ~ as it is, as it does within quotes and behind `=`: write $HOME in its place"
            }
            (io::ErrorKind::NotFound, _) => {
                "make it, an empty one will do, or leave the option out: nothing was done without it"
            }
            _ => "may this user read it? Nothing was done without it",
        };
        let what = format!("cannot read {}: {}", file.display(), without_number(error.to_string()));
        Trouble::new(Exit::Failed, what).hint(hint)
    })?;
    for (place, line) in lines(&bytes).enumerate() {
        if let Err(error) = Patterns::new(&[line], none) {
            let mut trouble = Trouble::usage(format!("line {} of {}: {error}", place + 1, file.display()));
            if is_from_here(line) {
                trouble = trouble.hint("in a file a path begins with / or is one below the root");
            }
            return Err(trouble.into());
        }
        patterns.push(line.to_vec());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_a_dot_is_a_path_from_here() {
        let from = |pattern: &str| String::from_utf8(from(Path::new("/srv/a [1]"), pattern.as_bytes())).expect("text");
        assert_eq!(from("./x/*.o"), "/srv/a\\ \\[1]/x/*.o");
        assert_eq!(from("!../b/"), "!/srv/b/");
        assert_eq!(from("../../../x"), "/x");
        assert_eq!(from("."), "/srv/a\\ \\[1]");
        assert_eq!(from(".././c"), "/srv/c");
        assert!(["./a", "..", "!./a", "../"].iter().all(|pattern| is_from_here(pattern.as_bytes())));
        assert!(![".a", "a/./b", "...", "/./a", "*"].iter().any(|pattern| is_from_here(pattern.as_bytes())));
    }
}
