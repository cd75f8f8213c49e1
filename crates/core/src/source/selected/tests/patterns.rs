//! What patterns leave of a tree.

use super::*;

#[test]
fn without_rules_everything_is_shown() {
    let source = sample();
    let selected = SelectedSource::new(&source, SelectionRules::default());
    assert_eq!(shown(&selected), shown(&source));
    assert_eq!(selected.excluded(), []);
    assert_eq!(selected.kind(), SourceKind::Files);
}

#[test]
fn what_a_pattern_excludes_is_not_there_with_all_below_it() {
    let (names, excluded) = left(&sample(), excluding(&["cache/", "*.bin", "!d.bin", "/r/deep/down/b.txt"]));
    assert_eq!(names, ["a.txt", "deep/", "deep/down/", "none/", "none/d.bin", "none/empty/"]);
    assert_eq!(excluded, [(Exclusion::Pattern, 3)]);
}

#[test]
fn roots_are_shown_whatever_the_rules_say() {
    let rules = SelectionRules { exclude_larger_than: Some(0), ..excluding(&["r", "/r", "/file", "*"]) };
    let source = MemorySource::new([("/r", directory([("a", file("a"))])), ("/file", file("long"))]);
    assert!(shown(&SelectedSource::new(&source, rules)).iter().eq(["/file", "/r/"]));
    let rules = selecting(&[], &["nothing"]);
    assert!(shown(&SelectedSource::new(&source, rules)).iter().eq(["/file", "/r/"]));
}

#[test]
fn includes_show_what_matches_and_the_way_to_it() {
    let (names, excluded) = left(&sample(), selecting(&[], &["*.txt"]));
    assert_eq!(names, ["a.txt", "cache/", "cache/keep.txt", "deep/", "deep/down/", "deep/down/b.txt"]);
    // cache/big, deep/down/c.bin, and none with all below it.
    assert_eq!(excluded, [(Exclusion::NotIncluded, 3)]);
    let (names, _) = left(&sample(), selecting(&["b.txt"], &["deep", "none/empty"]));
    assert_eq!(names, ["deep/", "deep/down/", "deep/down/c.bin", "none/", "none/empty/"]);
    assert_eq!(left(&sample(), selecting(&[], &["nowhere"])).0, [""; 0]);
    let everything = left(&sample(), SelectionRules::default()).0;
    assert_eq!(left(&sample(), selecting(&[], &["/r"])).0, everything, "the root itself is included");
}

#[test]
fn a_root_below_an_included_directory_is_wanted() {
    let source = MemorySource::new([("/srv/data/r", directory([("a", file("a"))]))]);
    let rules = selecting(&[], &["/srv/data"]);
    assert!(shown(&SelectedSource::new(&source, rules)).contains("/srv/data/r/a"));
    let rules = selecting(&[], &["/srv/dat"]);
    assert!(!shown(&SelectedSource::new(&source, rules)).contains("/srv/data/r/a"));
}

/// The root of the file system is the one directory whose path ends with a slash.
#[test]
fn patterns_hold_below_the_root_of_the_file_system() {
    let tree = directory([("etc", directory([("passwd", file("p"))])), ("tmp", directory([("x", file("x"))]))]);
    let source = MemorySource::new([("/", tree)]);
    let names = shown(&SelectedSource::new(&source, excluding(&["/tmp", "etc/shadow"])));
    assert!(names.iter().eq(["/", "/etc/", "/etc/passwd"]), "{names:?}");
    let names = shown(&SelectedSource::new(&source, selecting(&[], &["/etc"])));
    assert!(names.iter().eq(["/", "/etc/", "/etc/passwd"]), "{names:?}");
}

/// A pattern that matched nothing was perhaps meant otherwise. Each name counts once, however often it is looked at.
#[test]
fn what_each_pattern_matches_is_counted() {
    let counts = |exclude: &[&str], include: &[&str]| -> Vec<u64> {
        let source = sample();
        let selected = SelectedSource::new(&source, selecting(exclude, include));
        shown(&selected);
        shown(&selected);
        selected.pattern_counts().iter().map(|count| count.matches).collect()
    };
    assert_eq!(counts(&["*.bin", "cache/", "nothing", "keep.txt", "!d.bin"], &[]), [2, 1, 0, 0, 1]);
    // d.bin lies where nothing is included: it is only looked at from ahead.
    assert_eq!(counts(&["*.bin"], &["*.txt", "*.doc", "deep/down/b.txt"]), [2, 3, 0, 1]);
    assert_eq!(counts(&["*.bin"], &["/r", "deep/*"]), [2, 1, 1], "the root is included");
    assert_eq!(counts(&[], &["b.txt", "deep"]), [1, 1], "below what is wanted too");
}
