//! What a snapshot left out is never taken for gone: `restore --in-place --delete` leaves it alone, and the repository above all.

use super::*;

const REPOSITORY: &str = ".local/share/lbak/repository";

fn restore(home: &Home, options: &[&str]) -> Run {
    home.run(["restore", "latest", ".", "--in-place", "--delete"].iter().chain(options))
}

#[test]
fn the_default_repository_in_the_home_outlives_a_restore_of_the_home() {
    let home = Home::empty();
    home.write("data/a", "the first file");
    home.write(".local/share/other/x", "x");
    home.run(["snapshot", "."]).expect_code(0);
    for new in ["data/new", ".local/new", ".local/share/lbak/beside"] {
        home.write(new, "made since");
    }
    for options in [&["--dry-run", "-v"][..], &[]] {
        let run = restore(&home, options).expect_code(0);
        assert!(!run.stdout.contains(REPOSITORY), "{run:?}");
    }
    assert!(!home.path("data/new").exists() && !home.path(".local/new").exists());
    assert!(home.path(".local/share/lbak/beside").exists(), "what was left out beside the repository is not known");
    home.run(["verify", "--read-data"]).expect_code(0);
    // Whoever insists gets the directory cleaned, and not of the repository.
    let run = restore(&home, &["--delete-unread"]).expect_code(0);
    run.expect_stderr("it belongs to the repository: nothing is deleted in it");
    assert!(!home.path(".local/share/lbak/beside").exists());
    home.run(["verify", "--read-data"]).expect_code(0);
}

/// The snapshot knows nothing of a repository that was somewhere else when it was taken.
#[test]
fn a_repository_that_was_moved_into_the_target_is_not_deleted() {
    let home = Home::with_repository();
    home.run(["snapshot", "data"]).expect_code(0);
    fs::create_dir(home.path("data/deep")).expect("a folder");
    fs::rename(home.path("repository"), home.path("data/deep/moved")).expect("rename");
    let restore = ["restore", "latest", "data", "--in-place", "--delete", "-r", "data/deep/moved"];
    home.write("data/deep/other", "not of the snapshot");
    let run = home.run(restore).expect_code(0).expect_stderr("it belongs to the repository");
    assert!(run.stdout.contains("1 deleted"), "{run:?}");
    home.run(["verify", "-r", "data/deep/moved", "--read-data"]).expect_code(0);
    // In the place of a directory of the snapshot.
    fs::rename(home.path("data/deep/moved"), home.path("moved")).expect("rename");
    fs::remove_dir_all(home.path("data/sub")).expect("remove");
    fs::rename(home.path("moved"), home.path("data/sub")).expect("rename");
    let restore = ["restore", "latest", "data", "--in-place", "--delete", "-r", "data/sub"];
    let run =
        home.run(restore).expect_code(3).expect_stderr("it belongs to the repository: nothing is restored into it");
    assert!(!home.path("data/sub/b").exists(), "{run:?}");
    home.run(["verify", "-r", "data/sub", "--read-data"]).expect_code(0);
}

#[test]
fn what_any_option_left_out_is_not_deleted() {
    for (options, kept) in [
        (&["-e", "secret"][..], "data/marked/secret"),
        (&["--iexclude", "C.tmp"], "data/sub/c.TMP"),
        (&["-e", "sub"], "data/sub/deep/d.tmp"),
        (&["--include", "large"], "data/sub/deep/d.tmp"),
        (&["--exclude-caches"], "data/cache/cached"),
        (&["--exclude-if-present", ".skip"], "data/marked/secret"),
        (&["--exclude-larger-than", "4K"], "data/large"),
    ] {
        let home = home();
        home.run(["snapshot", "data"].iter().chain(options)).expect_code(0);
        let before = home.read(kept);
        let restore = ["restore", "latest", "data", "--in-place", "--delete"];
        home.run(restore).expect_code(0);
        assert_eq!(home.read(kept), before, "{options:?}");
        // A later snapshot without the option knows everything again.
        home.snapshot();
        let unknown = format!("{kept}.new");
        home.write(&unknown, "new");
        home.run(restore).expect_code(0);
        assert!(!home.path(&unknown).exists() && home.path(kept).exists(), "{options:?}");
    }
}
