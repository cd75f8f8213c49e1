//! What patterns say about names. That it is what git says is tested in `git`.

mod git;

use proptest::prelude::*;

use super::*;

/// Chooses for a path below the root `/srv`.
fn choose(exclude: &[&str], include: &[&str], below: &str, is_directory: bool) -> Choice {
    let patterns = Patterns::new(exclude, include).expect("patterns");
    patterns.choose(format!("/srv/{below}").as_bytes(), below.as_bytes(), is_directory)
}

fn is_excluded(exclude: &[&str], below: &str) -> bool {
    choose(exclude, &[], below, false) == Choice::Excluded
}

#[test]
fn a_pattern_without_a_slash_matches_at_any_depth() {
    assert!(is_excluded(&["*.tmp"], "a.tmp"));
    assert!(is_excluded(&["*.tmp"], "deep/down/a.tmp"));
    assert!(!is_excluded(&["*.tmp"], "a.tmpx"));
}

#[test]
fn a_pattern_with_a_slash_is_bound_to_the_root_or_absolute() {
    assert!(is_excluded(&["build/*.o"], "build/a.o"));
    assert!(!is_excluded(&["build/*.o"], "sub/build/a.o"));
    assert!(!is_excluded(&["build/*.o"], "build/deep/a.o"));
    assert!(is_excluded(&["/srv/build/a.o"], "build/a.o"));
    assert!(!is_excluded(&["/build/a.o"], "build/a.o"));
    assert!(is_excluded(&["**/build/*.o"], "sub/build/a.o"));
    assert!(is_excluded(&["build/**/a.o"], "build/x/y/a.o"));
}

#[test]
fn a_slash_at_the_end_means_directories() {
    assert_eq!(choose(&["cache/"], &[], "cache", true), Choice::Excluded);
    assert_eq!(choose(&["cache/"], &[], "cache", false), Choice::Wanted);
    assert_eq!(choose(&["cache/**"], &[], "cache", true), Choice::Wanted);
    assert!(is_excluded(&["cache/**"], "cache/a"));
}

#[test]
fn the_last_pattern_that_matches_decides() {
    assert!(!is_excluded(&["*.log", "!keep.log"], "keep.log"));
    assert!(is_excluded(&["!keep.log", "*.log"], "keep.log"));
    assert!(!is_excluded(&["/srv/*.log", "!keep.log"], "keep.log"));
}

#[test]
fn comments_blanks_and_escapes_are_as_in_gitignore() {
    let patterns = Patterns::new(&["# a comment", "", "   "], &[] as &[&str]).expect("patterns");
    assert!(patterns.is_empty());
    assert!(is_excluded(&["\\#a"], "#a"));
    assert!(is_excluded(&["\\!a"], "!a"));
    assert!(is_excluded(&["a   "], "a"));
    assert!(is_excluded(&["a\\ "], "a "));
    assert!(is_excluded(&["a\\*"], "a*"));
    assert!(!is_excluded(&["a\\*"], "ab"));
}

#[test]
fn includes_leave_the_way_open_and_excludes_win() {
    assert_eq!(choose(&[], &["deep/*.txt"], "deep", true), Choice::OnTheWay);
    assert_eq!(choose(&[], &["deep/*.txt"], "deep/a.txt", false), Choice::Wanted);
    assert_eq!(choose(&[], &["deep/*.txt"], "deep/a.bin", false), Choice::OnTheWay);
    assert_eq!(choose(&["a.txt"], &["deep/*.txt"], "deep/a.txt", false), Choice::Excluded);
}

#[test]
fn names_that_are_not_utf8_are_matched() {
    let patterns = Patterns::new(&["caf?.txt", "x*"], &[] as &[&str]).expect("patterns");
    assert!(patterns.is_excluded(b"/srv/caf\xe9.txt", b"caf\xe9.txt", false));
    assert!(patterns.is_excluded(b"/srv/x\xff\xfe", b"x\xff\xfe", false));
}

#[test]
fn any_case_is_asked_for() {
    let none: &[&str] = &[];
    let patterns = Patterns::with_case(none, &["*.TMP"], none, none).expect("patterns");
    assert!(patterns.is_excluded(b"/srv/a.tmp", b"a.tmp", false));
    assert!(!is_excluded(&["*.TMP"], "a.tmp"));
}

