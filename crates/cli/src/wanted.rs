//! The options about what is read, as rules of the library.

use std::{fs, os::unix::ffi::OsStrExt, path::Path};

use anyhow::Context;
use lbak::{Marker, SelectionRules, patterns::Patterns};

use crate::{arguments::WantedArguments, exit::Trouble};

/// The rules that the options ask for.
pub(crate) fn rules(wanted: &WantedArguments) -> anyhow::Result<SelectionRules> {
    let markers = wanted.exclude_if_present.iter().map(|marker| {
        let marker = marker.as_bytes();
        let colon = marker.iter().position(|&byte| byte == b':').unwrap_or(marker.len());
        Marker::new(&marker[..colon], marker.get(colon + 1..).unwrap_or_default())
    });
    Ok(SelectionRules {
        patterns: patterns(wanted)?,
        exclude_caches: wanted.exclude_caches,
        exclude_marked: markers.collect::<Result<_, _>>()?,
        exclude_larger_than: wanted.exclude_larger_than,
        one_file_system: wanted.one_file_system,
        include_pseudo_file_systems: wanted.include_pseudo_filesystems,
        repositories: Vec::new(),
    })
}

fn patterns(wanted: &WantedArguments) -> anyhow::Result<Patterns> {
    let lists = [&wanted.exclude, &wanted.iexclude, &wanted.include, &wanted.iinclude];
    lists.into_iter().flatten().try_for_each(|pattern| refuse_comment(pattern))?;
    // The command line has the last word.
    let exclude = with_lines_of(&wanted.exclude_file, &wanted.exclude)?;
    let iexclude = with_lines_of(&wanted.iexclude_file, &wanted.iexclude)?;
    Ok(Patterns::with_case(&exclude, &iexclude, &wanted.include, &wanted.iinclude)?)
}

/// A line of a file may be a comment. An option that does nothing is not what anybody meant.
pub(crate) fn refuse_comment(pattern: &str) -> anyhow::Result<()> {
    if pattern.starts_with('#') {
        let trouble = Trouble::usage(format!("the pattern `{pattern}` is a comment"));
        return Err(trouble.hint(format!("`\\{pattern}` is the pattern for a name that begins with #")).into());
    }
    if pattern.trim_matches(['/', '!', ' ']).is_empty() {
        return Err(Trouble::usage(format!("the pattern `{pattern}` matches nothing")).into());
    }
    Ok(())
}

pub(crate) fn with_lines_of(files: &[impl AsRef<Path>], patterns: &[String]) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for file in files {
        let file = file.as_ref();
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        // Some editors put a mark of the encoding at the front.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        for (place, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let line = std::str::from_utf8(line).map_err(|_| {
                let what = format!("line {} of {} is not UTF-8", place + 1, file.display());
                Trouble::usage(what).hint("`?` stands for each byte of a name that is not UTF-8")
            })?;
            lines.push(line.to_owned());
        }
    }
    lines.extend_from_slice(patterns);
    Ok(lines)
}
