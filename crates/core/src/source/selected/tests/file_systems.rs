//! Other file systems, pseudo file systems, and the repository; a real tree with all of it.

use super::*;
use crate::not_run::not_run;

#[test]
fn another_file_system_is_an_empty_directory() {
    let back = on_device(1, directory([("deeper", file("d"))]));
    let source = root([
        ("file", on_device(2, file("an overlay has files on other devices"))),
        ("mount", on_device(2, directory([("x", file("x")), ("back", back)]))),
        ("sub", directory([("mount", on_device(3, directory([("y", file("y"))])))])),
    ]);
    let (names, excluded) = left(&source, SelectionRules { one_file_system: true, ..SelectionRules::default() });
    assert_eq!(names, ["file", "mount/", "sub/", "sub/mount/"]);
    assert_eq!(excluded, [(Exclusion::OtherFileSystem, 2)]);
    let rules = SelectionRules { one_file_system: true, ..selecting(&[], &["sub/mount", "x"]) };
    assert_eq!(left(&source, rules).0, ["sub/", "sub/mount/"]);
    // Each root has a device of its own.
    let source =
        MemorySource::new([("/a", directory([])), ("/r", on_device(2, directory([("x", on_device(2, file("x")))])))]);
    assert_eq!(left(&source, SelectionRules { one_file_system: true, ..SelectionRules::default() }).0, ["x"]);
}

#[test]
fn a_pseudo_file_system_is_an_empty_directory_unless_it_is_named() {
    let proc = || on_device(9, directory([("1", on_device(9, directory([("maps", on_device(9, file("m")))])))]));
    let source = MemorySource::new([
        ("/proc", on_device(9, directory([("self", on_device(9, directory([("x", file("x"))])))]))),
        ("/r", directory([("proc", proc()), ("procured", directory([("a", file("a"))]))])),
    ]);
    let counting = Counting(&source, Arc::default());
    let (names, excluded) = left(&counting, SelectionRules::default());
    assert_eq!(names, ["proc/", "procured/", "procured/a"], "only where another device begins");
    assert_eq!(excluded, [(Exclusion::PseudoFileSystem, 1)]);
    assert!(shown(&SelectedSource::new(&counting, SelectionRules::default())).contains("/proc/self/x"));
    let rules = SelectionRules { include_pseudo_file_systems: true, ..SelectionRules::default() };
    assert!(left(&counting, rules).0.contains(&"proc/1/maps".to_owned()));
}

#[test]
fn the_repository_is_never_shown_by_any_of_its_names() {
    let mut repository = directory([("config", file("c"))]);
    (repository.metadata.device, repository.metadata.inode) = (7, 77);
    let source = MemorySource::new([
        ("/named", repository.clone()),
        ("/r", directory([("again", directory([("bound", repository.clone())])), ("repository", repository)])),
    ]);
    let rules = SelectionRules { repositories: vec![(7, 77)], ..SelectionRules::default() };
    let selected = SelectedSource::new(&source, rules);
    assert!(shown(&selected).iter().eq(["/r/", "/r/again/"]));
    assert_eq!(selected.excluded(), [ExclusionCount { exclusion: Exclusion::Repository, count: 3 }]);
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, content).expect("write");
}

#[test]
fn a_real_tree_is_selected_from() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    write(&at("cache/CACHEDIR.TAG"), SIGNATURE);
    write(&at("cache/big"), "big");
    write(&at("src/main.rs"), "main");
    write(&at("src/main.o"), "object");
    write(&at("repository/config"), "config");
    symlink("repository", at("link")).expect("link");
    let identity = fs::metadata(at("repository")).map(|found| (found.dev(), found.ino())).expect("stat");
    let source = LocalSource::new(&[folder.path(), &at("link")]).expect("both are there");
    let rules = SelectionRules {
        exclude_caches: true,
        one_file_system: true,
        repositories: vec![identity],
        ..excluding(&["*.o"])
    };
    let selected = SelectedSource::new(&source, rules);
    let names = shown(&selected);
    let prefix = format!("{}/", fs::canonicalize(folder.path()).expect("real").display());
    let names: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
    assert_eq!(names, ["", "cache/", "cache/CACHEDIR.TAG", "link", "src/", "src/main.rs"]);
    let excluded: Vec<Exclusion> = selected.excluded().iter().map(|count| count.exclusion).collect();
    assert_eq!(excluded, [Exclusion::Pattern, Exclusion::Repository, Exclusion::Cache]);
}

#[test]
fn proc_is_known_by_its_file_system() {
    if !Path::new("/proc/self").exists() {
        return not_run("no proc is mounted here");
    }
    let source = LocalSource::new(&["/"]).expect("it is there");
    let look = |rules: SelectionRules| -> usize {
        let selected = SelectedSource::new(&source, rules);
        let roots = selected.roots().expect("roots");
        let root = roots.entries().expect("list").next().expect("one").expect("found");
        let root = roots.directory(&root.name, &root.metadata).expect("open");
        let proc = root.entries().expect("list").flatten().find(|found| found.name == b"proc").expect("proc");
        root.directory(&proc.name, &proc.metadata).expect("open").entries().expect("list").take(2).count()
    };
    assert_eq!(look(SelectionRules::default()), 0);
    assert_eq!(look(SelectionRules { one_file_system: true, ..SelectionRules::default() }), 0);
    assert_eq!(look(SelectionRules { include_pseudo_file_systems: true, ..SelectionRules::default() }), 2);
    // A root is read, whatever it is.
    let source = LocalSource::new(&["/proc/self"]).expect("it is there");
    let selected = SelectedSource::new(&source, SelectionRules::default());
    let roots = selected.roots().expect("roots");
    let root = roots.entries().expect("list").next().expect("one").expect("found");
    assert!(roots.directory(&root.name, &root.metadata).expect("open").entries().expect("list").next().is_some());
}