#[test]
fn letters_of_any_script_have_two_cases_where_that_is_asked_for() {
    let none: &[&str] = &[];
    let patterns = Patterns::with_case(none, &["ÄRGER*", "/srv/Ö/É"], none, none).expect("patterns");
    assert!(patterns.is_excluded(b"/srv/x", "ärger.txt".as_bytes(), false));
    assert!(patterns.is_excluded("/SRV/ö/é".as_bytes(), b"", false));
    assert!(!patterns.is_excluded(b"/srv/x", "arger".as_bytes(), false));
}

#[test]
fn patterns_need_not_be_utf8() {
    let patterns = Patterns::new(&[&b"caf\xe9*"[..], b"[\xf0-\xff]"], &[] as &[&str]).expect("patterns");
    assert!(patterns.is_excluded(b"/srv/caf\xe9.txt", b"caf\xe9.txt", false));
    assert!(patterns.is_excluded(b"/srv/\xfe", b"\xfe", false));
    assert!(!patterns.is_excluded(b"/srv/caf\xc3\xa9.txt", b"caf\xc3\xa9.txt", false));
    assert!(!patterns.is_excluded(b"/srv/\xef", b"\xef", false));
}

/// A bracket that matched slashes made `x[!0-9]y` match paths, and braces were alternatives.
#[test]
fn brackets_never_match_a_slash_and_braces_mean_nothing() {
    assert!(!is_excluded(&["x[!0-9]y"], "x/y"));
    assert!(!is_excluded(&["x[.-0]y/z"], "x/y/z"));
    assert!(is_excluded(&["{a,b}"], "{a,b}") && !is_excluded(&["{a,b}"], "a"));
    assert!(is_excluded(&["[[:digit:]]*"], "7up") && !is_excluded(&["[[:digit:]]*"], "up7"));
}

#[test]
fn two_stars_are_any_directories_only_between_slashes() {
    assert!(is_excluded(&["a/**/b"], "a/b") && is_excluded(&["****/b"], "x/y/b"));
    assert!(is_excluded(&["x/a**/b"], "x/ab/b"));
    assert!(!is_excluded(&["x/a**/b"], "x/a/q/b"), "as the manual says; git itself says otherwise");
    assert!(!is_excluded(&["a/**"], "a") && is_excluded(&["a/**"], "a/x"));
    assert!(is_excluded(&["**/a/*/b/**/c"], "a/a/x/b/b/c") && !is_excluded(&["**/a/*/b/**/c"], "a/b/c"));
}

#[test]
fn patterns_that_match_nothing_are_named_with_the_reason() {
    for (pattern, why) in [
        ("[a", "not closed"),
        ("a\\", "`\\` at the end"),
        ("[[:word:]]", "[:alnum:]"),
        ("[/]", "no byte"),
        ("a//b", "slash"),
        ("//a", "slash"),
        ("a//", "slash"),
        ("\\/a", "slash"),
        ("./a", "`.`"),
        ("a/../b", "`..`"),
        ("/", "names nothing"),
        ("!", "names nothing"),
        ("!/", "names nothing"),
        ("a\0b", "NUL"),
    ] {
        for (exclude, include) in [(&[pattern][..], &[][..]), (&[], &[pattern])] {
            let error = Patterns::new(exclude, include).expect_err(pattern).to_string();
            let named = error.starts_with(&format!("the pattern \"{}\" matches nothing: ", pattern.escape_default()));
            assert!((named || pattern.contains('\0')) && error.contains(why), "{error}");
        }
    }
}

#[test]
fn a_root_below_itself_has_no_name() {
    let patterns = Patterns::new(&["*", "**", "a", "**/a", "r/*"], &["/srv/r*"]).expect("patterns");
    assert!(!patterns.is_excluded(b"/srv/r", b"", true));
    assert!(patterns.is_included(b"/srv/r", b"", true) && !patterns.is_included(b"/srv", b"", true));
    assert!(Patterns::new(&["/srv"], &[] as &[&str]).expect("patterns").is_excluded(b"/srv", b"", true));
}

