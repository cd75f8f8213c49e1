//! Several backups in one repository, and how to say which one is meant: words that can be pasted behind the command.

use std::collections::{BTreeMap, BTreeSet};

use lbak::{Catalog, Committed, Manifest, Selection, escape, words_for_people};

use crate::{selecting, sizes};

/// Backups that are told in full.
const TOLD: usize = 8;

/// Paths that are worth typing to name a backup.
const TYPED: usize = 4;

/// A line for each backup that a selection leaves: the options that name it, and the id of its newest snapshot.
pub(crate) fn ways_to_name_one(selection: &Selection, catalog: &Catalog) -> String {
    let mut backups: BTreeMap<(&str, &[Vec<u8>]), Vec<&Committed>> = BTreeMap::new();
    for snapshot in selection.candidates(catalog) {
        let manifest = &snapshot.manifest;
        backups.entry((&manifest.host, &manifest.paths)).or_default().push(snapshot);
    }
    let hosts: BTreeSet<&str> = backups.keys().map(|(host, _)| *host).collect();
    let paths: BTreeSet<&[Vec<u8>]> = backups.keys().map(|(_, paths)| *paths).collect();
    let mut lines = vec!["add what names one of them, or give its id in place of `latest`:".to_owned()];
    for (key, snapshots) in backups.iter().take(TOLD) {
        let Some(newest) = snapshots.last().map(|snapshot| &snapshot.manifest) else { continue };
        let others = || backups.iter().filter(|(other, _)| *other != key).flat_map(|(_, snapshots)| snapshots);
        let tag = newest.tags.iter().find(|tag| !others().any(|other| other.manifest.tags.contains(tag)));
        let options = by_options(newest, hosts.len() > 1, paths.len() > 1);
        // Where nothing else says what it is.
        let what = if options.is_none() { format!("  ({})", selecting::source_of(newest)) } else { String::new() };
        let mut ways = Vec::from_iter(options);
        ways.extend(tag.map(|tag| format!("--tag {}", words_for_people([tag.as_bytes()]))));
        ways.push(newest.id.short());
        lines.push(format!("  {}{what}", ways.join("  or  ")));
    }
    if backups.len() > TOLD {
        let more = sizes::count((backups.len() - TOLD) as u64);
        lines.push(format!("  … and {more} more, which `lbak snapshots` lists"));
    }
    lines.join("\n")
}

/// `--host db1 --path /srv/models`; none where a shell would not take the words as they are shown, or nobody would type them.
fn by_options(manifest: &Manifest, is_host_needed: bool, are_paths_needed: bool) -> Option<String> {
    let mut words: Vec<&[u8]> = Vec::new();
    if is_host_needed {
        words.extend([b"--host", manifest.host.as_bytes()]);
    }
    if are_paths_needed {
        manifest.paths.iter().for_each(|path| words.extend([b"--path".as_slice(), path]));
    }
    let is_as_shown = words.iter().all(|word| escape(word).as_bytes() == *word);
    (is_as_shown && manifest.paths.len() <= TYPED).then(|| words_for_people(words))
}
