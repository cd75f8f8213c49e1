//! A restore writes nowhere but to its target, because the kernel no longer lets it (Landlock).

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::ErrorKind,
    os::{fd::AsFd, unix::fs::symlink},
    process::Command,
    thread,
};

use lbak_cli::confining::Fence;
use lbak_testkit::not_run;

use crate::home::{Home, Run};

/// A home with two snapshots' worth of names of every kind, in more directories than one window has.
fn home() -> Home {
    let home = Home::with_repository();
    for number in 0..20 {
        home.write(&format!("data/many/{number}/file"), format!("file {number}").repeat(1000));
    }
    fs::hard_link(home.path("data/a"), home.path("data/sub/linked")).expect("a hard link");
    symlink("/etc", home.path("data/link")).expect("a link");
    home.snapshot();
    home
}

/// Runs the binary under `strace`; `None`, and a line that says so, where that can not be.
fn traced(home: &Home, strace: &[&str], arguments: &[&str]) -> Option<(Run, String)> {
    let restore = home.command(arguments);
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "0"]).args(strace).arg("-o").arg(home.path("trace"));
    command.arg(restore.get_program()).args(restore.get_args()).current_dir(home.path(""));
    command.env_clear().envs(restore.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().ok().filter(|run| !String::from_utf8_lossy(&run.stderr).contains("ptrace"));
    let Some(output) = output else {
        not_run("calls of the binary: strace is not there, or may not trace");
        return None;
    };
    Some((Run::of(&output), home.read("trace")))
}

/// A fence around a folder; `None`, and a line that says so, where the kernel has none.
fn fence(folder: &std::path::Path) -> Option<Fence> {
    let folder = File::open(folder).expect("a folder");
    let fence = Fence::around(&[folder.as_fd()]);
    fence.inspect_err(|why| not_run(format_args!("this kernel has no Landlock: {why}"))).ok()
}

#[test]
fn behind_the_fence_every_way_to_write_elsewhere_ends() {
    let home = Home::empty();
    home.write("inside/a/file", "inside");
    home.write("outside/file", "as it was");
    let Some(fence) = fence(&home.path("inside")) else { return };
    let (inside, outside) = (home.path("inside"), home.path("outside"));
    let kept_open = File::open(&outside).expect("a folder");
    // A thread and what it starts: the other tests go on unbound.
    let bound = thread::spawn(move || {
        fence.close().expect("it closes");
        let denied = [
            fs::write(outside.join("new"), "x"),
            fs::write(outside.join("file"), "x"),
            fs::OpenOptions::new().append(true).open(outside.join("file")).map(drop),
            fs::OpenOptions::new().write(true).open(outside.join("file")).and_then(|file| file.set_len(0)),
            fs::create_dir(outside.join("new")),
            fs::remove_file(outside.join("file")),
            symlink("/", outside.join("new")),
            fs::hard_link(inside.join("a/file"), outside.join("new")),
            fs::rename(inside.join("a/file"), outside.join("new")),
            fs::rename(outside.join("file"), inside.join("new")),
            rustix::fs::mkdirat(&kept_open, "new", rustix::fs::Mode::RWXU).map_err(Into::into),
            // What a link inside leads to is outside all the same.
            symlink(&outside, inside.join("way")).and_then(|()| fs::write(inside.join("way/new"), "x")),
            thread::spawn({
                let outside = outside.clone();
                move || fs::write(outside.join("new"), "x")
            })
            .join()
            .expect("it ends"),
        ];
        for (number, outcome) in denied.iter().enumerate() {
            let kind = outcome.as_ref().expect_err("it is outside").kind();
            // A name that would move to another folder is told as a move between file systems.
            assert!(matches!(kind, ErrorKind::PermissionDenied | ErrorKind::CrossesDevices), "{number}: {outcome:?}");
        }
        println!("behind the fence: {} ways to write elsewhere, each refused by the kernel", denied.len());

        assert_eq!(fs::read(outside.join("file")).expect("it can be read"), b"as it was");
        fs::create_dir(inside.join("b")).expect("a directory");
        fs::hard_link(inside.join("a/file"), inside.join("b/linked")).expect("a hard link between directories");
        fs::rename(inside.join("a/file"), inside.join("b/moved")).expect("a move between directories");
        fs::write(inside.join("b/moved"), "changed").expect("a file");
        fs::remove_file(inside.join("b/linked")).expect("removed");
    });
    bound.join().expect("nothing failed");
    assert_eq!(home.read("outside/file"), "as it was");
    assert_eq!(fs::read_dir(home.path("outside")).expect("a folder").count(), 1);
}

