//! `lbak dump`: to standard output, to a file, never half of something that looks whole.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

use lbak_testkit::{not_run, objects::noise};

use crate::home::{Home, damage};

/// Runs with output that need not be text.
fn bytes(home: &Home, arguments: &[&str]) -> Output {
    home.command(arguments).output().expect("the binary runs")
}

fn names(archive: &[u8]) -> Vec<String> {
    // Blocks of plain small files: a header where the magic stands.
    let header = |block: &&[u8]| block.get(257..262) == Some(b"ustar") && block[156] != b'x';
    let name = |block: &[u8]| String::from_utf8_lossy(&block[..100]).trim_end_matches('\0').to_owned();
    archive.chunks(512).filter(header).map(name).collect()
}

#[test]
fn a_file_comes_byte_for_byte() {
    let home = Home::with_repository();
    let content = noise(1, 3_000_000);
    home.write("data/raw", &content);
    home.snapshot();
    let output = bytes(&home, &["dump", "latest:raw"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout == content);
    let output = bytes(&home, &["dump", "latest:raw", "-q", "-o", "-", "--verify-first", "--threads", "1"]);
    assert!(output.stdout == content && output.stderr.is_empty());
}

#[test]
fn a_directory_comes_as_an_archive_and_so_does_a_file_that_is_asked_for_so() {
    let home = Home::with_repository();
    home.snapshot();
    assert_eq!(names(&bytes(&home, &["dump", "latest"]).stdout), ["./", "a", "sub/", "sub/b"]);
    assert_eq!(names(&bytes(&home, &["dump", "latest:sub"]).stdout), ["./", "b"]);
    assert_eq!(names(&bytes(&home, &["dump", "latest:a", "--archive", "tar"]).stdout), ["a"]);
    assert_eq!(home.run(["dump", "latest:a", "--archive", "auto"]).expect_code(0).stdout, "the first file");
    home.run(["dump", "latest", "--archive", "zip"]).expect_code(2);
    home.run(["dump", "latest:nowhere"]).expect_code(1).expect_stderr("is not in snapshot");
    home.run(["dump", "latest", "--tag", "none"]).expect_code(22);
}

#[test]
fn a_time_and_a_host_choose_as_everywhere() {
    let home = Home::with_repository();
    home.snapshot();
    home.write("data/a", "changed");
    home.snapshot();
    assert_eq!(home.run(["dump", "latest~1:a"]).expect_code(0).stdout, "the first file");
    home.run(["dump", "latest:a", "--at", "2001-01-01"]).expect_code(22);
    home.run(["dump", "latest:a", "--host", "elsewhere"]).expect_code(22);
}

#[test]
fn an_output_file_is_there_when_it_is_complete_and_never_overwrites() {
    let home = Home::with_repository();
    home.write("data/zeros", vec![0; 4 << 20]);
    home.snapshot();
    let run = home.run(["dump", "latest:a", "-o", "out"]).expect_code(0);
    assert!(run.stdout.starts_with("wrote a file, 14 B, to out"), "{run:?}");
    let mode = fs::metadata(home.path("out")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "{mode:o}: for its owner alone");
    assert_eq!(home.read("out"), "the first file");
    home.run(["dump", "latest:sub/b", "-o", "out"]).expect_code(2).expect_stderr("nothing is overwritten");
    assert_eq!(home.read("out"), "the first file");
    home.run(["dump", "latest:zeros", "-o", "zeros"]).expect_code(0);
    assert!(fs::read(home.path("zeros")).expect("it is there") == vec![0; 4 << 20]);
    home.run(["dump", "latest", "-o", "/dev/null"]).expect_code(0);
    home.run(["dump", "latest", "-o", "nowhere/out"]).expect_code(1).expect_stderr("cannot write nowhere/out");

    home.objects("packs").iter().for_each(|pack| damage(pack));
    home.run(["dump", "latest:a", "-o", "lost"]).expect_code(20);
    let left: Vec<_> =
        fs::read_dir(home.path("")).expect("the home").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("lost")), "{left:?}");
}

#[test]
fn damage_ends_the_stream_with_20_and_says_how_much_is_good() {
    let home = Home::with_repository();
    let content = noise(5, 12_000_000);
    home.write("data/large", &content);
    home.snapshot();
    damage_in_the_middle(&home);
    let output = bytes(&home, &["dump", "latest:large"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(content.starts_with(&output.stdout) && output.stdout.len() < content.len());
    assert!(said.contains(&format!("first {} bytes are good", output.stdout.len())), "{said}");
    assert!(said.contains("hint: `lbak verify --read-data`"), "{said}");
    let output = bytes(&home, &["dump", "latest:large", "--verify-first"]);
    assert_eq!(output.status.code(), Some(20));
    assert!(output.stdout.is_empty(), "nothing is written when all is checked first");
}

/// Flips a bit behind the middle of the largest pack.
pub(crate) fn damage_in_the_middle(home: &Home) {
    let size = |path: &std::path::PathBuf| fs::metadata(path).expect("a pack").len();
    let pack = home.objects("packs").into_iter().max_by_key(size).expect("a pack");
    let mut bytes = fs::read(&pack).expect("a pack");
    let middle = bytes.len() * 6 / 10;
    bytes[middle] ^= 1;
    fs::remove_file(&pack).expect("a pack");
    fs::write(pack, bytes).expect("a pack");
}

#[test]
fn a_pipe_that_is_closed_ends_it_quietly() {
    let home = Home::with_repository();
    home.write("data/large", noise(5, 3_000_000));
    home.snapshot();
    for part in ["latest", "latest:large"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = home.command(["dump", part, "-q"]);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_terminal_gets_text_and_nothing_else() {
    let home = Home::with_repository();
    home.write("data/raw", noise(1, 1_000));
    home.write("data/escape", "harmless \x1b[31m");
    home.snapshot();
    let at_terminal = |part: &str| {
        let words = format!("'{}' dump -q 'latest:{part}'", env!("CARGO_BIN_EXE_lbak"));
        let lbak = home.command::<_, &str>([]);
        let mut command = Command::new("script");
        command.args(["-qec", &words, "/dev/null"]).current_dir(home.path("")).stdin(Stdio::null()).env_clear();
        command.envs(lbak.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().ok()?;
        Some((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let Some((code, shown)) = at_terminal("a") else {
        return not_run("this system has no `script` to make a terminal with");
    };
    assert_eq!((code, shown.as_str()), (Some(0), "the first file"));
    for part in ["raw", "escape", "sub"] {
        let (code, shown) = at_terminal(part).expect("it was there before");
        assert_eq!(code, Some(2), "{shown}");
        assert!(shown.starts_with("lbak: refusing to write binary data to a terminal"), "{shown:?}");
    }
}

#[test]
fn json_stands_beside_the_stream() {
    let home = Home::with_repository();
    home.snapshot();
    let run = home.run(["dump", "latest:a", "--json"]).expect_code(0);
    assert_eq!(run.stdout, "the first file");
    let summary = run.stderr.lines().last().expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(summary).expect("JSON");
    assert_eq!((&summary["message_type"], &summary["bytes"]), (&"summary".into(), &14.into()));
    let run = home.run(["dump", "latest", "--json", "-o", "out.tar"]).expect_code(0);
    let summary = run.message("summary");
    assert_eq!(
        (&summary["archive"], &summary["entries"], &summary["output"]),
        (&true.into(), &4.into(), &"out.tar".into())
    );
}
