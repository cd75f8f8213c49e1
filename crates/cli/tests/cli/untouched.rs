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

/// The key file lay in the target, and was deleted as something that the snapshot does not have.
#[test]
fn the_key_and_password_files_stay() {
    for (variable, file) in [("LBAK_KEY_FILE", "data/key"), ("LBAK_PASSWORD_FILE", "data/password")] {
        let home = Home::empty().with("LBAK_REPOSITORY", "repository").with(variable, file);
        home.write("data/a", "the first file");
        if variable == "LBAK_PASSWORD_FILE" {
            home.write(file, "a password");
        }
        home.run(["init"]).expect_code(0);
        if variable == "LBAK_PASSWORD_FILE" {
            // The snapshot has another one under its name.
            let right = home.read(file);
            home.write(file, "another, longer password");
            let other = home.path("right");
            fs::write(&other, &right).expect("a file");
            home.run(["snapshot", "data", "--password-file", "right"]).expect_code(0);
            home.write(file, &right);
        } else {
            let key = home.read(file);
            fs::rename(home.path(file), home.path("right")).expect("rename");
            home.run(["snapshot", "data", "--key-file", "right"]).expect_code(0);
            fs::write(home.path(file), key).expect("a file");
        }
        let before = home.read(file);
        home.write("data/extra", "extra");
        for options in [&["--delete", "--dry-run"][..], &["--delete", "--overwrite", "always"]] {
            let run = home.run(["restore", "latest", "data"].iter().chain(options)).expect_code(0);
            run.expect_stderr(&home.text(file)).expect_stderr("key or password file");
            assert_eq!(home.read(file), before, "{variable}");
        }
        assert!(!home.path("data/extra").exists());
        home.run(["verify", "--read-data"]).expect_code(0);
    }
}
