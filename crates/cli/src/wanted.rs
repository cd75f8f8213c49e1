//! The options about what is read, as rules of the library.

use std::os::unix::ffi::OsStrExt;

use lbak::{Marker, SelectionRules};

use crate::{
    arguments::WantedArguments,
    patterns::{Given, Said},
};

/// The patterns that the options name.
pub(crate) fn patterns(wanted: &WantedArguments) -> anyhow::Result<Given> {
    let patterns = |patterns| Said { patterns, ..Said::default() };
    Given::read(
        Said { patterns: &wanted.exclude, files: &wanted.exclude_file },
        Said { patterns: &wanted.iexclude, files: &wanted.iexclude_file },
        patterns(&wanted.include),
        patterns(&wanted.iinclude),
    )
}

/// The rules that the options ask for.
pub(crate) fn rules(wanted: &WantedArguments, given: &Given) -> anyhow::Result<SelectionRules> {
    let markers = wanted.exclude_if_present.iter().map(|marker| {
        let marker = marker.as_bytes();
        let colon = marker.iter().position(|&byte| byte == b':').unwrap_or(marker.len());
        Marker::new(&marker[..colon], marker.get(colon + 1..).unwrap_or_default())
    });
    Ok(SelectionRules {
        patterns: given.patterns.clone(),
        exclude_caches: wanted.exclude_caches,
        exclude_marked: markers.collect::<Result<_, _>>()?,
        exclude_larger_than: wanted.exclude_larger_than,
        one_file_system: wanted.one_file_system,
        include_pseudo_file_systems: wanted.include_pseudo_filesystems,
        repositories: Vec::new(),
    })
}
