//! Standard input and commands: what is whole is there, and of what is not whole there is nothing.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{Read, Write},
    os::unix::ffi::OsStringExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use lbak_testkit::not_run;
use rustix::process::{Pid, Signal, kill_process};

use crate::home::{Home, Run};

/// The arguments that back up what a shell script prints.
fn script<'a>(options: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&["snapshot", "--from-command"], options, &["--", "sh", "-c", script]].concat()
}

/// Runs the binary with these bytes on standard input.
fn run_with_input<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(home: &Home, arguments: I, input: &[u8]) -> Run {
    let mut command = home.command(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    // A program that does not want it closes the pipe.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    Run::of(&child.wait_with_output().expect("it ends"))
}

/// Passes when there is no snapshot and nothing is wrong with the repository.
#[track_caller]
fn assert_nothing_is_committed(home: &Home) {
    assert_eq!(home.run(["snapshots", "-q"]).expect_code(0).stdout, "");
    home.run(["verify"]).expect_code(0);
}

fn process(home: &Home, file: &str) -> Pid {
    home.read(file).trim().parse().ok().and_then(Pid::from_raw).expect("a number")
}

/// Waits until a process is gone, or only waits to be buried.
#[track_caller]
fn assert_dies(home: &Home, file: &str) {
    if !std::path::Path::new("/proc/self/stat").exists() {
        return not_run("whether a process is gone is seen in /proc, which is not mounted here");
    }
    let stat = format!("/proc/{}/stat", process(home, file).as_raw_nonzero());
    for _ in 0..1000 {
        let status = fs::read_to_string(&stat).unwrap_or_default();
        let state = status.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
        if state.is_none_or(|state| state == 'Z' || state == 'X') {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{stat} is still there");
}

fn wait_for(home: &Home, file: &str, child: &mut Child) {
    while fs::read_to_string(home.path(file)).unwrap_or_default().is_empty() {
        assert!(child.try_wait().expect("it is our child").is_none(), "it ended before it began");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn interrupt(child: &Child) {
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(number, Signal::INT).expect("it is our child");
}

#[test]
fn the_output_of_a_command_is_one_file_that_tells_where_it_came_from() {
    let home = Home::with_repository();
    let run =
        home.run(script(&["--stdin-name", "pg/shop.sql"], "printf 'create\\n'; echo 'a word' >&2")).expect_code(0);
    assert!(run.stdout.contains(" of /pg/shop.sql, the output of `sh -c "), "{run:?}");
    run.expect_stderr("a word\n");

    let listed = home.run(["snapshots"]).expect_code(0).stdout;
    assert!(listed.starts_with("/pg/shop.sql on host "), "{listed}");
    let listed = home.run(["snapshots", "-v"]).expect_code(0).stdout;
    assert!(listed.contains("  output of `sh -c 'printf "), "{listed}");
    let snapshot = home.run(["snapshots", "--json"]).expect_code(0).message("snapshot");
    assert_eq!((&snapshot["source"], &snapshot["command_status"]), (&"command".into(), &0.into()));
    assert_eq!((&snapshot["command"][0], &snapshot["paths"][0]), (&"sh".into(), &"/pg/shop.sql".into()));

    assert_eq!(home.run(["ls", "latest"]).expect_code(0).stdout, "/pg/shop.sql\n");
    home.run(["restore", "latest", "out"]).expect_code(0);
    assert_eq!(home.read("out/shop.sql"), "create\n");
    home.run(["restore", "latest:/pg/shop.sql", "one"]).expect_code(0);
    assert_eq!(home.read("one/shop.sql"), "create\n");
}

#[test]
fn the_same_output_is_stored_once_and_always_read() {
    let home = Home::with_repository();
    let take = || home.run(script(&["--json"], "seq 1 500000")).expect_code(0).message("summary");
    let (first, second) = (take(), take());
    assert_eq!((&first["lineage"], &second["lineage"]), (&"full".into(), &"incremental".into()));
    assert_eq!(second["compared_with"], first["snapshot_id"]);
    assert_eq!((&second["bytes_read"], &second["data_added"]), (&3_388_895.into(), &0.into()));
    home.run(["verify", "--read-data"]).expect_code(0);
}

#[test]
fn words_are_given_as_they_are_and_no_shell_reads_them() {
    let home = Home::with_repository();
    let strange = OsString::from_vec(b"gr\xfcn".to_vec());
    let words = ["snapshot", "--from-command", "--", "printf", "%s\n", "two words", "$HOME;", "-n", "--stdin"];
    home.run(words.iter().map(OsString::from).chain([strange.clone()])).expect_code(0);
    home.run(["restore", "latest", "out"]).expect_code(0);
    let restored = fs::read(home.path("out/stdin")).expect("it is there");
    assert_eq!(restored, b"two words\n$HOME;\n-n\n--stdin\ngr\xfcn\n");
    let snapshot = home.run(["snapshots", "--json"]).expect_code(0).message("snapshot");
    assert_eq!((&snapshot["command"][2], &snapshot["command"][6]), (&"two words".into(), &"gr\\xfcn".into()));

    let name = OsString::from_vec(b"na\xefve\n".to_vec());
    let named = ["snapshot", "--from-command", "--stdin-name"].iter().map(OsString::from);
    home.run(named.chain([name]).chain(["--", "echo"].iter().map(OsString::from))).expect_code(0);
    assert_eq!(home.run(["ls", "latest", "--path", "/stdin"]).expect_code(0).stdout, "/stdin\n");
    let all = home.run(["snapshots"]).expect_code(0).stdout;
    assert!(all.contains("/na\\xefve\\x0a on host "), "{all}");
}

#[test]
fn a_command_does_not_get_the_password() {
    let home = Home::with_repository();
    let mut command = home.command(script(&[], "echo \"[$LBAK_PASSWORD] [$OTHER]\""));
    command.env("LBAK_PASSWORD", "secret").env("OTHER", "kept");
    Run::of(&command.output().expect("it runs")).expect_code(0);
    assert_eq!(home.run(["dump", "latest:/stdin"]).expect_code(0).stdout, "[] [kept]\n");
}

#[test]
fn a_command_that_fails_commits_nothing_whenever_it_fails() {
    let home = Home::with_repository();
    for (failing, told) in [
        ("echo 'no such database' >&2; exit 1", "failed with exit status 1: no such database"),
        ("seq 1 2000000; echo 'connection lost' >&2; exit 2", "failed with exit status 2: connection lost"),
        ("echo whole; exec >&-; sleep 0.2; exit 3", "failed with exit status 3"),
        ("seq 1 200000; kill -9 $$", "was killed by signal 9"),
        ("true", "gave nothing at all"),
    ] {
        home.run(script(&[], failing)).expect_code(1).expect_stderr("lbak: the command `sh -c ").expect_stderr(told);
    }
    // What is allowed to be empty still has to end well.
    home.run(script(&["--allow-empty"], "exit 4")).expect_code(1);
    home.run(script(&["--dry-run"], "echo half; exit 5")).expect_code(1).expect_stderr("failed with exit status 5");
    assert_nothing_is_committed(&home);

    home.run(script(&["--allow-empty"], "true")).expect_code(0);
    home.run(["restore", "latest", "out"]).expect_code(0);
    assert_eq!(home.read("out/stdin"), "");
}

#[test]
fn a_command_that_can_not_be_run_is_named() {
    let home = Home::with_repository();
    let run = |program: &str| home.run(["snapshot", "--from-command", "--", program]).expect_code(1);
    run("no-such-program").expect_stderr("the command `no-such-program` can not be run: No such file");
    home.write("plain", "not a program");
    run(&home.text("plain")).expect_stderr("can not be run: Permission denied").expect_stderr("hint: ");
    run("data | cat").expect_stderr("no shell reads the command");
    assert_nothing_is_committed(&home);
}

#[test]
fn a_silent_command_is_ended_and_so_is_one_that_takes_too_long() {
    let home = Home::with_repository();
    let silent = "echo $$ >number; echo half; sleep 1000";
    home.run(script(&["--timeout", "1s"], silent)).expect_code(1).expect_stderr("gave nothing for 1s");
    assert_dies(&home, "number");
    let endless = "echo $$ >number; while echo more; do sleep 0.05; done";
    let run = home.run(script(&["--timeout", "10m", "--time-limit", "1s"], endless)).expect_code(1);
    run.expect_stderr("was not over after 1s");
    assert_dies(&home, "number");
    assert_nothing_is_committed(&home);
}

#[test]
fn a_grandchild_that_holds_the_output_open_is_ended_and_nothing_is_committed() {
    let home = Home::with_repository();
    let run = home.run(script(&[], "sleep 1000 & echo $! >number; echo half")).expect_code(1);
    run.expect_stderr("another process that it started still holds its output open");
    assert_dies(&home, "number");
    assert_nothing_is_committed(&home);
}

#[test]
fn what_is_asked_of_the_output_must_hold() {
    let home = Home::with_repository();
    let dump = "printf 'data\\n-- Dump completed on Sunday\\n'";
    let short = home.run(script(&["--min-bytes", "1K"], dump)).expect_code(1);
    short.expect_stderr("gave 33 bytes, less than the 1024 expected at least");
    let cut = home.run(script(&["--expect-trailer", "-- Dump completed"], "echo data")).expect_code(1);
    cut.expect_stderr("does not end with `-- Dump completed`");
    let input =
        run_with_input(&home, ["snapshot", "--stdin", "--expect-trailer", "end"], b"cut in the mid").expect_code(1);
    input.expect_stderr("the stream /stdin does not end with `end`");
    assert_nothing_is_committed(&home);
    home.run(script(&["--min-bytes", "33", "--expect-trailer", "-- Dump completed"], dump)).expect_code(0);
}

#[test]
fn ctrl_c_ends_the_command_and_nothing_is_committed() {
    let home = Home::with_repository();
    let mut command = home.command(script(&[], "echo half; echo $$ >number; sleep 1000"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    wait_for(&home, "number", &mut child);
    interrupt(&child);
    Run::of(&child.wait_with_output().expect("it ends")).expect_code(130).expect_stderr("lbak: interrupted");
    assert_dies(&home, "number");

    let mut command =
        home.command(script(&[], "trap '' TERM; echo half; echo $$ >stubborn; while true; do sleep 1; done"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    wait_for(&home, "stubborn", &mut child);
    interrupt(&child);
    Run::of(&child.wait_with_output().expect("it ends")).expect_code(130);
    assert_dies(&home, "stubborn");
    assert_nothing_is_committed(&home);
}

#[test]
fn ctrl_c_ends_the_wait_for_standard_input() {
    let home = Home::with_repository();
    let mut command = home.command(["snapshot", "--stdin"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    // More than a pipe holds: when it is written, all but the rest was read, and the signal is listened for.
    input.write_all(&vec![b'x'; 4 << 20]).expect("it is read");
    interrupt(&child);
    let run = Run::of(&child.wait_with_output().expect("it ends")).expect_code(130);
    drop(input);
    run.expect_stderr("lbak: interrupted");
    assert_nothing_is_committed(&home);
}

#[test]
fn standard_input_is_one_file() {
    let home = Home::with_repository();
    let run = run_with_input(&home, ["snapshot", "--stdin", "--stdin-name", "/in.txt"], b"some text").expect_code(0);
    assert!(run.stdout.contains(" of /in.txt\n"), "{run:?}");
    assert_eq!(home.run(["snapshots", "--json"]).expect_code(0).message("snapshot")["source"], "stream");
    home.run(["restore", "latest", "out"]).expect_code(0);
    assert_eq!(home.read("out/in.txt"), "some text");
}

#[test]
fn no_standard_input_is_a_failure_like_an_empty_one() {
    let home = Home::with_repository();
    for input in ["</dev/null", "<&-"] {
        let line = format!("exec '{}' snapshot --stdin {input}", env!("CARGO_BIN_EXE_lbak"));
        let lbak = home.command::<_, &str>([]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &line]).current_dir(home.path("")).env_clear();
        shell.envs(lbak.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let run = Run::of(&shell.output().expect("it runs")).expect_code(1);
        run.expect_stderr("the stream /stdin gave nothing at all").expect_stderr("--allow-empty");
    }
    let mut command = home.command(["snapshot", "--stdin", "--timeout", "1s"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let input = child.stdin.take();
    let run = Run::of(&child.wait_with_output().expect("it ends")).expect_code(1);
    drop(input);
    run.expect_stderr("the stream /stdin gave nothing for 1s");
    assert_nothing_is_committed(&home);
    home.run(["snapshot", "--stdin", "--allow-empty"]).expect_code(0);
}

#[test]
fn a_command_that_prints_the_password_does_not_take_the_stream() {
    let home = Home::with_repository();
    home.write("password", "secret");
    home.run(["key", "add", "--new-password-file", "password"]).expect_code(0);
    let arguments = ["snapshot", "--stdin", "--password-command", "cat >taken; cat password"];
    run_with_input(&home, arguments, b"some text").expect_code(0);
    assert_eq!(home.read("taken"), "");
    home.run(["restore", "latest", "out"]).expect_code(0);
    assert_eq!(home.read("out/stdin"), "some text");
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let home = Home::with_repository();
    for (arguments, told) in [
        (&["snapshot", "data", "--stdin"][..], "--stdin takes no PATH, and data was named"),
        (&["snapshot", "data", "--from-command", "--", "echo"], "--from-command takes no PATH, and data was named"),
        (&["snapshot", "--stdin", "--", "echo"], "--stdin runs no command"),
        (&["snapshot", "--stdin", "--from-command", "--", "echo"], "cannot be used with"),
        (&["snapshot", "--from-command", "echo"], "<COMMAND>"),
        (&["snapshot", "--from-command", "--", ""], "no command was given"),
        (&["snapshot", "--stdin", "--exclude", "*.tmp"], "cannot be used with"),
        (&["snapshot", "--stdin", "--files-from", "-"], "cannot be used with"),
        (&["snapshot", "data", "--stdin-name", "x"], "required"),
        (&["snapshot", "data", "--allow-empty"], "required"),
        (&["snapshot", "--stdin", "--time-limit", "1h"], "required"),
        (&["snapshot", "--stdin", "--timeout", "10"], "give a time with its unit"),
        (&["snapshot", "--stdin", "--min-bytes", "much"], "is no size"),
        (&["snapshot", "--stdin", "--stdin-name", "../x"], "a part that is a dot or two"),
        (&["snapshot", "--stdin", "--stdin-name", ""], "is empty"),
        (&["snapshot"], "<PATH>"),
    ] {
        home.run(arguments).expect_code(2).expect_stderr(told);
    }
    assert_nothing_is_committed(&home);
}

#[test]
fn without_from_command_what_stands_behind_two_dashes_is_a_path() {
    let home = Home::with_repository();
    home.write("-odd", "a name like an option");
    home.run(["snapshot", "data", "--", "-odd"]).expect_code(0);
    home.run(["snapshot", "--", "-odd"]).expect_code(0);
    let messages = home.run(["snapshots", "--json"]).expect_code(0).messages();
    let counts: Vec<usize> = messages.iter().filter_map(|message| Some(message["paths"].as_array()?.len())).collect();
    assert_eq!(counts, [2, 1]);
}

#[test]
fn the_names_that_restic_users_type_are_understood() {
    let home = Home::with_repository();
    let words = ["backup", "--stdin-from-command", "--stdin-filename", "a.sql", "--", "echo", "text"];
    home.run(words).expect_code(0);
    run_with_input(&home, ["backup", "--stdin", "--stdin-filename", "b.sql"], b"text").expect_code(0);
    let listed = home.run(["snapshots"]).expect_code(0).stdout;
    assert!(listed.contains("/a.sql") && listed.contains("/b.sql"), "{listed}");
}

#[test]
fn a_dry_run_runs_the_command_and_stores_nothing() {
    let home = Home::with_repository();
    let run = home.run(script(&["-n"], "echo ran >proof; echo text")).expect_code(0);
    assert!(run.stdout.contains("dry run of /stdin, the output of "), "{run:?}");
    assert_eq!(home.read("proof"), "ran\n");
    assert!(home.objects("packs").is_empty());
    assert_nothing_is_committed(&home);
}

#[test]
fn programs_hear_what_the_command_says() {
    let home = Home::with_repository();
    let run = home.run(script(&["--json"], "printf 'caf\\303\\251 \\033[1m\\n' >&2; exit 9")).expect_code(1);
    let told: Vec<serde_json::Value> =
        run.stderr.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let heard = serde_json::json!({"message_type": "command_stderr", "message": "café \u{1b}[1m"});
    assert_eq!(told.first(), Some(&heard));
    let error = told.last().expect("an error");
    assert_eq!((&error["message_type"], &error["code"]), (&"exit_error".into(), &1.into()));
    assert!(
        error["message"].as_str().is_some_and(|message| message.ends_with("exit status 9: café \\x1b[1m")),
        "{error}"
    );
}

/// 2.7 GB would not be much for a dump; a tenth of that is more than the program may use.
#[test]
fn output_that_is_larger_than_memory_flows_through() {
    let home = Home::with_repository();
    let mut command = home.command(["snapshot", "--threads", "2", "--from-command", "--", "seq", "1", "32000000"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let status = format!("/proc/{}/status", child.id());
    let mut most_kib = 0;
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
        most_kib = most_kib.max(high.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0));
        if let Some(ended) = child.try_wait().expect("it is our child") {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(ended.success());
    let manifest = home.newest().manifest;
    assert_eq!(manifest.sizes.logical, 276_888_897);
    // Where there is no /proc nothing was measured.
    assert!(most_kib < manifest.sizes.logical / 1024, "{most_kib} KiB");

    home.run(["restore", "latest", "out"]).expect_code(0);
    let mut again = Command::new("seq").args(["1", "32000000"]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut expected = again.stdout.take().expect("a pipe");
    let mut restored = fs::File::open(home.path("out/stdin")).expect("it is there");
    assert!(hash(&mut expected) == hash(&mut restored));
    again.wait().expect("it ends");
}

fn hash(reader: &mut impl Read) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(reader).expect("it is read");
    hasher.finalize()
}
