//! Commands that behave, and all the ways in which others do not.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::{
    not_run::not_run,
    source::{Portion, SourceFile},
};

const SECOND: Duration = Duration::from_secs(1);

/// A limit that is never reached while the machine does anything at all.
const LONG: Duration = Duration::from_secs(120);

fn shell(script: &str) -> CommandSource {
    CommandSource::new("out", ["sh", "-c", script]).expect("a name and words")
}

fn open(source: &CommandSource) -> Result<Box<dyn SourceFile>, SourceError> {
    let roots = source.roots()?;
    let found = roots.entries()?.next().expect("one name").expect("it is there");
    assert_eq!((found.name.as_slice(), found.metadata.size), (source.path(), 0));
    roots.file(&found.name, &found.metadata)
}

/// Reads to the end or the first error, as the capture does.
fn read(source: &CommandSource) -> Result<Vec<u8>, SourceError> {
    let mut file = open(source)?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match file.read(&mut buffer)? {
            Portion::Data(length) => bytes.extend_from_slice(&buffer[..length]),
            Portion::End => return Ok(bytes),
            Portion::Hole(_) => panic!("a stream has no holes"),
        }
    }
}

/// Runs a command that must fail; what it says is in the error.
#[track_caller]
fn failure_of(source: &CommandSource) -> (OutputFailure, String) {
    assert!(read(source).is_err(), "the end of the file is not shown");
    match source.finish() {
        Err(Error::Command { failure, said, .. }) => (failure, said),
        other => panic!("it failed: {other:?}"),
    }
}

/// Tells whether the process whose number a command has written into a file is still there, and not only unburied.
fn is_alive(file: &Path) -> bool {
    let number = std::fs::read_to_string(file).expect("it was written");
    let status = std::fs::read_to_string(format!("/proc/{}/stat", number.trim())).unwrap_or_default();
    let state = status.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

#[track_caller]
fn assert_dies(file: &Path) {
    if !Path::new("/proc/self/stat").exists() {
        return not_run("whether a process is gone is seen in /proc, which is not mounted here");
    }
    for _ in 0..1000 {
        if !is_alive(file) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} is still there", file.display());
}

#[test]
fn output_comes_whole_and_the_words_are_recorded_as_they_were() {
    let words: Vec<OsString> = ["printf", "%s|", "a b", "$HOME", ""].iter().map(OsString::from).collect();
    let strange = OsString::from_vec(b"gr\xfcn\n".to_vec());
    let source = CommandSource::new("/pg/db one", words.into_iter().chain([strange])).expect("words");
    assert_eq!(source.path(), b"/pg/db one");
    assert!(matches!(source.finish(), Err(Error::Command { failure: OutputFailure::GivenUp, .. })), "not yet read");
    assert_eq!(read(&source).expect("it ends well"), b"a b|$HOME||gr\xfcn\n|");
    let SourceOutcome::Ran { words, status } = source.finish().expect("it ended well") else { panic!("it was run") };
    assert_eq!((words[0].as_slice(), words[5].as_slice(), status), (&b"printf"[..], &b"gr\xfcn\n"[..], 0));
    assert_eq!(source.words_for_people(), "printf '%s|' 'a b' '$HOME' '' 'gr\\xfcn\\x0a'");
    assert!(source.finish().is_ok(), "asked again after a lost session");
    assert!(open(&source).is_err(), "it is not run a second time");
}

#[test]
fn standard_input_is_empty_and_the_group_is_its_own() {
    // Field 5 of `stat` is the process group.
    let source = shell("cat; read -r line </proc/self/stat; set -- $line; test $5 = $$ && echo own");
    assert_eq!(read(&source).expect("it ends"), b"own\n");
}

#[test]
fn a_bad_end_is_seen_wherever_it_comes() {
    for (script, expected) in [
        ("exit 3", OutputFailure::Exited(3)),
        ("echo half; exit 1", OutputFailure::Exited(1)),
        ("head -c 3000000 /dev/zero; exit 2", OutputFailure::Exited(2)),
        ("echo whole; exec >&-; sleep 0.1; exit 4", OutputFailure::Exited(4)),
        ("echo half; kill -9 $$", OutputFailure::Killed(9)),
        ("true", OutputFailure::Empty),
    ] {
        assert_eq!(failure_of(&shell(script)).0, expected, "{script}");
    }
}

#[test]
fn what_can_not_be_started_is_named() {
    for program in ["/nothing/here", "no-such-program", "/etc/passwd", "/"] {
        let source = CommandSource::new("out", [program]).expect("a word");
        assert!(matches!(failure_of(&source).0, OutputFailure::NotStarted(_)), "{program}");
    }
    assert!(CommandSource::new::<&str>("out", []).is_err() && CommandSource::new("out", [""]).is_err());
}

#[test]
fn nothing_may_be_a_backup_when_it_is_allowed() {
    let source = shell("true").allow_empty(true);
    assert_eq!(read(&source).expect("it ends"), b"");
    source.finish().expect("it is allowed");
    let source = shell("exit 1").allow_empty(true);
    assert_eq!(failure_of(&source).0, OutputFailure::Exited(1), "that it may be empty is no excuse");
}

#[test]
fn what_is_asked_of_the_output_must_hold() {
    let dump = || shell("printf 'data\\n-- dump completed\\n'");
    read(&dump().least_bytes(23).trailer("-- dump completed")).expect("it holds");
    assert_eq!(failure_of(&dump().least_bytes(24)).0, OutputFailure::TooShort { bytes: 23, least: 24 });
    let missing = OutputFailure::NoTrailer { trailer: "-- done".into() };
    assert_eq!(failure_of(&dump().trailer("-- done")).0, missing);
}

#[test]
fn a_silent_command_and_one_without_end_are_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = folder.path().join("number");
    let limit = Duration::from_millis(300);
    let script = format!("echo $$ >'{}'; echo begun; sleep 1000", number.display());
    assert_eq!(failure_of(&shell(&script).silence_limit(Some(limit))).0, OutputFailure::Silent(limit));
    assert_dies(&number);
    assert_eq!(failure_of(&shell("yes").time_limit(Some(limit))).0, OutputFailure::TooLong(limit));
    assert_eq!(failure_of(&shell("sleep 1000").time_limit(Some(limit))).0, OutputFailure::TooLong(limit));
    let source = shell("echo a; exec >&-; sleep 1000").silence_limit(Some(limit));
    assert_eq!(failure_of(&source).0, OutputFailure::Silent(limit), "it has closed its output and does not end");
}

