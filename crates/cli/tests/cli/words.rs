//! What a newcomer reads when something is not as it should be: what to do next, and of which file, machine and key the talk is.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    time::Duration,
};

use lbak_testkit::not_run;
use rustix::process::{Pid, Signal, kill_process};

use crate::home::{Home, Run, damage};

fn here() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[test]
fn a_dry_run_of_original_tells_what_the_restore_then_does() {
    let home = Home::with_repository();
    home.snapshot();
    fs::remove_file(home.path("data/sub/b")).expect("it is there");
    let dry = home.run(["restore", "latest", "--original", "-n", "-v"]).expect_code(3);
    let dry = dry.expect_stderr("it is there already").expect_stderr("--in-place changes what differs");
    assert!(dry.stdout.contains(&format!("create {}\n", home.text("data/sub/b"))), "{dry:?}");
    assert!(!dry.stdout.contains(&format!("create {}\n", home.text("data/a"))), "{dry:?}");
    assert!(dry.stdout.contains("would restore 1 file,"), "{dry:?}");
    assert!(!home.path("data/sub/b").exists());
    let real = home.run(["restore", "latest", "--original", "--yes"]).expect_code(3);
    let real = real.expect_stderr("it is there already").expect_stderr("--in-place changes what differs");
    assert!(real.stdout.starts_with("restored 1 file,"), "{real:?}");
}

#[test]
fn damage_is_told_with_what_comes_next() {
    let home = Home::with_repository();
    home.snapshot();
    home.objects("packs").iter().for_each(|pack| damage(pack));
    home.run(["verify"]).expect_code(20).expect_stderr("next: `lbak repair packs`");
    let next = "next: `lbak verify --read-data` names all that is damaged";
    home.run(["restore", "latest", "out"]).expect_code(20).expect_stderr(next).expect_stderr("`lbak repair --help`");
    home.run(["dump", "latest:a"]).expect_code(20).expect_stderr("hint: `lbak verify --read-data` names");
}

#[test]
fn a_repository_whose_slots_do_not_open_is_told_with_a_way_out() {
    let home = Home::with_repository();
    home.snapshot();
    let slot = home.objects("keys").remove(0);
    damage(&slot);
    let hint = "hint: another password or key file may open it; else put the files of its folder `keys` back";
    for command in ["verify", "snapshots"] {
        home.run([command]).expect_code(20).expect_stderr(hint).expect_stderr("`lbak verify --no-key`");
    }
    home.run(["verify", "--no-key"]).expect_code(20).expect_stdout("damaged: keys/");
    fs::remove_file(&slot).expect("it is there");
    home.run(["verify"]).expect_code(20).expect_stderr(hint);
    home.run(["verify", "--no-key"]);
}

#[test]
fn what_a_repair_has_set_aside_is_told_and_is_no_damage() {
    let home = Home::with_repository();
    home.snapshot();
    home.objects("packs").iter().for_each(|pack| damage(pack));
    home.run(["repair", "packs"]).expect_code(20);
    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["verify", "--read-data", "-v"]).expect_code(0).expect_stderr("set aside: packs/");
    let told = home.run(["verify", "--read-data", "--json"]).expect_code(0);
    let aside = told.message("set_aside");
    assert!(aside["object"].as_str().is_some_and(|object| object.starts_with("packs/")), "{aside}");
    assert_eq!(told.message("summary")["sound"], true);
}

#[test]
fn config_is_written_anew_from_the_slot() {
    let home = Home::with_repository();
    home.snapshot();
    let config = home.path("repository/config");
    let sound = fs::read(&config).expect("it is there");
    home.run(["repair", "config"]).expect_code(0).expect_stdout("nothing to do");
    for is_missing in [true, false] {
        if is_missing {
            fs::remove_file(&config).expect("it is there");
        } else {
            damage(&config);
        }
        home.run(["verify"]).expect_code(20).expect_stderr("next: `lbak repair config`");
        home.run(["repair", "config", "--dry-run"]).expect_code(20).expect_stdout("would be written anew");
        assert_eq!(config.exists(), !is_missing);
        let told = home.run(["repair", "config", "--json"]).expect_code(0).message("config_repaired");
        assert_eq!((&told["damaged"], &told["changed"]), (&true.into(), &true.into()));
        assert_eq!(fs::read(&config).expect("it is there"), sound);
        home.run(["verify"]).expect_code(0);
        assert_eq!(home.objects("aside").is_empty(), is_missing, "what was damaged is kept");
    }
    home.run(["cat", "aside", "0"]).expect_code(0).expect_stdout("config as it was");
    home.run(["verify", "-v"]).expect_code(0).expect_stderr("config was damaged once and was replaced");
}

