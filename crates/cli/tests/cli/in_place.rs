//! Restore into what is there, and what else can be said about a restore.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    process::{Command, Stdio},
    time::Duration,
};

use lbak_testkit::not_run;

use crate::home::{Home, Run};

/// A home with a snapshot of `data`.
fn home() -> Home {
    let home = Home::with_repository();
    home.write("data/sub/c.log", "a log");
    home.snapshot();
    home
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a_target_that_holds_something_wants_in_place() {
    let home = home();
    home.run(["restore", "latest", "out"]).expect_code(0);
    home.write("out/a", "changed");
    home.write("out/mine", "mine");
    home.run(["restore", "latest", "out"]).expect_code(2).expect_stderr("is not empty").expect_stderr("--in-place");
    let run = home.run(["restore", "latest", "out", "--in-place"]).expect_code(0);
    // The directory that got a file more has another time than the snapshot's, too.
    assert!(run.stdout.contains("0 created, 2 updated, 3 unchanged, 0 deleted"), "{run:?}");
    assert_eq!((home.read("out/a"), home.read("out/mine")), ("the first file".into(), "mine".into()));
}

#[test]
fn overwrite_says_which_files_change() {
    let home = home();
    home.run(["restore", "latest", "out"]).expect_code(0);
    for (which, is_changed) in [("never", false), ("if-newer", false), ("if-changed", true), ("always", true)] {
        home.write("out/a", "changed since");
        home.run(["restore", "latest", "out", "--overwrite", which]).expect_code(0);
        assert_eq!(home.read("out/a") == "the first file", is_changed, "{which}");
    }
    home.run(["restore", "latest", "out", "--overwrite", "sometimes"]).expect_code(2);
}

#[test]
fn delete_is_shown_by_a_dry_run_first() {
    let home = home();
    home.run(["restore", "latest", "out"]).expect_code(0);
    home.write("out/extra/deep", "extra");
    home.write("out/a", "changed");
    let shown = home.run(["restore", "latest", "out", "--delete", "--dry-run", "-v"]).expect_code(0);
    for line in ["update out/a", "keep   out/sub/b", "delete out/extra/deep", "delete out/extra"] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "{line:?}: {shown:#?}");
    }
    assert!(home.path("out/extra/deep").exists());

    let run = home.run(["restore", "latest", "out", "--delete", "--json", "-v"]).expect_code(0);
    let messages = run.messages();
    let data = home.text("data");
    let action = |path: &str| {
        let path = format!("{data}/{path}");
        let found =
            messages.iter().find(|message| message["message_type"] == "path" && message["path"] == path.as_str());
        found.and_then(|message| message["action"].as_str()).map(str::to_owned)
    };
    assert_eq!(action("extra/deep").as_deref(), Some("delete"));
    assert_eq!(action("a").as_deref(), Some("update"));
    assert_eq!(action("sub").as_deref(), Some("keep"));
    let summary = run.message("summary");
    assert_eq!(summary["entries_deleted"], 2, "{summary}");
    assert_eq!((&summary["entries_updated"], &summary["bytes_written"]), (&2.into(), &14.into()));
    assert!(!home.path("out/extra").exists());
}

#[test]
fn delete_wants_a_complete_snapshot_or_to_be_told() {
    let home = home();
    home.commit_like_newest(|manifest| {
        manifest.id.0[0] ^= 1;
        manifest.ended_at.seconds += 1;
        manifest.is_complete = false;
    });
    home.run(["restore", "latest", "out"]).expect_code(0);
    home.write("out/extra", "extra");
    home.run(["restore", "latest", "out", "--delete"]).expect_code(2).expect_stderr("incomplete");
    assert!(home.path("out/extra").exists());
    home.run(["restore", "latest", "out", "--delete", "--delete-unread"]).expect_code(0);
    assert!(!home.path("out/extra").exists());
    home.run(["restore", "latest", "out", "--delete-unread"]).expect_code(2);
}

#[test]
fn patterns_choose_what_is_restored() {
    let home = home();
    home.write("patterns", "# a comment\n*.log\n");
    let restored = |options: &[&str]| {
        let arguments = ["restore", "latest", "out"].iter().chain(options);
        home.run(arguments).expect_code(0);
        let is_there = ["a", "sub/b", "sub/c.log"].map(|path| home.path("out").join(path).exists());
        fs::remove_dir_all(home.path("out")).expect("it is there");
        is_there
    };
    let inside = home.text("data/sub");
    assert_eq!(restored(&["--exclude", "*.log"]), [true, true, false]);
    assert_eq!(restored(&["-e", "sub/*", "-e", "!b"]), [true, true, false]);
    assert_eq!(restored(&["--iexclude", "*.LOG"]), [true, true, false]);
    assert_eq!(restored(&["--exclude-file", "patterns"]), [true, true, false]);
    assert_eq!(restored(&["--exclude-file", "patterns", "--exclude", "!*.log"]), [true, true, true]);
    assert_eq!(restored(&["--iexclude-file", "patterns"]), [true, true, false]);
    assert_eq!(restored(&["--include", "*.log"]), [false, false, true]);
    assert_eq!(restored(&["-i", &inside]), [false, true, true]);
    assert_eq!(restored(&["--iinclude", "*.LOG"]), [false, false, true]);
    assert_eq!(restored(&["--include-file", "patterns"]), [false, false, true]);
    assert_eq!(restored(&["--iinclude-file", "patterns", "-e", "c.log"]), [false, false, false]);
    home.run(["restore", "latest", "out", "--exclude", "[a"]).expect_code(2).expect_stderr("[a");
    home.run(["restore", "latest", "out", "--exclude", "# a"]).expect_code(2).expect_stderr("comment");
    home.write("nothing", "# only a comment\n");
    home.run(["restore", "latest", "out", "--include-file", "nothing"]).expect_code(2).expect_stderr("no pattern");
}

