//! A repository that root and its owner both use.

use std::os::unix::{
    fs::{MetadataExt, PermissionsExt, chown},
    process::CommandExt,
};

use lbak_testkit::not_run;

use crate::home::{Home, Run};

/// Nobody: the number is the same everywhere.
const USER: u32 = 65534;

#[test]
fn what_root_stores_can_be_read_by_the_owner_of_the_folder() {
    if !rustix::process::getuid().is_root() {
        return not_run("only root can store in the folder of somebody else");
    }
    let home = Home::empty().with("LBAK_REPOSITORY", "repository").with("LBAK_KEY_FILE", "key");
    home.write("data/a", "a");
    std::fs::create_dir(home.path("repository")).expect("a folder");
    chown(home.path("repository"), Some(USER), Some(USER)).expect("root may");
    // Made by root and stored by root, in a folder of his.
    home.run(["init"]).expect_code(0);
    home.run(["snapshot", "data"]).expect_code(0);
    for path in ["", "data", "data/a", "key"] {
        chown(home.path(path), Some(USER), Some(USER)).expect("root may");
    }
    let as_user = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        Run::of(&command.uid(USER).gid(USER).output().expect("the binary runs"))
    };
    as_user(&["verify", "--read-data"]).expect_code(0);
    as_user(&["snapshot", "data"]).expect_code(0);
    home.run(["snapshot", "data", "--lineage", "full"]).expect_code(0);
    as_user(&["verify", "--read-data"]).expect_code(0);
    as_user(&["restore", "latest", "out"]).expect_code(0);
    for folder in ["packs", "index", "keys", "sessions", "snapshots"] {
        let objects = home.objects(folder);
        assert!(!objects.is_empty());
        for object in objects {
            let metadata = object.metadata().expect("it is there");
            assert_eq!((metadata.uid(), metadata.gid()), (USER, USER), "{}", object.display());
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "and by nobody else");
            assert_eq!(
                object.parent().and_then(|folder| folder.metadata().ok()).map(|folder| folder.uid()),
                Some(USER)
            );
        }
    }
}

#[test]
fn what_belongs_to_another_is_told_with_who_may_read_it() {
    if !rustix::process::getuid().is_root() {
        return not_run("only root can make what another may not read");
    }
    let home = Home::with_repository();
    home.snapshot();
    for path in ["", "repository", "key"] {
        chown(home.path(path), Some(USER), Some(USER)).expect("root may");
    }
    let mut command = home.command(["snapshots"]);
    let run = Run::of(&command.uid(USER).gid(USER).output().expect("the binary runs")).expect_code(1);
    run.expect_stderr("ermission denied").expect_stderr("for the owner of its folder, and for root");
}
