//! The seeds reach what they are for: a parser that refuses all of them at its first byte would be fuzzed for nothing.

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt, path::Path};

use lbak_cli::parsers;
use lbak_core::{
    metadata::Timestamp,
    parity::{ParityList, ParityObject},
    repository::Repository,
};
use lbak_fuzzing::{repository_of, take};
use lbak_restore::{ListOptions, ListReport, list};

fn seed(target: &str, name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target).join(name);
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn repository(name: &str) -> Repository {
    repository_of(&seed("repository", name)).expect("it opens")
}

/// What the snapshots show, in the order of their numbers.
fn listed(repository: &Repository) -> Vec<ListReport> {
    let mut snapshots = repository.catalog().expect("a catalog").snapshots;
    snapshots.sort_by_key(|found| found.manifest.id);
    snapshots
        .iter()
        .map(|found| {
            list(
                repository,
                &found.manifest,
                None,
                &ListOptions { recursive: true, ..ListOptions::default() },
                &mut |_| Ok(()),
            )
            .expect("it is listed")
        })
        .collect()
}

#[test]
fn snapshots_behind_the_seal_are_opened_and_listed() {
    let of = |name| listed(&repository(name)).iter().map(|report| (report.entries, report.lost)).collect::<Vec<_>>();
    assert_eq!(of("sound"), [(7, 0), (2, 0)]);
    assert_eq!(of("large"), [(4, 0)]);
}

#[test]
fn rounds_marks_and_what_was_found_damaged_are_read() {
    let rounds = repository("rounds");
    let (catalog, view) = (rounds.catalog().expect("a catalog"), rounds.view().expect("a view"));
    assert_eq!((catalog.snapshots.len(), catalog.forgotten.len(), catalog.damaged.len()), (1, 1, 0));
    assert_eq!((view.damaged_packs.len(), view.condemned.len(), view.damage.len()), (1, 1, 0), "{:?}", view.damage);
}

#[test]
fn packs_and_segments_that_were_made_by_hand_open() {
    let by_hand = repository("by-hand");
    let view = by_hand.view().expect("a view");
    assert!(view.damage.is_empty(), "{:?}", view.damage);
    let sizes: Vec<u32> = view.index.segments().iter().map(|segment| segment.summary().records).collect();
    // The merged one counts only when a finished round names it.
    assert_eq!(sizes.iter().filter(|&&records| records == 30).count(), 1, "{sizes:?}");
    for segment in view.index.segments() {
        let records: Result<Vec<_>, _> = segment.records().expect("its packs").collect();
        assert_eq!(records.expect("its pages").len(), segment.summary().records as usize);
    }
}

#[test]
fn lists_of_parity_are_read_alone_and_behind_a_header() {
    for (name, packs) in [("one", 1), ("several", 5), ("many", 59)] {
        let alone = ParityList::parse(name, &seed("parity", name)).expect("a list");
        let behind = seed("parity", &format!("{name}-behind-header"));
        let behind = ParityObject::parse(name, None, &behind).expect("a list behind a header");
        assert_eq!((alone.packs().len(), alone == behind), (packs, true), "{name}");
    }
}

#[test]
fn words_are_understood() {
    for name in ["snapshot", "restore", "stream", "verify", "find", "key"] {
        let words = seed("arguments", name);
        let words = words[1..].split(|&byte| byte == 0).map(|word| OsString::from_vec(word.to_vec()));
        let words: Vec<OsString> = std::iter::once("lbak".into()).chain(words).collect();
        assert!(parsers::arguments(&words).is_ok(), "{name}: {:?}", parsers::arguments(&words));
    }
    for name in ["rfc3339", "date", "ago", "months-ago", "seconds", "yesterday", "today"] {
        let input = seed("time", name);
        let (_, rest) = take::<1>(&input).expect("a zone");
        let (now, text) = take::<8>(rest).expect("now");
        let now = Timestamp { seconds: i64::from_le_bytes(now), nanoseconds: 0 };
        let text = std::str::from_utf8(text).expect("text");
        assert!(parsers::time(text, now, "UTC0").is_some(), "{text:?} is no time");
    }
    assert!(parsers::duration("1h 30m").is_some() && parsers::size("16777215.125TiB").is_some());
}