#[test]
fn every_thread_of_a_restore_is_behind_the_fence_before_it_writes() {
    let home = home();
    if fence(&home.path("")).is_none() {
        return;
    }
    let calls = "trace=landlock_restrict_self,clone,clone3,openat,mkdirat,linkat,symlinkat,renameat,renameat2,unlinkat";
    let restore = ["restore", "latest", "target", "--threads", "3", "-vv"];
    let Some((run, trace)) = traced(&home, &["-e", calls], &restore) else { return };
    run.expect_code(0).expect_stderr("the kernel lets lbak write nowhere else");

    let target = home.path("target").canonicalize().expect("it was made");
    let target = target.to_str().expect("text");
    // By thread: the line from which on it is bound, its own doing or that of whoever started it.
    let mut bound: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut closed, mut begun) = (0, BTreeMap::new());
    for (number, line) in trace.lines().enumerate() {
        let (thread, call) = line.split_once(' ').expect("a thread and its call");
        let is_start = call.trim_start().starts_with("clone");
        if is_start {
            begun.insert(thread, number);
        }
        if is_start || call.contains("<... clone") {
            let child = call.rsplit_once(" = ").map(|(_, child)| child.split(['<', ' ']).next().unwrap_or_default());
            let start = begun.get(thread).copied().unwrap_or(number);
            if let Some(child) = child.filter(|_| bound.get(thread).is_some_and(|&since| since < start)) {
                bound.insert(child, start);
            }
        }
        if call.contains("landlock_restrict_self") && call.ends_with("= 0") {
            closed += 1;
            bound.insert(thread, number);
        }
    }
    assert_eq!(closed, 4, "three workers and the thread that restores: {trace}");
    let mut written = 0;
    for (number, line) in trace.lines().enumerate() {
        let (thread, call) = line.split_once(' ').expect("a thread and its call");
        let is_inside = call.contains(&format!("<{target}>")) || call.contains(&format!("<{target}/"));
        let is_change = !call.contains("openat(") || call.contains("O_CREAT") || call.contains("O_WRONLY");
        let is_own_sign = call.contains(".lbak-restore-unfinished");
        if is_inside && is_change && !is_own_sign && !call.contains("clone") {
            assert!(bound.get(thread).is_some_and(|&since| since < number), "not bound: {line}");
            written += 1;
        }
    }
    assert!(written > 40, "20 directories and their files are made: {written}\n{trace}");
    println!(
        "a restore's threads: {closed} bound by themselves, {written} changes of the target, each by a bound thread"
    );
}

#[test]
fn a_kernel_without_a_fence_is_told_of_with_v_only() {
    let home = home();
    // Not there, turned off at the start of the system, and the first version, with which no hard link could be made.
    for (number, answer) in ["error=ENOSYS", "error=EOPNOTSUPP", "retval=1"].into_iter().enumerate() {
        let inject = format!("inject=landlock_create_ruleset:{answer}");
        let trace = ["-e", "trace=landlock_create_ruleset,landlock_restrict_self", "-e", &inject];
        for verbosity in ["--no-such-thing", "-v"] {
            let target = format!("target-{number}{verbosity}");
            let mut restore = vec!["restore", "latest", &target];
            restore.extend(Some(verbosity).filter(|option| *option == "-v"));
            let Some((run, trace)) = traced(&home, &trace, &restore) else { return };
            let run = run.expect_code(0);
            assert!(!trace.contains("landlock_restrict_self"), "{trace}");
            assert!(trace.contains("INJECTED"), "{trace}");
            assert_eq!(run.stderr.contains("Landlock"), verbosity == "-v", "{}", run.stderr);
            assert_eq!(fs::read(home.path(&target).join("sub/linked")).expect("it is there"), b"the first file");
        }
    }
}

#[test]
fn what_a_restore_keeps_for_itself_can_still_be_written() {
    // A long restore ends its session in the repository, and a repository below its target is written to like any other.
    let home = home();
    home.run(["restore", "latest", "target/", "--verify", "-vv"]).expect_code(0);
    home.run(["restore", "latest", "target", "--in-place", "--delete", "-vv"]).expect_code(0);
    home.run(["restore", "latest:/no/such", "other"]).expect_code(1);
    assert!(!home.path("other").exists());
    // Back to where it was goes anywhere; a command is fed, not confined: it writes what it likes.
    home.run(["restore", "latest", "--original", "--yes", "--in-place"]).expect_code(0);
    let words = ["restore", "latest:a", "--to-command", "--", "sh", "-c", "cat > fed"];
    home.run(words).expect_code(0);
    assert_eq!(home.read("fed"), "the first file");
}
