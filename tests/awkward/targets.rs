//! Places that give what is made in them something of their own, or can not keep all of it.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
};

use lbak::{FileKind, MemorySource, Place, RestoreOptions, source::MemoryNode};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat};

use lbak_testkit::not_run;

use crate::{
    ground::{Ground, compared, is_root, repository, restored, take, take_from, told},
    ordinary::run_again,
};

/// `user::rwx user:12345:rwx group::r-x mask::rwx other::---`
const LIST: &[u8] = b"\x02\0\0\0\
    \x01\0\x07\0\xff\xff\xff\xff\x02\0\x07\0\x39\x30\0\0\x04\0\x05\0\xff\xff\xff\xff\
    \x10\0\x07\0\xff\xff\xff\xff\x20\0\x00\0\xff\xff\xff\xff";

/// Whatever was made in a directory with a default access list got that list, and kept it.
#[test]
fn nothing_inherits_an_access_list_that_it_did_not_have() {
    let ground = Ground::on_disk();
    let (tree, above) = (ground.tree(), ground.path("above"));
    fs::create_dir_all(tree.join("directory")).expect("a directory");
    fs::write(tree.join("directory/file"), "without a list").expect("a file");
    fs::write(tree.join("listed"), "with a list of its own").expect("a file");
    mknodat(CWD, tree.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).expect("a fifo");
    fs::create_dir(&above).expect("a directory");
    let set = |path: &std::path::Path, name: &str| rustix::fs::setxattr(path, name, LIST, XattrFlags::empty());
    if set(&above, "system.posix_acl_default").is_err() {
        return not_run(format_args!("no access lists in {}", ground.folder().display()));
    }
    set(&tree.join("listed"), "system.posix_acl_access").expect("lists");
    let repository = repository();
    let (_, manifest) = take(&repository, &tree);
    let back = restored(&repository, &manifest, &above.join("back"));
    assert_eq!(told(&back.findings, &tree), BTreeSet::new());
    assert_eq!(compared(&tree, &above.join("back")), BTreeSet::new());
}

/// A file that an ordinary user restores into a set-gid directory kept that directory's group.
#[test]
fn an_ordinary_users_group_comes_back_in_a_set_gid_directory() {
    if is_root() {
        let ground = Ground::on_disk();
        let shared = ground.path("shared");
        fs::create_dir(&shared).expect("a directory");
        run_again("targets::an_ordinary_users_group_comes_back_in_a_set_gid_directory", ground.folder(), || {
            chown(&shared, Some(0), Some(1)).expect("root gives files away");
            fs::set_permissions(&shared, fs::Permissions::from_mode(0o2777)).expect("a mode");
        });
        return;
    }
    let shared = std::env::temp_dir().join("shared");
    let Ok(found) = fs::metadata(&shared) else {
        return not_run("only root can make a directory of a group that this user is not in");
    };
    let ground = Ground::on_disk();
    let tree = ground.tree();
    fs::create_dir_all(tree.join("directory")).expect("a directory");
    fs::write(tree.join("directory/file"), "of my own group").expect("a file");
    assert_ne!(found.gid(), fs::metadata(&tree).expect("metadata").gid());
    let repository = repository();
    let (_, manifest) = take(&repository, &tree);
    let back = restored(&repository, &manifest, &shared.join("back"));
    assert_eq!(told(&back.findings, &tree), BTreeSet::new());
    assert_eq!(compared(&tree, &shared.join("back")), BTreeSet::new());
}

/// ext4 made the year 2446 of everything behind it, and nobody was told.
#[test]
fn a_time_that_a_file_system_can_not_keep_is_told() {
    let ground = Ground::on_disk();
    let mut node = MemoryNode::file("from the year 8000");
    node.metadata.mtime.seconds = 190_288_396_800;
    let mut fifo = MemoryNode::special(FileKind::Fifo, 0, 0);
    fifo.metadata.mtime.seconds = -190_288_396_800;
    let files = [("fifo", fifo), ("file", node), ("today", MemoryNode::file("today"))];
    let repository = repository();
    let (_, manifest) = take_from(&repository, &MemorySource::new([("/tree", MemoryNode::directory(files))]));
    let back = restored(&repository, &manifest, &ground.path("back"));
    let found = |name: &str| fs::symlink_metadata(ground.path("back").join(name)).expect("it is there").mtime();
    let wanted = [("fifo", -190_288_396_800), ("file", 190_288_396_800)];
    let changed = wanted.into_iter().filter(|(name, seconds)| found(name) != *seconds).map(|(name, seconds)| {
        let found = found(name);
        format!(
            "metadata not set /tree/{name}: time: this file system has made {found} of {seconds} seconds since 1970"
        )
    });
    let times = told(&back.findings, std::path::Path::new("")).into_iter().filter(|line| line.contains("time"));
    assert_eq!(times.collect::<BTreeSet<_>>(), changed.collect());
}

/// Another name of the same file was taken for one that the file system folds to it.
#[test]
fn a_hard_link_is_no_collision_of_names() {
    let ground = Ground::on_disk();
    let tree = ground.tree();
    fs::create_dir(&tree).expect("a directory");
    fs::write(tree.join("file"), "as it was").expect("a file");
    let repository = repository();
    let (_, manifest) = take(&repository, &tree);
    fs::hard_link(tree.join("file"), tree.join("another")).expect("a link");
    let options = RestoreOptions { place: Place::Original, sync: false, ..RestoreOptions::default() };
    let back = lbak::restore(&repository, &manifest, std::path::Path::new("/"), &options).expect("a restore");
    // The tree is still there, so the names in it are taken.
    assert!(back.findings.iter().any(|finding| finding.path.ends_with(b"file")), "{:?}", back.findings);
    for finding in &back.findings {
        assert!(!finding.message.contains("another"), "{finding:?}");
    }
}
