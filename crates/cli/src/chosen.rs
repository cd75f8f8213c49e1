//! The options about what is restored, as patterns of the library.

use std::ffi::OsString;

use lbak::patterns::Patterns;

use crate::{
    arguments::ChosenArguments,
    exit::Trouble,
    patterns::{Given, Said, named},
};

/// The patterns that the options name.
pub(crate) fn patterns(chosen: &ChosenArguments) -> anyhow::Result<Given> {
    let given = Given::read(
        Said { patterns: &chosen.exclude, files: &chosen.exclude_file },
        Said { patterns: &chosen.iexclude, files: &chosen.iexclude_file },
        Said { patterns: &chosen.include, files: &chosen.include_file },
        Said { patterns: &chosen.iinclude, files: &chosen.iinclude_file },
    )?;
    let is_meant_to_select = !chosen.include_file.is_empty() || !chosen.iinclude_file.is_empty();
    if is_meant_to_select && !given.patterns.is_selective() {
        return Err(Trouble::usage("the files of --include-file hold no pattern: nothing would be restored").into());
    }
    Ok(given)
}

/// The extended attributes that the options ask for: patterns of their names.
pub(crate) fn attributes(exclude: &[OsString], include: &[OsString]) -> anyhow::Result<Patterns> {
    Ok(Patterns::new(&named(exclude)?, &named(include)?)?)
}
