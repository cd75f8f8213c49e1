//! What a client keeps of a repository: made when there is much to read, used, and never missed.

use std::fs;

use lbak::{LineageKind, MemorySource, SnapshotOptions, snapshot, source::MemoryNode};

use crate::home::{Home, damage};

/// A repository with seventy small snapshots, each with a segment of its own.
fn home() -> Home {
    let home = Home::with_repository();
    let repository = home.library();
    for number in 0..70 {
        let file = MemoryNode::file(format!("the state of day {number}"));
        let source = MemorySource::new([("/srv", MemoryNode::directory([("state", file)]))]);
        // Read again each time: what is made in memory looks unchanged while its length is the same.
        let options = SnapshotOptions { lineage: LineageKind::Full, ..SnapshotOptions::default() };
        snapshot(&repository, &source, &options).expect("a snapshot");
    }
    home
}

/// The files of the cache: one folder for one repository.
fn kept(home: &Home) -> Vec<String> {
    let mut names = Vec::new();
    for folder in fs::read_dir(home.path(".cache/lbak")).into_iter().flatten().flatten() {
        let files = fs::read_dir(folder.path()).expect("a folder of one repository");
        names.extend(files.map(|file| file.expect("an entry").file_name().into_string().expect("plain names")));
    }
    names.sort();
    names
}

fn restored(home: &Home, snapshot: &str, target: &str) -> String {
    home.run(["restore", snapshot, target]).expect_code(0);
    home.read(&format!("{target}/state"))
}

#[test]
fn a_client_keeps_copies_when_there_is_much_to_read_and_may_lose_them() {
    let home = home();
    assert_eq!(kept(&home), [""; 0], "few segments are read one by one");
    assert_eq!(restored(&home, "latest~3", "first"), "the state of day 66");
    let names = kept(&home);
    assert_eq!(names.len(), 4, "{names:?}");
    for name in ["CACHEDIR.TAG", "list", "slots"] {
        assert!(names.iter().any(|kept| kept == name), "{names:?}");
    }

    // With copies, with damaged ones, and without them: the same.
    assert_eq!(restored(&home, "latest~60", "second"), "the state of day 9");
    home.run(["verify", "--read-data"]).expect_code(0);
    let folder = home.path(".cache/lbak");
    for file in
        fs::read_dir(&folder).expect("there").flatten().flat_map(|folder| fs::read_dir(folder.path()).expect("there"))
    {
        let path = file.expect("an entry").path();
        let mut bytes = fs::read(&path).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0);
        fs::write(path, bytes).expect("ours");
    }
    assert_eq!(restored(&home, "latest~61", "third"), "the state of day 8");
    fs::remove_dir_all(&folder).expect("there");
    assert_eq!(restored(&home, "latest~62", "fourth"), "the state of day 7");
    assert_eq!(kept(&home).len(), 4, "made anew");
}

#[test]
fn the_cache_lies_where_the_environment_says_and_is_no_trouble_where_it_can_not_be() {
    let home = home().with("XDG_CACHE_HOME", "elsewhere");
    assert_eq!(restored(&home, "latest", "first"), "the state of day 69");
    assert!(home.path("elsewhere/lbak").is_dir() && !home.path(".cache").exists());

    fs::remove_dir_all(home.path("elsewhere")).expect("there");
    home.write("elsewhere", "not a folder");
    assert_eq!(restored(&home, "latest", "second"), "the state of day 69");
    home.run(["snapshot", &home.text("data")]).expect_code(0);
}

#[test]
fn a_segment_that_is_removed_counts_no_more_though_a_copy_holds_it() {
    let home = home();
    assert_eq!(restored(&home, "latest", "first"), "the state of day 69");
    // As a collector does whose merged segment has not arrived: what only this segment named is looked for in the packs.
    let segment = home.objects("index").pop().expect("a segment");
    fs::remove_file(segment).expect("there");
    for (number, target) in ["second", "third"].into_iter().enumerate() {
        let name = format!("latest~{}", number * 30);
        assert_eq!(restored(&home, &name, target), format!("the state of day {}", 69 - number * 30));
    }
}

#[test]
fn verify_looks_at_what_is_stored_whatever_this_client_keeps_of_it() {
    let home = home();
    assert_eq!(restored(&home, "latest", "first"), "the state of day 69");
    home.run(["verify"]).expect_code(0);
    for folder in ["index", "snapshots"] {
        damage(&home.objects(folder).pop().expect("an object"));
        home.run(["verify"]).expect_code(20);
    }
    assert_eq!(restored(&home, "latest", "second"), "the state of day 69");
}