#[test]
fn every_match_is_counted_whatever_decides() {
    let none: &[&str] = &[];
    let patterns =
        Patterns::with_case(&["# nothing", "*.tmp", "b/*", "!keep.tmp"], &["*.TMP"], &["a.*"], none).expect("patterns");
    let mut tally = Tally::default();
    for name in ["a.tmp", "keep.tmp", "c"] {
        tally.count(&patterns.matched(format!("/srv/{name}").as_bytes(), name.as_bytes(), false));
    }
    let mut twice = tally.clone();
    twice.merge(&tally);
    let counts = |tally: &Tally| -> Vec<(String, bool, u64)> {
        let text = |count: &PatternCount| String::from_utf8_lossy(&count.pattern).into_owned();
        patterns.counts(tally).iter().map(|count| (text(count), count.any_case, count.matches)).collect()
    };
    let expected =
        [("*.tmp", false, 2), ("b/*", false, 0), ("!keep.tmp", false, 1), ("*.TMP", true, 2), ("a.*", false, 1)];
    assert_eq!(counts(&tally), expected.map(|(pattern, any_case, count)| (pattern.to_owned(), any_case, count)));
    assert_eq!(counts(&twice)[0].2, 4);
    let roles: Vec<PatternRole> = patterns.counts(&tally).iter().map(|count| count.role).collect();
    assert_eq!(roles[3..], [PatternRole::Exclude, PatternRole::Include]);
}

/// With alternatives tried one after the other this would go on for ever.
#[test]
fn no_pattern_takes_long() {
    let name = "a".repeat(250);
    let path = vec![name.as_str(); 100].join("/");
    for pattern in
        ["a*".repeat(100) + "b", "*".repeat(200) + "b", "**/a*/".repeat(50) + "b", "**/*a*a*/".repeat(50) + "**/c/*"]
    {
        assert!(!is_excluded(&[&pattern], &path), "{pattern}");
    }
}

/// The same as the rules one by one, without any table to look them up in.
#[test]
fn of_thousands_of_patterns_those_that_match_are_found() {
    let patterns: Vec<String> = (0..3_000)
        .map(|number| match number % 6 {
            0 => format!("name{number}"),
            1 => format!("*.ext{number}"),
            2 => format!("begin{number}-*"),
            3 => format!("/srv/d/{number}"),
            4 => format!("d/{number}/*"),
            _ => format!("D/*{number}"),
        })
        .collect();
    let none: &[&str] = &[];
    let (exact, any_case): (Vec<&String>, Vec<&String>) =
        patterns.iter().partition(|pattern| !pattern.starts_with('D'));
    let all = Patterns::with_case(&exact, &any_case, none, none).expect("patterns");
    for (below, expected) in [
        ("name6", "name6"),
        ("d/name6", "name6"),
        ("x.ext13", "*.ext13"),
        ("begin20-x", "begin20-*"),
        ("d/21", "/srv/d/21"),
        ("d/22/x", "d/22/*"),
        ("d/x2999", "D/*2999"),
    ] {
        let matched = all.matched(format!("/srv/{below}").as_bytes(), below.as_bytes(), false);
        let mut tally = Tally::default();
        tally.count(&matched);
        let found: Vec<PatternCount> = all.counts(&tally).into_iter().filter(|count| count.matches > 0).collect();
        assert_eq!(found.len(), 1, "{below}");
        assert_eq!(found[0].pattern, expected.as_bytes(), "{below}");
    }
}

proptest! {
    #[test]
    fn no_pattern_and_no_path_panics(
        pattern in proptest::collection::vec(any::<u8>(), 0..40),
        path in proptest::collection::vec(any::<u8>(), 0..40),
        any_case: bool,
    ) {
        let (exact, folded): (&[&[u8]], &[&[u8]]) = if any_case { (&[], &[&pattern]) } else { (&[&pattern], &[]) };
        if let Ok(patterns) = Patterns::with_case(exact, folded, exact, folded) {
            let _ = patterns.choose(&path, &path, true);
            let _ = patterns.may_lead(&path, &path);
        }
    }
}
