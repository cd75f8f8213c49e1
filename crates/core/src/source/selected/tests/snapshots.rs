//! What becomes of it in snapshots.

use super::*;

/// Nothing in the source changes, no time stamp moves, only the rules do: a directory must not be taken over from the snapshot
/// before it as it was, and what is wanted again must be read.
#[test]
fn a_changed_rule_shows_in_the_next_snapshot_of_an_unchanged_source() {
    let mount = on_device(2, directory([("m", on_device(2, file("mounted")))]));
    let source = || {
        root([
            ("cache", directory([("CACHEDIR.TAG", file(SIGNATURE)), ("c", file("cached"))])),
            ("marked", directory([(".skip", file("")), ("s", file("marked"))])),
            ("mount", mount.clone()),
            ("proc", on_device(9, directory([("p", on_device(9, file("running")))]))),
            ("sub", directory([("a.log", file("log")), ("b", directory([("keep", file("kept"))]))])),
            ("vast", directory([("v", file("very long"))])),
        ])
    };
    let none = SelectionRules::default;
    let marker = || vec![Marker::new(".skip", "").expect("marker")];
    let everything_but_proc = SelectionRules { include_pseudo_file_systems: true, ..none() };
    let cases: [(SelectionRules, &[&str]); 8] = [
        (excluding(&["*.log"]), &["sub/a.log"]),
        (excluding(&["sub/"]), &["sub", "sub/a.log", "sub/b", "sub/b/keep"]),
        (selecting(&["v"], &["sub", "vast", "c", "m", "p", "marked", "CACHEDIR.TAG"]), &["vast/v"]),
        (SelectionRules { exclude_caches: true, ..none() }, &["cache/c"]),
        (SelectionRules { exclude_marked: marker(), ..none() }, &["marked/s"]),
        (SelectionRules { exclude_larger_than: Some(8), ..none() }, &["vast/v", "cache/CACHEDIR.TAG"]),
        (SelectionRules { one_file_system: true, ..none() }, &["mount/m", "proc/p"]),
        (none(), &["proc/p"]),
    ];
    for (rules, gone) in cases {
        let repository = repository();
        let source = source();
        let counting = Counting(&source, Arc::default());
        let rules = SelectionRules { include_pseudo_file_systems: !gone.contains(&"proc/p"), ..rules };
        let what = format!("{rules:?}");
        let (_, all) = take(&repository, &counting, everything_but_proc.clone());
        let (second, less) = take(&repository, &counting, rules.clone());
        assert_eq!(second.files.new + second.files.changed, 0, "nothing is read again: {what}");
        let missing: Vec<&str> =
            all.iter().filter(|name| !less.contains(name)).map(|name| &name["/r/".len()..]).collect();
        let mut expected = gone.to_vec();
        expected.sort_unstable();
        assert_eq!(missing, expected, "{what}");
        assert!(less.iter().all(|name| all.contains(name)), "{what}");
        let (third, same) = take(&repository, &counting, rules);
        assert_eq!(
            (third.sizes.new, third.sizes.stored, same),
            (0, 0, less),
            "an equal choice is an equal tree: {what}"
        );
        let (fourth, again) = take(&repository, &counting, everything_but_proc.clone());
        assert_eq!(again, all, "{what}");
        assert!(fourth.files.new > 0, "what was left out is read: {what}");
    }
}

#[test]
fn a_tree_that_is_selected_from_equals_one_that_never_had_more() {
    let repository = repository();
    let (first, _) = take(&repository, &sample(), excluding(&["cache", "none", "deep"]));
    let (second, names) = take(&repository, &root([("a.txt", file("a"))]), SelectionRules::default());
    assert_eq!(names, ["/r", "/r/a.txt"]);
    assert_eq!(second.sizes.new, 0);
    assert_eq!((first.totals.files, first.totals.directories), (second.totals.files, second.totals.directories));
}
