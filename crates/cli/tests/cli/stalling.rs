//! Sources that are slow, fail, vanish, or stop answering while they are read.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    fuse::{Conduct, Folder, Served},
    home::{Home, Run},
};

const MIB: u64 = 1 << 20;

/// Far more than anything here should take, on a machine that does ten other things.
const PATIENCE: Duration = Duration::from_secs(120);

fn served(size: u64, byte: u8, conduct: Conduct) -> Served {
    Served { size, byte, conduct }
}

/// A folder of these files in a home, and what is around it.
fn mounted<const N: usize>(home: &Home, files: [(&str, Served); N]) -> Option<Folder> {
    fs::create_dir(home.path("share")).expect("a folder");
    Folder::mount(&home.path("share"), files)
}

/// Runs until the folder does not answer any more.
fn begin(mut command: Command, folder: &Folder) -> Child {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    while !folder.is_stalled() {
        assert!(child.try_wait().expect("it is our child").is_none(), "it ended before it was stalled");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn signal(child: &Child, signal: Signal) {
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(process, signal).expect("it is our child");
}

/// Waits for the end; `meanwhile` is called now and then.
#[track_caller]
fn end_of(mut child: Child, meanwhile: impl Fn(&Child)) -> Run {
    let begun = Instant::now();
    while child.try_wait().expect("it is our child").is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("it is still there");
        }
        meanwhile(&child);
        std::thread::sleep(Duration::from_millis(100));
    }
    Run::of(&child.wait_with_output().expect("it has ended"))
}

/// Nothing was committed, nothing is wrong, and the next run does its work.
#[track_caller]
fn assert_nothing_happened(home: &Home) {
    assert_eq!(home.run(["snapshots", "-q"]).expect_code(0).stdout, "", "nothing was committed");
    home.run(["verify"]).expect_code(0);
    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["verify", "--read-data"]).expect_code(0);
}

#[test]
fn a_share_that_does_not_answer_does_not_keep_a_signal_from_ending_it() {
    // In the middle of a file, and before the first byte.
    for (from, number, code, told) in
        [(3 * MIB, Signal::INT, 130, "lbak: interrupted"), (0, Signal::TERM, 143, "lbak: terminated")]
    {
        let home = Home::with_repository();
        let files = [("a", served(9, b'a', Conduct::Sound)), ("b", served(64 * MIB, b'b', Conduct::Stalls { from }))];
        let Some(folder) = mounted(&home, files) else { return };
        let child = begin(home.command(["snapshot", "share", "data"]), &folder);
        signal(&child, number);
        let run = end_of(child, |_| {}).expect_code(code);
        run.expect_stderr(told).expect_stderr("hint: what was waited for does not answer");
        drop(folder);
        assert_nothing_happened(&home);
    }
}

#[test]
fn a_second_signal_ends_it_too() {
    let home = Home::with_repository();
    let files = [("a", served(64 * MIB, b'a', Conduct::Stalls { from: MIB }))];
    let Some(folder) = mounted(&home, files) else { return };
    let child = begin(home.command(["snapshot", "share"]), &folder);
    // Two that come together are one: it is said until it is heard.
    end_of(child, |child| signal(child, Signal::INT)).expect_code(130);
    drop(folder);
    assert_nothing_happened(&home);
}

#[test]
fn a_stream_from_what_does_not_answer_is_given_up_too() {
    let home = Home::with_repository();
    let files = [("dump", served(64 * MIB, b'd', Conduct::Stalls { from: 3 * MIB }))];
    let Some(folder) = mounted(&home, files) else { return };
    let mut command = home.command(["snapshot", "--stdin"]);
    command.stdin(fs::File::open(home.path("share/dump")).expect("it opens"));
    let child = begin(command, &folder);
    signal(&child, Signal::INT);
    end_of(child, |_| {}).expect_code(130).expect_stderr("lbak: interrupted");
    drop(folder);
    assert_nothing_happened(&home);
}

