//! Ctrl-C, termination and a closed terminal in the middle of a snapshot: the right exit code, and what was stored is used by the next run.

use std::{
    fs::File,
    io::{BufWriter, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};

use lbak_testkit::not_run;
use rustix::process::{Pid, Signal, kill_process};

use crate::home::{Home, Run};

const BYTES: u64 = 300 << 20;

/// Begins a snapshot by way of a shell that does something about signals first.
fn begin_after(home: &Home, first: &str) -> Child {
    let script = format!("{first} exec '{}' snapshot data --threads 1", env!("CARGO_BIN_EXE_lbak"));
    let lbak = home.command::<_, &str>([]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &script]).current_dir(home.path("")).env_clear();
    shell.envs(lbak.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wait_for_pack(home, shell)
}

/// A home with a large file that compresses badly, and every chunk of it is different.
fn home_with_large_file() -> Home {
    let home = Home::with_repository();
    let mut file = BufWriter::with_capacity(1 << 20, File::create(home.path("data/large")).expect("a file"));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..BYTES / 8 {
        // SplitMix64: quick, and without structure that a compressor could find.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        file.write_all(&(mixed ^ (mixed >> 31)).to_le_bytes()).expect("it is written");
    }
    file.flush().expect("it is written");
    home
}

/// Begins a snapshot and returns when the first pack is stored.
fn begin(home: &Home) -> Child {
    wait_for_pack(home, home.command(["snapshot", "data", "--threads", "1"]))
}

fn wait_for_pack(home: &Home, mut command: Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    while home.objects("packs").is_empty() {
        assert!(child.try_wait().expect("it is our child").is_none(), "it ended before it stored anything");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

fn signal(child: &Child, signal: Signal) {
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(process, signal).expect("it is our child");
}

#[test]
fn an_interrupted_snapshot_is_130_and_the_next_one_stores_less() {
    let home = home_with_large_file();
    let child = begin(&home);
    signal(&child, Signal::INT);
    let run = Run::of(&child.wait_with_output().expect("it ends")).expect_code(130);
    assert!(run.stderr.contains("lbak: interrupted\nhint: nothing was committed; what was stored"), "{run:?}");
    assert_eq!(home.run(["snapshots", "-q"]).expect_code(0).stdout, "", "nothing was committed");

    let summary = home.run(["snapshot", "data", "--json"]).expect_code(0).message("summary");
    let (new, all) = (summary["data_added"].as_u64(), summary["total_bytes_processed"].as_u64());
    assert!(new < all.map(|all| all - (8 << 20)), "{summary}");
}

#[test]
fn a_terminated_snapshot_is_143() {
    let home = home_with_large_file();
    let child = begin(&home);
    signal(&child, Signal::TERM);
    Run::of(&child.wait_with_output().expect("it ends")).expect_code(143).expect_stderr("lbak: terminated");
}

#[test]
fn a_snapshot_whose_terminal_is_closed_is_129_and_the_next_one_stores_less() {
    if is_hang_up_ignored() {
        return not_run("these tests run under `nohup`, or there is no /proc to tell");
    }
    let home = home_with_large_file();
    let child = begin(&home);
    // A terminal says it twice.
    signal(&child, Signal::HUP);
    signal(&child, Signal::HUP);
    Run::of(&child.wait_with_output().expect("it ends"))
        .expect_code(129)
        .expect_stderr("lbak: the terminal was closed");
    assert_eq!(home.run(["snapshots", "-q"]).expect_code(0).stdout, "", "nothing was committed");

    let summary = home.run(["snapshot", "data", "--json"]).expect_code(0).message("summary");
    let (new, all) = (summary["data_added"].as_u64(), summary["total_bytes_processed"].as_u64());
    assert!(new < all.map(|all| all - (8 << 20)), "{summary}");
}

#[test]
fn a_snapshot_that_was_started_to_outlive_its_terminal_does() {
    let home = home_with_large_file();
    let child = begin_after(&home, "trap '' HUP;");
    signal(&child, Signal::HUP);
    Run::of(&child.wait_with_output().expect("it ends")).expect_code(0);
}

/// These tests may themselves run under `nohup`, which every child inherits.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("1");
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1)
}
