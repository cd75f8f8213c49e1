//! How a tree is read: what makes `snapshot` read a file again, and what it says of what it can not read.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use lbak_testkit::not_run;
use serde_json::Value;

use crate::home::{Home, Run};

/// The summary of a snapshot of `data`.
fn summary(home: &Home, options: &[&str]) -> Value {
    let arguments = ["snapshot", "data", "--json"].iter().chain(options);
    home.run(arguments).expect_code(0).message("summary")
}

/// How many files had changed, and how many looked as they did. Tests have no minute to wait: all are read again.
fn seen(summary: &Value) -> (u64, u64) {
    let count = |name: &str| summary[name].as_u64().expect("a number");
    (count("files_changed"), count("files_read_again") + count("files_unmodified"))
}

#[test]
fn a_changed_ctime_is_ignored_on_request() {
    let home = Home::with_repository();
    home.snapshot();
    let touch = |mode| fs::set_permissions(home.path("data/a"), fs::Permissions::from_mode(mode)).expect("chmod");
    touch(0o640);
    assert_eq!(seen(&summary(&home, &["--ignore-ctime"])), (0, 2));
    touch(0o600);
    assert_eq!(seen(&summary(&home, &[])), (1, 1));
    home.write("data/a", "changed and longer");
    assert_eq!(seen(&summary(&home, &["--ignore-ctime"])), (1, 1));
}

#[test]
fn another_inode_is_ignored_on_request() {
    let home = Home::with_repository();
    home.snapshot();
    // As a file looks after the server has numbered its files anew.
    let replace = || {
        let (path, other) = (home.path("data/a"), home.path("data/new"));
        fs::write(&other, home.read("data/a")).expect("write");
        let time = fs::metadata(&path).expect("stat").modified().expect("a time");
        fs::File::options().write(true).open(&other).expect("open").set_modified(time).expect("touch");
        fs::rename(&other, &path).expect("rename");
    };
    replace();
    assert_eq!(seen(&summary(&home, &["--ignore-inode"])), (0, 2));
    replace();
    assert_eq!(seen(&summary(&home, &["--ignore-ctime"])), (1, 1));
    replace();
    assert_eq!(seen(&summary(&home, &[])), (1, 1));
}

/// Whoever runs the tests is not root here: root reads everything.
fn run_as_somebody(home: &Home, arguments: &[&str]) -> Run {
    const SOMEBODY: u32 = 65_534;
    fn give(path: &Path) {
        chown(path, Some(SOMEBODY), Some(SOMEBODY)).expect("chown");
        if path.is_dir() && !path.is_symlink() {
            fs::read_dir(path).expect("list").for_each(|entry| give(&entry.expect("an entry").path()));
        }
    }
    let mut command = home.command(arguments);
    if rustix::process::geteuid().is_root() {
        give(&home.path(""));
        command.uid(SOMEBODY).gid(SOMEBODY);
    }
    Run::of(&command.output().expect("the binary runs"))
}

#[test]
fn what_may_not_be_read_is_named_and_the_rest_is_kept() {
    let home = Home::with_repository();
    home.write("data/closed/inside", "not to be seen");
    home.write("data/secret", "not to be read");
    for (path, mode) in [("data/closed", 0o000), ("data/secret", 0o200)] {
        fs::set_permissions(home.path(path), fs::Permissions::from_mode(mode)).expect("chmod");
    }
    let run = run_as_somebody(&home, &["snapshot", "data", "--json"]);
    fs::set_permissions(home.path("data/closed"), fs::Permissions::from_mode(0o700)).expect("chmod");
    let run = run.expect_code(3);
    let findings = run.messages().into_iter().filter(|message| message["message_type"] == "finding");
    let mut named: Vec<(String, String)> = findings
        .map(|finding| {
            let text = |field: &str| finding[field].as_str().expect("text").to_owned();
            (text("item").rsplit('/').next().expect("a name").to_owned(), text("kind"))
        })
        .collect();
    named.sort();
    let expected = [("closed", "unreadable"), ("secret", "unreadable")];
    assert!(named.iter().map(|(path, kind)| (path.as_str(), kind.as_str())).eq(expected), "{run:#?}");
    let listed = home.run(["ls", "-R", "latest"]).expect_code(0).stdout;
    // A directory stands empty, so that what is restored into it has its place; a file without content is none.
    assert!(listed.contains("closed") && listed.contains("/sub/b") && !listed.contains("secret"), "{listed}");
}

#[test]
fn a_mount_that_shows_the_tree_below_itself_is_told_and_left_out() {
    let home = Home::with_repository();
    let lbak = home.command(["snapshot", "data", "--json"]);
    let script = "mount --bind data data/sub || exit 99; exec \"$0\" \"$@\"";
    let options: &[&str] = if rustix::process::geteuid().is_root() { &["-m"] } else { &["-r", "-m"] };
    let mut command = Command::new("unshare");
    command.args(options).args(["sh", "-c", script]).arg(lbak.get_program()).args(lbak.get_args());
    command.current_dir(home.path("")).env_clear();
    command.envs(lbak.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = match command.output() {
        Ok(output) if output.status.code() != Some(99) && !output.stderr.starts_with(b"unshare") => Run::of(&output),
        other => return not_run(format_args!("nothing can be mounted here: {other:?}")),
    };
    let run = run.expect_code(0);
    let finding = run.message("finding");
    assert_eq!(finding["kind"], "skipped");
    assert!(finding["item"].as_str().is_some_and(|path| path.ends_with("/data/sub")), "{finding}");
    assert!(finding["message"].as_str().is_some_and(|what| what.ends_with("/data here once more")), "{finding}");
}

#[test]
fn files_of_the_running_system_are_taken_as_far_as_they_go() {
    let home = Home::with_repository();
    if !Path::new("/proc/self/limits").exists() {
        return not_run("there is no /proc here");
    }
    let paths = ["/proc/self/limits", "/proc/self/mounts", "/proc/version"];
    home.run(["snapshot"].iter().chain(&paths)).expect_code(0);
    let listed = home.run(["ls", "latest", "--json"]).expect_code(0);
    let files: Vec<Value> = listed.messages().into_iter().filter(|message| message["type"] == "file").collect();
    assert_eq!(files.len(), 3, "{listed:#?}");
    assert!(files.iter().all(|file| file["size"].as_u64().is_some_and(|size| size > 0)));
    // The memory of the system, which says that it has 128 TiB.
    match fs::File::open("/proc/kcore") {
        Ok(_) => {
            let run = home.run(["snapshot", "/proc/kcore", "--json"]).expect_code(3);
            let finding = run.message("finding");
            assert!(finding["message"].as_str().is_some_and(|what| what.contains("gives no end")), "{finding}");
        }
        Err(error) => not_run(format_args!("/proc/kcore: {error}")),
    }
}
