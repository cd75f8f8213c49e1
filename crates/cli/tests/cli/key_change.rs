//! `key change`, labels, and passwords that are typed on a terminal.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lbak_testkit::not_run;

use crate::home::{Home, Run};

fn home() -> Home {
    let home = Home::empty().with("LBAK_REPOSITORY", "repository");
    home.write("old", "first\n");
    home.write("new", "second\n");
    home.run(["init", "--password-file", "old", "--label", "at home"]).expect_code(0);
    home
}

fn keys(home: &Home, password: &str) -> Vec<serde_json::Value> {
    home.run(["key", "list", "--password-file", password, "--json"]).expect_code(0).messages()
}

#[test]
fn a_changed_password_opens_and_the_old_one_does_not() {
    let home = home();
    let before = keys(&home, "old");
    let run = home.run(["key", "change", "--password-file", "old", "--new-password-file", "new"]).expect_code(0);
    assert!(run.stdout.contains("no revocation"), "{run:?}");
    home.run(["snapshots", "--password-file", "old"]).expect_code(12);
    let after = keys(&home, "new");
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before[0]["id"], after[0]["id"]);
    assert_eq!(after[0]["label"].as_str(), Some("at home"), "the label stays");
}

#[test]
fn only_the_key_that_was_used_is_changed() {
    let home = home();
    home.run(["key", "add", "--password-file", "old", "--new-key-file", "key", "--label", "in the safe"])
        .expect_code(0);
    let json = home
        .run(["key", "passwd", "--password-file", "old", "--new-password-command", "echo second", "--json"])
        .expect_code(0)
        .message("key_changed");
    assert!(json["replaced"].is_string() && json["id"].is_string(), "{json}");
    home.run(["key", "change", "--key-file", "key", "--new-key-file", "other", "--label", "elsewhere"]).expect_code(0);
    home.run(["snapshots", "--key-file", "key"]).expect_code(12).expect_stderr("1 could be tried");
    let listed = home.run(["key", "list", "--key-file", "other", "--json"]).expect_code(0).messages();
    let own: Vec<_> = listed.iter().filter(|key| key["opened_by"] == true).collect();
    assert_eq!((listed.len(), own.len()), (2, 1));
    assert_eq!((own[0]["label"].as_str(), own[0]["form"].as_str()), (Some("elsewhere"), Some("key_file")));
    assert!(listed.iter().filter(|key| key["opened_by"] == false).all(|key| key.get("label").is_none()));
    let table = home.run(["key", "list", "--key-file", "other"]).expect_code(0).stdout;
    assert!(table.lines().any(|line| line.contains(" * ") && line.ends_with("elsewhere")), "{table}");
    assert_eq!(keys(&home, "new").len(), 2);
}

#[test]
fn a_change_that_fails_leaves_the_old_key() {
    let home = home();
    home.write("empty", "");
    home.run(["key", "change", "--password-file", "old", "--new-password-file", "empty"]).expect_code(12);
    home.run(["key", "change", "--password-file", "old", "--new-password-command", "false"]).expect_code(12);
    home.run(["key", "change", "--password-file", "new", "--new-key-file", "key"]).expect_code(12);
    assert!(!home.path("key").exists(), "no key is made for nothing");
    home.run(["key", "change", "--password-file", "old"]).expect_code(12).expect_stderr("--new-password-file");
    assert_eq!(keys(&home, "old").len(), 1);
}

#[test]
fn the_last_slot_stays() {
    let home = home();
    let id = keys(&home, "old")[0]["id"].as_str().expect("an id").to_owned();
    home.run(["key", "remove", &id, "--password-file", "old"]).expect_code(2).expect_stderr("last sound key slot");
    assert_eq!(keys(&home, "old").len(), 1);
}

#[test]
fn a_password_where_there_are_only_key_files_says_so() {
    let home = Home::with_repository();
    home.write("password", "secret");
    let run = home.run(["snapshots", "--password-file", "password"]).expect_code(12);
    run.expect_stderr("only a key file");
    let home = self::home();
    home.run(["init", "-r", "other", "--key-file", "key"]).expect_code(0);
    home.run(["snapshots", "--key-file", "key"]).expect_code(12).expect_stderr("only a password");
}

/// Tells whether a terminal, whose name is in a file, does not show what is typed.
fn is_silenced(file: &std::path::Path) -> bool {
    let Ok(name) = std::fs::read_to_string(file) else { return false };
    let said = Command::new("/bin/stty").args(["-F", name.trim(), "-a"]).output().expect("`stty` is there");
    String::from_utf8_lossy(&said.stdout).split([' ', '\n']).any(|word| word == "-echo")
}

/// Runs on a terminal and types lines, each when the one before was asked for.
fn typed(home: &Home, arguments: &str, lines: &[&str]) -> Option<Run> {
    let script = ["/usr/bin/script", "/bin/script"].into_iter().find(|path| std::path::Path::new(path).exists());
    let Some(script) = script else {
        not_run("there is no `script` here to make a terminal with");
        return None;
    };
    let binary = env!("CARGO_BIN_EXE_lbak");
    let lbak = home.command::<_, &str>([]);
    let mut command = Command::new(script);
    let terminal = home.path("terminal");
    // Left by the run before it, it would name a terminal that is gone.
    let _ = std::fs::remove_file(&terminal);
    command
        .args(["-qec", &format!("tty > terminal; exec '{binary}' {arguments}"), "/dev/null"])
        .current_dir(home.path(""))
        .env_clear();
    command.envs(lbak.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("SHELL", "/bin/sh");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = child.stdout.take().expect("a pipe");
    let (send, receive) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = std::io::Read::read(&mut output, &mut buffer) {
            let _ = send.send(buffer[..read].to_vec());
        }
    });
    let (mut seen, mut asked) = (Vec::new(), 0);
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Ok(part) = receive.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        seen.extend(part);
        let questions = String::from_utf8_lossy(&seen).matches(": ").count();
        while asked < questions.min(lines.len()) {
            // What is typed after the question and before the terminal is silenced would be shown.
            while !is_silenced(&terminal) {
                assert!(Instant::now() < deadline, "the terminal is not silenced: {}", String::from_utf8_lossy(&seen));
                std::thread::sleep(Duration::from_millis(5));
            }
            std::io::Write::write_all(&mut input, format!("{}\n", lines[asked]).as_bytes()).expect("it listens");
            asked += 1;
        }
    }
    let status = child.wait().expect("it ends");
    reader.join().expect("it ends");
    let stdout = String::from_utf8_lossy(&seen).into_owned();
    Some(Run { code: status.code().unwrap_or(-1), stdout, stderr: String::new() })
}

#[test]
fn a_new_password_is_typed_twice_and_not_shown() {
    let home = home();
    let Some(run) = typed(&home, "key change --password-file old", &["typed", "typed"]) else { return };
    assert!(run.stdout.contains("new password: ") && run.stdout.contains("the same again: "), "{run:?}");
    assert!(!run.stdout.contains("typed"), "{run:?}");
    home.write("typed", "typed");
    assert_eq!((run.code, keys(&home, "typed").len()), (0, 1));

    let run = typed(&home, "key add --password-file typed", &["one", "another"]).expect("as above");
    assert!(run.code == 2 && run.stdout.contains("the two passwords differ"), "{run:?}");
    assert_eq!(keys(&home, "typed").len(), 1);

    let run = typed(&home, "snapshots", &["typed"]).expect("as above");
    assert!(run.code == 0 && run.stdout.contains("password for "), "{run:?}");
}