#[test]
fn a_stream_that_dies_commits_nothing() {
    const DEAD: i32 = 5;
    let home = Home::with_repository();
    let dies = |from| Conduct::Fails { from, errno: DEAD };
    let files = [("at-once", served(MIB, b'd', dies(0))), ("late", served(8 * MIB, b'd', dies(5 * MIB)))];
    let Some(folder) = mounted(&home, files) else { return };
    for name in ["share/at-once", "share/late"] {
        let mut command = home.command(["snapshot", "--stdin", "--stdin-name", "dump"]);
        command.stdin(fs::File::open(home.path(name)).expect("it opens"));
        let run = Run::of(&command.output().expect("it runs")).expect_code(1);
        run.expect_stderr("the stream /dump ").expect_stderr("Input/output error");
    }
    drop(folder);
    assert_nothing_happened(&home);
}

#[test]
fn what_can_not_be_read_is_told_and_the_rest_is_there() {
    let home = Home::with_repository();
    let fails = |from, errno| Conduct::Fails { from, errno };
    let files = [
        ("bad-at-once", served(MIB, b'x', fails(0, 5))),
        ("bad-in-the-middle", served(24 * MIB, b'x', fails(20 * MIB, 5))),
        ("gone-share", served(MIB, b'x', fails(0, 107))),
        ("slow", served(2 * MIB, b's', Conduct::Slow(Duration::from_millis(5)))),
        ("sound", served(3 * MIB, b'g', Conduct::Sound)),
        ("stale", served(MIB, b'x', fails(0, 116))),
        ("vanishing", served(MIB, b'v', Conduct::Vanishes)),
    ];
    let Some(folder) = mounted(&home, files) else { return };
    let run = home.run(["snapshot", "share", "--json"]).expect_code(3);
    let summary = run.message("summary");
    assert_eq!((&summary["complete"], &summary["files_unreadable"]), (&false.into(), &4.into()), "{summary}");
    let found: Vec<(String, String)> = run
        .messages()
        .iter()
        .filter(|message| message["message_type"] == "finding")
        .map(|finding| {
            let path = finding["item"].as_str().expect("a path").rsplit('/').next().expect("a name").to_owned();
            (path, finding["kind"].as_str().expect("a kind").to_owned())
        })
        .collect();
    let mut expected: Vec<(String, String)> = ["bad-at-once", "bad-in-the-middle", "gone-share", "stale"]
        .map(|name| (name.to_owned(), "unreadable".to_owned()))
        .to_vec();
    expected.push(("vanishing".to_owned(), "vanished".to_owned()));
    let mut sorted = found;
    sorted.sort();
    assert_eq!(sorted, expected, "{run:#?}");

    home.run(["restore", "latest", "out"]).expect_code(0);
    for (name, size, byte) in [("slow", 2 * MIB, b's'), ("sound", 3 * MIB, b'g')] {
        let content = fs::read(home.path(&format!("out/{name}"))).expect("it was read");
        assert!(content.len() as u64 == size && content.iter().all(|&found| found == byte), "{name}");
    }
    assert_eq!(fs::read_dir(home.path("out")).expect("the folder").count(), 2, "what was not read is not there");
    drop(folder);
    home.run(["verify", "--read-data"]).expect_code(0);
}

/// Nobody is to blame for a file that was removed meanwhile.
#[test]
fn what_vanishes_between_listing_and_opening_is_told_and_no_failure() {
    let home = Home::with_repository();
    let files = [("kept", served(9, b'k', Conduct::Sound)), ("vanishing", served(9, b'v', Conduct::Vanishes))];
    let Some(folder) = mounted(&home, files) else { return };
    let run = home.run(["snapshot", "share"]).expect_code(0);
    assert!([&run.stdout, &run.stderr].iter().any(|text| text.contains("1 vanished")), "{run:#?}");
    drop(folder);
}
