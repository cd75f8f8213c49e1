//! What no restore touches: the repository that it reads.

use std::{fs, os::unix::fs::symlink};

use crate::home::Home;

#[test]
fn a_restore_into_the_repository_is_refused() {
    let home = Home::with_repository();
    home.snapshot();
    symlink(home.path("repository/packs"), home.path("link")).expect("a link");
    let shelf =
        fs::read_dir(home.path("repository/packs")).expect("a folder").next().expect("a shelf").expect("a name");
    let shelf = format!("repository/packs/{}", shelf.file_name().to_str().expect("text"));
    for target in ["repository", "repository/packs", &shelf, "repository/index", "repository/new", "link", "link/new"] {
        for options in [&["--delete"][..], &["--in-place"], &[], &["--delete", "--dry-run"]] {
            let run = home.run(["restore", "latest", target].iter().chain(options)).expect_code(2);
            run.expect_stderr("is, or lies in, the repository: nothing was restored");
        }
    }
    for file in ["repository/file", "repository/packs/file", "link/file"] {
        home.run(["dump", "latest:a", "-o", file]).expect_code(2).expect_stderr("lies in the repository");
        assert!(!home.path(file).exists());
    }
    assert!(!home.path("repository/new").exists());
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["restore", "latest", "out", "--delete"]).expect_code(0);
}
