//! Caches, marked directories and large files.

use super::*;

#[test]
fn of_a_cache_nothing_but_its_tag_is_shown() {
    let cache = |tag: MemoryNode| directory([("0", file("0")), ("CACHEDIR.TAG", tag), ("sub", directory([]))]);
    let source = root([
        ("cut", cache(file(&SIGNATURE[..42]))),
        ("link", cache(MemoryNode::symlink("elsewhere"))),
        ("other", cache(file("Signature: something else, as long as the signature"))),
        ("valid", cache(file(&format!("{SIGNATURE}\n# made by a test")))),
    ]);
    let rules = SelectionRules { exclude_caches: true, ..SelectionRules::default() };
    let (names, excluded) = left(&source, rules);
    let whole = ["cut", "link", "other"].map(|name| [format!("{name}/"), format!("{name}/0")]).concat();
    assert!(whole.iter().all(|name| names.contains(name)), "{names:?}");
    let valid: Vec<_> = names.iter().filter(|name| name.starts_with("valid")).collect();
    assert_eq!(valid, ["valid/", "valid/CACHEDIR.TAG"]);
    assert_eq!(excluded, [(Exclusion::Cache, 1)]);
    assert_eq!(left(&source, SelectionRules::default()).1, []);
}

#[test]
fn of_a_marked_directory_nothing_but_the_marker_is_shown() {
    let source = root([
        ("anything", directory([(".skip", MemoryNode::symlink("x")), ("a", file("a"))])),
        ("header", directory([("a", file("a")), ("zz", file("no backup, please"))])),
        ("other", directory([("a", file("a")), ("zz", file("backup, please"))])),
    ]);
    let markers = vec![Marker::new(".skip", "").expect("marker"), Marker::new("zz", "no backup").expect("marker")];
    let rules = SelectionRules { exclude_marked: markers, ..SelectionRules::default() };
    let (names, excluded) = left(&source, rules);
    assert_eq!(names, ["anything/", "anything/.skip", "header/", "header/zz", "other/", "other/a", "other/zz"]);
    assert_eq!(excluded, [(Exclusion::Marked, 2)]);
    for name in ["", ".", "..", "a/b"] {
        assert!(Marker::new(name, "").is_err(), "{name}");
    }
}

#[test]
fn a_marker_in_a_root_counts_and_one_that_can_not_be_read_does_not() {
    let rules = || SelectionRules { exclude_caches: true, ..SelectionRules::default() };
    assert_eq!(left(&root([("CACHEDIR.TAG", file(SIGNATURE)), ("a", file("a"))]), rules()).0, ["CACHEDIR.TAG"]);
    let locked = file(SIGNATURE).with_trouble(SourceErrorKind::Denied);
    assert_eq!(left(&root([("CACHEDIR.TAG", locked), ("a", file("a"))]), rules()).0, ["CACHEDIR.TAG", "a"]);
}

#[test]
fn files_above_a_size_are_left_out() {
    let source = root([("a", file("1234")), ("b", file("12345")), ("c", MemoryNode::sparse_file([(1 << 40, vec![])]))]);
    let (names, excluded) = left(&source, SelectionRules { exclude_larger_than: Some(4), ..SelectionRules::default() });
    assert_eq!((names, excluded), (vec!["a".to_owned()], vec![(Exclusion::TooLarge, 2)]));
}
