//! Patterns, marks and sizes.

use super::*;

#[test]
fn exclude_leaves_out_what_matches() {
    let home = home();
    let (names, excluded) = take(&home, &["--exclude", "*.tmp", "-e", "/sub/b", "-e", "cache/"]);
    let cache = ["cache", "cache/CACHEDIR.TAG", "cache/cached", "sub/deep/d.tmp"];
    assert_eq!((names, excluded), (everything_but(&cache), reason("pattern", 2)), "/sub/b is another place");
    let absolute = home.text("data/sub");
    let (names, _) = take(&home, &["--exclude", &absolute]);
    assert_eq!(names, everything_but(&["sub", "sub/b", "sub/c.TMP", "sub/deep", "sub/deep/d.tmp"]));
}

#[test]
fn iexclude_does_not_look_at_the_case() {
    assert_eq!(take(&home(), &["--iexclude", "*.Tmp"]).0, everything_but(&["sub/c.TMP", "sub/deep/d.tmp"]));
}

#[test]
fn exclude_file_has_lines_of_a_gitignore() {
    let home = home();
    home.write("ignored", "\u{feff}# comments do not count\n\n*.tmp\r\nlarge\nmarked/*\n!marked/.skip\n");
    let missing = ["large", "marked/secret", "sub/deep/d.tmp"];
    assert_eq!(take(&home, &["--exclude-file", "ignored"]).0, everything_but(&missing));
    let (names, _) = take(&home, &["--exclude-file", "ignored", "--exclude", "!large"]);
    assert_eq!(names, everything_but(&missing[1..]), "the command line has the last word");
    assert_eq!(take(&home, &["--iexclude-file", "ignored"]).0, {
        let missing = [&missing[..], &["sub/c.TMP"]].concat();
        everything_but(&missing)
    });
    home.run(["snapshot", "data", "--exclude-file", "nowhere"])
        .expect_code(1)
        .expect_stderr("cannot read nowhere: No such file");
    home.write("ignored", b"\xff\xfea\0\n\0");
    home.run(["snapshot", "data", "--exclude-file", "ignored"])
        .expect_code(2)
        .expect_stderr("line 1 of ignored: the pattern \"\\xff\\xfea\\x00\" matches nothing")
        .expect_stderr("is it UTF-16?");
    home.write("ignored", "a\n./sub\n");
    home.run(["snapshot", "data", "--exclude-file", "ignored"])
        .expect_code(2)
        .expect_stderr("line 2 of ignored: the pattern \"./sub\" matches nothing")
        .expect_stderr("hint: in a file a path begins with /");
}

#[test]
fn include_takes_only_what_matches_and_the_way_to_it() {
    let home = home();
    let (names, excluded) = take(&home, &["--include", "*.tmp", "--include", "cache/cached"]);
    assert_eq!(names, ["cache", "cache/cached", "sub", "sub/deep", "sub/deep/d.tmp"]);
    assert_eq!(excluded.len(), 1, "{excluded:?}");
    assert_eq!(excluded[0].0, "not_included");
    let (names, _) = take(&home, &["--include", "sub", "--exclude", "deep"]);
    assert_eq!(names, ["sub", "sub/b", "sub/c.TMP"]);
    assert_eq!(take(&home, &["--iinclude", "*.tmp"]).0, ["sub", "sub/c.TMP", "sub/deep", "sub/deep/d.tmp"]);
}

#[test]
fn exclude_caches_keeps_the_tag_alone() {
    let (names, excluded) = take(&home(), &["--exclude-caches"]);
    assert_eq!((names, excluded), (everything_but(&["cache/cached"]), reason("cache", 1)));
}

#[test]
fn exclude_if_present_keeps_the_marker_alone() {
    let home = home();
    let secret = everything_but(&["marked/secret"]);
    assert_eq!(take(&home, &["--exclude-if-present", ".skip"]), (secret.clone(), reason("marked", 1)));
    assert_eq!(take(&home, &["--exclude-if-present", ".skip:no backup: of"]).0, secret);
    assert_eq!(take(&home, &["--exclude-if-present", ".skip:other"]).0, everything_but(&[]));
}

#[test]
fn exclude_larger_than_looks_at_files() {
    let home = home();
    assert_eq!(take(&home, &["--exclude-larger-than", "4999"]), (everything_but(&["large"]), reason("too_large", 1)));
    assert_eq!(take(&home, &["--exclude-larger-than", "5K"]).0, everything_but(&[]));
}

/// What is read depends on the rules of this run and not on those of the run before it, though no time stamp moves.
#[test]
fn runs_with_other_options_take_what_those_ask_for() {
    let home = home();
    take(&home, &[]);
    for (options, missing) in [
        (&["--exclude", "b"][..], &["sub/b"][..]),
        (&["--exclude-caches"], &["cache/cached"]),
        (&["--exclude-if-present", ".skip"], &["marked/secret"]),
        (&["--exclude-larger-than", "1k"], &["large"]),
        (&["--exclude", "sub"], &["sub", "sub/b", "sub/c.TMP", "sub/deep", "sub/deep/d.tmp"]),
        (&[], &[]),
    ] {
        let first = take(&home, options).0;
        assert_eq!(first, everything_but(missing), "{options:?}");
        assert_eq!(take(&home, options).0, first, "{options:?}");
    }
    let lineages: Vec<_> = home.run(["snapshots", "--json"]).messages();
    let full = lineages.iter().filter(|snapshot| snapshot["lineage"] == "full").count();
    assert_eq!((lineages.len(), full), (13, 1), "they are compared with one another");
}

#[test]
fn patterns_that_can_not_mean_anything_are_usage_errors_and_nothing_is_stored() {
    let home = home();
    for (options, said) in [
        (["--exclude", "[a"], "[a"),
        (["--exclude", "#recycle"], "`\\#recycle` is the pattern"),
        (["--include", "/"], "matches nothing"),
        (["--iexclude", ""], "matches nothing"),
        (["--exclude-if-present", "a/b"], "a/b"),
        (["--exclude-larger-than", "5KB"], "is no size"),
    ] {
        home.run(["snapshot", "data"].iter().chain(&options)).expect_code(2).expect_stderr(said);
    }
    assert_eq!(home.run(["snapshots", "--json"]).expect_code(0).stdout, "");
}