#[test]
fn a_damaged_snapshot_is_told_with_who_took_it() {
    let home = Home::with_repository();
    home.snapshot();
    damage(&home.objects("snapshots").remove(0));
    let run = home.run(["verify"]).expect_code(20).expect_stdout("damaged: snapshots/");
    run.expect_stdout("  it was begun by me@").expect_stderr("next: put the files of `snapshots` back");
    home.run(["rebuild-index"]).expect_code(2).expect_stderr("hint: `lbak repair index`");
}

#[test]
fn a_restore_tells_the_paths_that_it_touches() {
    let home = Home::with_repository();
    home.snapshot();
    home.run(["restore", "latest", "out"]).expect_code(0);
    home.write("out/junk", "not in the snapshot");
    fs::remove_file(home.path("out/a")).expect("it is there");
    let run = home.run(["restore", "latest", "out", "--delete", "-n", "-v"]).expect_code(0);
    run.expect_stdout("delete out/junk\n").expect_stdout("create out/a\n");
    fs::create_dir(home.path("file")).expect("a folder");
    let told = home.run(["restore", "latest:sub/b", "file", "--json", "-n"]).expect_code(0);
    let told = told.messages().into_iter().rfind(|told| told["message_type"] == "path" && told["target"] == "file/b");
    assert_eq!(told.expect("it is told")["path"], home.text("data/sub/b"));
}

#[test]
fn only_backups_that_can_hold_a_path_are_named_for_it() {
    let home = Home::with_repository();
    for number in 0..10 {
        home.write(&format!("other{number}/c"), "x");
        home.run(["snapshot", &format!("other{number}")]).expect_code(0);
    }
    home.run(["snapshot", "data", "--host", "db1"]).expect_code(0);
    home.run(["snapshot", "data", "--host", "db2"]).expect_code(0);
    let run = home.run(["dump", &format!("latest:{}/a", home.text("data"))]).expect_code(22);
    let told: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(told.len() == 2 && told.iter().all(|line| line.contains("--host db")), "{run:?}");
    let run = home.run(["dump", &format!("latest:{}/a", home.text("dada"))]).expect_code(22);
    run.expect_stderr("no snapshot matches latest with ").expect_stderr("hint: `lbak snapshots` lists");
}

#[test]
fn a_snapshot_of_another_host_is_never_put_back_here_without_a_word() {
    let home = Home::with_repository();
    home.run(["snapshot", "data", "--host", "web1"]).expect_code(0);
    let warning = format!("this snapshot is of host web1; --original writes on this machine ({})", here());
    home.run(["restore", "latest:a", "--original", "-n"]).expect_code(3).expect_stderr(&warning);
    home.run(["restore", "latest:a", "--original", "--yes"]).expect_code(3).expect_stderr(&warning);
    let run = home.run(["diff", "latest"]).expect_code(0);
    run.expect_stderr(&format!("as it is now on this machine ({}); the snapshot is of host web1", here()));
    home.run(["snapshot", "data"]).expect_code(0);
    let run = home.run(["diff", "latest", "--host", &here()]).expect_code(0);
    assert!(!run.stderr.contains("on this machine"), "{run:?}");
}

