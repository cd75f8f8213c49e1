//! The reader stays small enough to be written again, and on its own.

use std::{fs, path::Path};

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent_reader/reader");

/// The text of every file of the reader; all of them lie in one folder.
fn files_of_reader() -> Vec<String> {
    let entries = fs::read_dir(Path::new(READER)).expect("the reader's folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| fs::read_to_string(path).expect("a text file")).collect()
}

#[test]
fn the_reader_has_less_than_600_lines() {
    let lines: usize = files_of_reader().iter().map(|text| text.lines().count()).sum();
    assert!(lines < 600, "the reader has {lines} lines, with comments and blank ones");
}

#[test]
fn the_reader_uses_nothing_of_lbak_or_of_its_tests() {
    for text in files_of_reader() {
        for outside in ["lbak::", "lbak_", "crate::", "super::super", "extern crate", "include!", "#[path"] {
            assert!(!text.contains(outside), "the reader says {outside}");
        }
    }
}
