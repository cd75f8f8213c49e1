//! The options about what is restored, as patterns of the library.

use std::{fs, path::PathBuf};

use anyhow::Context;
use lbak::patterns::Patterns;

use crate::{arguments::ChosenArguments, exit::Trouble};

/// The patterns that the options ask for.
pub(crate) fn patterns(chosen: &ChosenArguments) -> anyhow::Result<Patterns> {
    let lists = [&chosen.exclude, &chosen.iexclude, &chosen.include, &chosen.iinclude];
    lists.into_iter().flatten().try_for_each(|pattern| refuse_empty(pattern))?;
    // The command line has the last word.
    let exclude = with_lines_of(&chosen.exclude_file, &chosen.exclude)?;
    let iexclude = with_lines_of(&chosen.iexclude_file, &chosen.iexclude)?;
    let include = with_lines_of(&chosen.include_file, &chosen.include)?;
    let iinclude = with_lines_of(&chosen.iinclude_file, &chosen.iinclude)?;
    let patterns = Patterns::with_case(&exclude, &iexclude, &include, &iinclude)?;
    let is_meant_to_select = !chosen.include_file.is_empty() || !chosen.iinclude_file.is_empty();
    if is_meant_to_select && !patterns.is_selective() {
        return Err(Trouble::usage("the files of --include-file hold no pattern: nothing would be restored").into());
    }
    Ok(patterns)
}

/// The extended attributes that the options ask for: patterns of their names.
pub(crate) fn attributes(exclude: &[String], include: &[String]) -> anyhow::Result<Patterns> {
    exclude.iter().chain(include).try_for_each(|pattern| refuse_empty(pattern))?;
    Ok(Patterns::new(exclude, include)?)
}

/// A line of a file may be a comment. An option that does nothing is not what anybody meant.
fn refuse_empty(pattern: &str) -> anyhow::Result<()> {
    if pattern.starts_with('#') {
        let trouble = Trouble::usage(format!("the pattern `{pattern}` is a comment"));
        return Err(trouble.hint(format!("`\\{pattern}` is the pattern for a name that begins with #")).into());
    }
    if pattern.trim_matches(['/', '!', ' ']).is_empty() {
        return Err(Trouble::usage(format!("the pattern `{pattern}` matches nothing")).into());
    }
    Ok(())
}

fn with_lines_of(files: &[PathBuf], patterns: &[String]) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        // Some editors put a mark of the encoding at the front.
        lines.extend(text.trim_start_matches('\u{feff}').lines().map(str::to_owned));
    }
    lines.extend_from_slice(patterns);
    Ok(lines)
}