/// Runs on a terminal of 60 columns that answers `answer`; `None` where no program makes one.
fn on_terminal(home: &Home, arguments: &str, answer: &str) -> Option<String> {
    let script = format!("stty cols 60; '{}' {arguments}", env!("CARGO_BIN_EXE_lbak"));
    let lbak = home.command::<_, &str>([]);
    let mut command = Command::new("script");
    command.args(["-qec", &script, "/dev/null"]).current_dir(home.path("")).env_clear();
    command.envs(lbak.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else {
        not_run("there is no program `script`");
        return None;
    };
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, answer.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    drop(input);
    Some(String::from_utf8_lossy(&output.stdout).replace('\r', ""))
}

#[test]
fn a_question_names_the_file_and_the_machines() {
    let home = Home::with_repository();
    home.run(["snapshot", "data", "--host", "web1"]).expect_code(0);
    let Some(said) = on_terminal(&home, "restore latest:a --original", "n\n") else { return };
    let question =
        format!("put back {} on this machine ({}), from a snapshot of host web1? [y/N]", home.text("data/a"), here());
    assert!(said.contains(&question), "{said}");
}

#[test]
fn sentences_fit_the_terminal() {
    let home = Home::with_repository();
    home.snapshot();
    home.objects("packs").iter().for_each(|pack| damage(pack));
    let Some(said) = on_terminal(&home, "dump latest:a -o out", "") else { return };
    let hint = said.lines().skip_while(|line| !line.starts_with("hint: ")).take(2).collect::<Vec<_>>();
    assert!(hint.len() == 2 && hint[1].starts_with("  "), "{said}");
    assert!(hint.iter().all(|line| line.chars().count() <= 60), "{said}");
    let piped = home.run(["dump", "latest:a", "-o", "out"]).expect_code(20);
    assert!(piped.stderr.lines().any(|line| line.starts_with("hint: ") && line.len() > 80), "{piped:?}");
}

#[test]
fn keys_are_told_apart_as_far_as_can_be() {
    let home = Home::with_repository();
    let listed = home.run(["key", "list", "--json"]).expect_code(0).message("key");
    assert!(listed["created"].as_str().is_some_and(|time| time.contains('T')), "{listed}");
    let mut nameless = home.command(["key", "add", "--new-key-file", "second"]);
    nameless.env_remove("LOGNAME");
    Run::of(&nameless.output().expect("the binary runs")).expect_code(0);
    let listed = home.run(["key", "list", "--key-file", "second"]).expect_code(0).stdout;
    let is_number = |label: &str| label.split('@').next().is_some_and(|user| user.parse::<u32>().is_ok());
    let label = listed.split_whitespace().find(|word| word.contains('@')).expect("a label");
    let is_known = fs::read_to_string("/etc/passwd")
        .is_ok_and(|users| users.contains(&format!(":{}:", rustix::process::getuid().as_raw())));
    assert!(!is_known || !is_number(label), "{listed}");
    home.run(["key", "list"]).expect_code(0).expect_stdout("tells only what opens them");

    let run = home.run(["key", "change", "--new-key-file", "key"]).expect_code(2);
    run.expect_stderr("holds the key that is to be changed: nothing was changed");
    let other = Home::with_repository();
    let place = other.text("repository");
    let run = home.run(["snapshots", "-r", &place]).expect_code(12);
    run.expect_stderr(&format!("the key file {} (LBAK_KEY_FILE)", home.text("key")));

    fs::set_permissions(home.path("key"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    home.run(["snapshots"]).expect_code(0).expect_stderr("`chmod 600` keeps it private");
}

#[test]
fn a_key_slot_goes_on_a_terminal_only_after_a_question() {
    let home = Home::with_repository();
    home.run(["key", "add", "--new-key-file", "second"]).expect_code(0);
    let listed = home.run(["key", "list", "--json"]).expect_code(0).messages();
    let other = listed.iter().find(|key| key["opened_by"] == false).and_then(|key| key["id"].as_str()).expect("two");
    let Some(said) = on_terminal(&home, &format!("key remove {other}"), "n\n") else { return };
    assert!(said.contains("is opened by a key file") && said.contains("nothing was removed"), "{said}");
    assert_eq!(home.objects("keys").len(), 2);
    home.run(["key", "remove", other]).expect_code(0);
}

#[test]
fn verify_names_a_few_paths_of_many_and_no_older_versions() {
    let home = Home::with_repository();
    for number in 0..40 {
        home.write(&format!("data/file{number}"), format!("content {number}"));
    }
    home.snapshot();
    home.run(["tag", "latest", "--add", "kept"]).expect_code(0);
    let sound = home.run(["verify", "-v"]).expect_code(0);
    assert!(!sound.stderr.contains("older version"), "{sound:?}");
    home.objects("index").iter().for_each(|segment| fs::remove_file(segment).expect("it is there"));
    let run = home.run(["verify"]).expect_code(20).expect_stderr("next: `lbak repair index`");
    assert!(run.stdout.lines().filter(|line| line.starts_with("  /")).count() <= 10, "{run:?}");
    assert!(!run.stderr.contains("interrupted or running"), "{run:?}");
}

#[test]
fn a_command_that_was_stopped_is_told_to_have_been_killed() {
    let home = Home::with_repository();
    home.snapshot();
    let mut command = home.command(["restore", "latest:a", "--to-command", "--", "sh", "-c", "touch began; sleep 600"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    while !home.path("began").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(process, Signal::INT).expect("it is our child");
    let run = Run::of(&child.wait_with_output().expect("it ends")).expect_code(130);
    run.expect_stderr("lbak: interrupted: the command was killed before its input ended");
}

#[test]
fn a_file_that_was_not_made_is_not_said_to_hold_anything() {
    let home = Home::with_repository();
    home.snapshot();
    home.objects("packs").iter().for_each(|pack| damage(pack));
    let run = home.run(["dump", "latest:a", "-o", "out"]).expect_code(20).expect_stderr("\nout was not made");
    assert!(!run.stderr.contains("written behind") && !home.path("out").exists(), "{run:?}");
}

#[test]
fn a_history_tells_the_time_and_the_hosts() {
    let home = Home::with_repository();
    home.run(["snapshot", "data", "--host", "db1"]).expect_code(0);
    home.write("data/a", "another content");
    home.run(["snapshot", "data", "--host", "db2"]).expect_code(0);
    let run = home.run(["find", "a", "--history"]).expect_code(0);
    assert!(run.stdout.contains(" db1 ") && run.stdout.contains(" db2 "), "{run:?}");
    let time = run.stdout.lines().nth(2).and_then(|line| line.split_whitespace().nth(2)).expect("a time");
    assert_eq!(time.matches(':').count(), 2, "{run:?}");
}

#[test]
fn what_is_missing_is_told_with_what_can_be_given() {
    let home = Home::with_repository();
    home.snapshot();
    home.run(["restore", "latest"]).expect_code(2).expect_stderr("--original").expect_stderr("--to-command");
    let missing = home.run(["snapshot", "data", "--exclude-file", "nowhere"]).expect_code(1);
    missing.expect_stderr("cannot read nowhere").expect_stderr("hint: make it");
    let tilde = home.run(["snapshot", "data", "--exclude-file=~/.lbakignore"]).expect_code(1);
    tilde.expect_stderr("hint: the shell has left ~ as it is");
    home.run(["verify", "--help"]).expect_code(0).expect_stdout("unless a terminal watches");
}

#[test]
fn a_full_disk_is_told_first_and_then_how_to_go_on() {
    let home = Home::with_repository();
    home.write("data/large", (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    home.snapshot();
    fs::create_dir(home.path("small")).expect("a folder");
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(home.path("small")).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return not_run("a small file system can not be mounted here");
    }
    let run = home.run(["restore", "latest", "small/out"]);
    let unmounted = Command::new("umount").arg(home.path("small")).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    let run = run.expect_code(1).expect_stderr("hint: make room where it lies");
    let (error, go_on) = (run.stderr.find("lbak: cannot"), run.stderr.find("the same command with --in-place"));
    assert!(error.is_some() && error < go_on, "{run:?}");
}

/// It was left out with exit code 0, as if nothing had been asked for.
#[test]
fn a_socket_that_was_named_is_less_than_was_asked_for() {
    let home = Home::with_repository();
    home.write("data/a", "content");
    let _listener = std::os::unix::net::UnixListener::bind(home.path("data/socket")).expect("a socket");
    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["snapshot", "data/socket"]).expect_code(3).expect_stderr("data/socket");
}
