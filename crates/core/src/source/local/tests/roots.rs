//! The paths that are named.

use super::*;

#[test]
fn roots_are_absolute_sorted_and_not_below_one_another() {
    let place = temporary();
    let base = fs::canonicalize(place.path()).expect("real path");
    let at = |name: &str| base.join(name);
    fs::create_dir_all(at("a/b/c")).expect("mkdir");
    fs::create_dir_all(at("elsewhere/deep")).expect("mkdir");
    fs::write(at("file"), "").expect("write");
    symlink(at("elsewhere"), at("a/link")).expect("symlink");
    symlink(at("elsewhere/deep"), at("jump")).expect("symlink");
    symlink("nowhere", at("a/dangling")).expect("symlink");

    let resolve = |names: &[&str]| -> Vec<PathBuf> {
        let paths: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
        LocalSource::new(&paths).expect("all are there").paths().to_vec()
    };
    assert_eq!(resolve(&["file", "a/b/c", "a", "./a/../file", "a/b/"]), [at("a"), at("file")]);
    assert_eq!(resolve(&["jump/../deep"]), [at("elsewhere/deep")], "`..` leads where the system would go");
    assert_eq!(resolve(&["a", "a/link/deep"]), [at("a"), at("elsewhere/deep")]);
    assert_eq!(resolve(&["a", "a/dangling"]), [at("a")]);
    assert_eq!(resolve(&["a/link"]), [at("a/link")], "the name that was given");

    let missing = LocalSource::new(&[at("a"), at("missing")]).expect_err("missing");
    assert!(matches!(missing, Error::Source { path, .. } if path == at("missing")));
    assert!(LocalSource::new::<&Path>(&[]).is_err());
    assert!(LocalSource::new(&[""]).is_err());
    let here = LocalSource::new(&["."]).expect("the working directory");
    assert_eq!(here.paths(), [std::env::current_dir().expect("it has a path")]);
}

/// Every path was compared with every other one: half an hour for a list of 100,000 files.
#[test]
fn long_lists_of_paths_are_resolved_once_each() {
    let place = temporary();
    let base = fs::canonicalize(place.path()).expect("real path");
    let names: Vec<PathBuf> = (0..20_000).map(|number| base.join(format!("file {number}"))).collect();
    for name in &names {
        fs::write(name, "").expect("write");
    }
    let alone = LocalSource::new(&names).expect("all are there");
    assert_eq!(alone.paths().len(), names.len());
    let roots = alone.roots().expect("roots");
    assert_eq!(roots.entries().expect("list").filter(Result::is_ok).count(), names.len());
    let (first, last) = (&names[0], &names[names.len() - 1]);
    for name in [first, last] {
        assert!(roots.attributes(name.as_os_str().as_bytes(), FileKind::File).is_ok());
    }
    assert!(roots.attributes(b"/etc", FileKind::Directory).is_err(), "nothing but what was named");
    let below: Vec<&PathBuf> = names.iter().chain([&base]).collect();
    assert_eq!(LocalSource::new(&below).expect("all are there").paths(), [base]);
}

#[test]
fn more_paths_than_a_snapshot_records_are_refused() {
    let place = temporary();
    let mut folder = fs::canonicalize(place.path()).expect("real path");
    for _ in 0..14 {
        folder.push("x".repeat(250));
        fs::create_dir(&folder).expect("mkdir");
    }
    let names: Vec<PathBuf> = (0..5_000).map(|number| folder.join(format!("{number}"))).collect();
    for name in &names {
        fs::write(name, "").expect("write");
    }
    assert!(LocalSource::new(&names[..4_000]).is_ok());
    let error = LocalSource::new(&names).expect_err("17 MB of paths");
    assert!(matches!(error, Error::TooLarge { .. }) && error.to_string().contains("5000 paths"), "{error}");
}

#[test]
fn a_root_that_is_a_link_stands_for_what_it_points_to() {
    let place = temporary();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("folder")).expect("mkdir");
    fs::write(at("folder/file"), "content").expect("write");
    symlink("folder", at("to-folder")).expect("symlink");
    symlink("folder/file", at("to-file")).expect("symlink");
    symlink("nowhere", at("to-nothing")).expect("symlink");
    assert!(list(&*open(&at("to-folder"))).keys().eq(["file"]));

    let source = LocalSource::new(&[at("to-file"), at("to-nothing")]).expect("both are there");
    let roots = source.roots().expect("roots");
    let found: Vec<Found> = roots.entries().expect("list").map(|found| found.expect("looked at")).collect();
    assert_eq!([found[0].metadata.kind, found[1].metadata.kind], [FileKind::File, FileKind::Symlink]);
    assert_eq!(found[0].name, at("to-file").as_os_str().as_bytes());
    let mut file = roots.file(&found[0].name, &found[0].metadata).expect("open");
    assert_eq!(read_all(file.as_mut(), 100).0, b"content");
    assert!(roots.file(b"/etc/passwd", &found[0].metadata).is_err(), "nothing but what was named");
}