#[test]
fn owners_are_given_as_asked() {
    let home = Home::with_repository();
    if !is_root() {
        return not_run("only root can give files away");
    }
    std::os::unix::fs::chown(home.path("data/a"), Some(4242), Some(4242)).expect("chown");
    home.snapshot();
    for (by, uid) in [("number", 4242), ("name", 4242), ("none", 0)] {
        home.run(["restore", "latest", by, "--owner", by]).expect_code(0);
        assert_eq!(fs::metadata(home.path(by).join("a")).expect("it is there").uid(), uid, "{by}");
    }
}

#[test]
fn attributes_are_set_as_asked() {
    let home = Home::with_repository();
    let set = |name: &str| rustix::fs::setxattr(home.path("data/a"), name, b"value", rustix::fs::XattrFlags::empty());
    if set("user.one").and_then(|()| set("user.two")).is_err() {
        return not_run("the temporary directory has no extended attributes");
    }
    home.snapshot();
    let has = |target: &str, name: &str| rustix::fs::getxattr_query(home.path(target).join("a"), name).is_ok();
    home.run(["restore", "latest", "without", "--exclude-xattr", "user.t*"]).expect_code(0);
    assert_eq!((has("without", "user.one"), has("without", "user.two")), (true, false));
    home.run(["restore", "latest", "only", "--include-xattr", "user.two"]).expect_code(0);
    assert_eq!((has("only", "user.one"), has("only", "user.two")), (false, true));
}

#[test]
fn verify_reads_back() {
    let home = home();
    let run = home.run(["restore", "latest", "out", "--verify"]).expect_code(0);
    assert!(run.stdout.contains("read back: 3 files are as in the snapshot"), "{run:?}");
    // The same size and time, and another content: trusted, until somebody looks.
    let modified = fs::metadata(home.path("out/a")).and_then(|found| found.modified()).expect("time");
    home.write("out/a", "the fist filer");
    fs::File::options()
        .append(true)
        .open(home.path("out/a"))
        .and_then(|file| file.set_modified(modified))
        .expect("time");
    let run = home.run(["restore", "latest", "out", "--in-place", "--verify", "--json"]).expect_code(3);
    assert_eq!(run.message("summary")["files_verified"], 2);
    assert_eq!(run.message("finding")["kind"], "unwritable");
    home.run(["restore", "latest", "out", "--overwrite", "always", "--verify"]).expect_code(0);
    assert_eq!(home.read("out/a"), "the first file");
}

#[test]
fn target_can_be_an_option() {
    let home = home();
    home.run(["restore", "latest", "--target", "out"]).expect_code(0);
    assert_eq!(home.read("out/a"), "the first file");
    home.run(["restore", "latest", "out", "--target", "out"]).expect_code(2);
    home.run(["restore", "latest"]).expect_code(2);
    home.run(["restore", "latest", "--target", "/", "--in-place"]).expect_code(2).expect_stderr("refusing");
}

#[test]
fn a_link_in_the_target_is_not_followed() {
    let home = home();
    home.write("elsewhere/b", "mine");
    fs::create_dir(home.path("out")).expect("a directory");
    symlink(home.path("elsewhere"), home.path("out/sub")).expect("a link");
    home.run(["restore", "latest", "out", "--in-place", "--delete"]).expect_code(0);
    assert_eq!((home.read("elsewhere/b"), home.read("out/sub/b")), ("mine".into(), "the second file".into()));
}

#[test]
fn a_restore_that_is_killed_again_and_again_comes_to_its_end() {
    let home = Home::with_repository();
    let mut state = 1u64;
    for file in 0..40 {
        // Without structure that a compressor could find.
        let bytes: Vec<u8> = (0..400_000u32)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        home.write(&format!("data/many/{file}"), bytes);
    }
    let large: Vec<u8> = home_bytes(&home);
    home.write("data/large", large);
    home.snapshot();
    let mut killed = 0;
    for milliseconds in [5, 15, 30, 60, 90, 130, 170, 220, 280, 350] {
        let mut child = home
            .command(["restore", "latest", "out", "--in-place", "--threads", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        std::thread::sleep(Duration::from_millis(milliseconds));
        killed += usize::from(child.try_wait().expect("it is our child").is_none());
        child.kill().expect("it is our child");
        child.wait().expect("it ends");
        // Whatever has its name is whole.
        for name in ["large", "a", "many/0", "many/39"] {
            if let Ok(found) = fs::read(home.path("out").join(name)) {
                assert!(found == fs::read(home.path("data").join(name)).expect("it is there"), "{name}");
            }
        }
    }
    assert!(killed > 0, "every run was quicker than its end");
    let run = home.run(["restore", "latest", "out", "--in-place", "--verify"]).expect_code(0);
    assert!(run.stdout.contains("read back: 43 files"), "{run:?}");
    let differences =
        Command::new("diff").arg("-r").arg(home.path("data")).arg(home.path("out")).output().expect("diff");
    assert!(differences.status.success(), "{:?}", Run::of(&differences));
    let left: Vec<_> = fs::read_dir(home.path("out"))
        .expect("it is there")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with(".lbak"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// More than a restore would throw away when it is interrupted.
fn home_bytes(home: &Home) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(80 << 20);
    let one = fs::read(home.path("data/many/0")).expect("it is there");
    let mut round = 0u8;
    while bytes.len() < 72 << 20 {
        bytes.extend(one.iter().map(|byte| byte ^ round));
        round = round.wrapping_add(1);
    }
    bytes
}