#[test]
fn a_command_that_wants_the_terminal_is_told_so_and_one_that_is_only_stopped_goes_on() {
    // What the terminal's driver does to a process group in the background that reads a password from it.
    assert_eq!(failure_of(&shell("echo Password:; kill -TTIN $$")).0, OutputFailure::WantsTerminal);
    let source = shell("(sleep 0.3; kill -CONT $$) & kill -STOP $$; wait; echo whole").graces(SECOND, LONG);
    assert_eq!(read(&source).expect("somebody let it go on"), b"whole\n");
}

#[test]
fn a_command_that_does_not_want_to_end_is_ended_by_force_with_all_its_children() {
    let folder = tempfile::tempdir().expect("a folder");
    let [number, child] = ["number", "child"].map(|name| folder.path().join(name));
    let script = format!(
        "trap '' TERM; echo $$ >'{}'; (echo $$ >/dev/null; exec sleep 1000) & echo $! >'{}'; echo begun; wait; sleep 1000",
        number.display(),
        child.display()
    );
    let source =
        shell(&script).silence_limit(Some(Duration::from_millis(300))).graces(Duration::from_millis(200), SECOND);
    assert!(matches!(failure_of(&source).0, OutputFailure::Silent(_)));
    assert_dies(&number);
    assert_dies(&child);
}

#[test]
fn a_grandchild_that_holds_the_output_is_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = folder.path().join("number");
    let grace = Duration::from_millis(300);
    let script = format!("sleep 1000 & echo $! >'{}'; echo half", number.display());
    let source = shell(&script).graces(SECOND, grace);
    assert_eq!(failure_of(&source).0, OutputFailure::HeldOpen(grace));
    assert_dies(&number);
    let source = shell(&format!("{script}; exit 7")).graces(SECOND, grace);
    assert_eq!(failure_of(&source).0, OutputFailure::Exited(7), "its own failure says more");
}

#[test]
fn a_grandchild_that_is_soon_done_belongs_to_the_output() {
    let source = shell("(sleep 0.3; echo late) & echo early").graces(SECOND, LONG);
    assert_eq!(read(&source).expect("both come"), b"early\nlate\n");
}

#[test]
fn a_grandchild_that_holds_only_standard_error_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = folder.path().join("number");
    let source = shell(&format!("sleep 1000 >/dev/null & echo $! >'{}'; echo whole", number.display()));
    assert_eq!(read(&source).expect("it ends well"), b"whole\n");
    assert!(is_alive(&number), "a connection that is kept for later is none of our business");
    let process = std::fs::read_to_string(&number).ok().and_then(|number| Pid::from_raw(number.trim().parse().ok()?));
    kill_process(process.expect("a number"), Signal::KILL).expect("it is there");
}

#[test]
fn standard_error_is_told_line_by_line_and_its_end_is_kept() {
    let lines = Arc::new(Mutex::new(Vec::<Vec<u8>>::new()));
    let heard = Arc::clone(&lines);
    let listener: Listener =
        Arc::new(move |line| heard.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_vec()));
    let script = "i=0; while [ $i -lt 3000 ]; do echo 'a line of some forty bytes for the user' >&2; i=$((i+1)); done; \
                  printf 'last\\033\\nwithout end' >&2; echo data; exit 1";
    let source = shell(script).listener(listener);
    let (failure, said) = failure_of(&source);
    assert_eq!(failure, OutputFailure::Exited(1));
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(
        (lines.len(), lines[3000].as_slice(), lines[3001].as_slice()),
        (3002, &b"last\x1b"[..], &b"without end"[..])
    );
    assert!(said.len() > 60_000 && said.len() < 66_000, "{}", said.len());
    assert!(said.ends_with("user\nlast\\x1b\nwithout end"), "escaped");
    let message = source.finish().expect_err("it failed").to_string();
    assert!(
        message
            .ends_with("failed with exit status 1: a line of some forty bytes for the user / last\\x1b / without end")
    );
}

#[test]
fn a_run_that_is_given_up_ends_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = folder.path().join("number");
    let script = format!("echo $$ >'{}'; echo begun; sleep 1000", number.display());
    let source = shell(&script);
    let mut file = open(&source).expect("it is started");
    assert_eq!(file.read(&mut [0; 100]).expect("it has begun"), Portion::Data(6));
    std::thread::scope(|threads| {
        threads.spawn(|| source.stop());
        assert!(file.read(&mut [0; 100]).is_err());
    });
    assert_dies(&number);

    let source = shell(&script);
    let mut file = open(&source).expect("it is started");
    assert_eq!(file.read(&mut [0; 100]).expect("it has begun"), Portion::Data(6));
    drop(file);
    assert_dies(&number);
    assert!(matches!(source.finish(), Err(Error::Command { failure: OutputFailure::GivenUp, .. })));
}
