//! The options about what is restored, as patterns of the library.

use lbak::patterns::Patterns;

use crate::{
    arguments::ChosenArguments,
    exit::Trouble,
    wanted::{refuse_comment, with_lines_of},
};

/// The patterns that the options ask for.
pub(crate) fn patterns(chosen: &ChosenArguments) -> anyhow::Result<Patterns> {
    let lists = [&chosen.exclude, &chosen.iexclude, &chosen.include, &chosen.iinclude];
    lists.into_iter().flatten().try_for_each(|pattern| refuse_comment(pattern))?;
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
    exclude.iter().chain(include).try_for_each(|pattern| refuse_comment(pattern))?;
    Ok(Patterns::new(exclude, include)?)
}
