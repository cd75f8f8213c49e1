//! Lists of paths.

use super::*;

/// Runs the binary with a list on its standard input.
fn run_with_input(home: &Home, arguments: &[&str], input: &[u8]) -> Run {
    let mut command = home.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // A program that refuses its arguments does not read.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    Run::of(&child.wait_with_output().expect("it ends"))
}

fn paths_of_newest(home: &Home) -> Vec<String> {
    let prefix = format!("{}/", home.text(""));
    let prefix = prefix.replace("//", "/");
    let paths = home.newest().manifest.paths;
    let text = |path: &Vec<u8>| String::from_utf8_lossy(path).strip_prefix(&prefix).map(str::to_owned);
    paths.iter().map(|path| text(path).expect("in the home")).collect()
}

#[test]
fn files_from_names_more_paths_as_they_stand() {
    let home = home();
    home.write("# odd *", "a name as it stands");
    home.write("list", "data/large\n\n# odd *\ndata/sub/deep\ndata/sub/deep/d.tmp\n");
    home.run(["snapshot", "data/a", "--files-from", "list"]).expect_code(0);
    assert_eq!(paths_of_newest(&home), ["# odd *", "data/a", "data/large", "data/sub/deep"]);
    let run = run_with_input(&home, &["snapshot", "--files-from", "-", "--json"], b"data/sub\ndata/a");
    assert_eq!(run.expect_code(0).message("summary")["total_files_processed"], 4);
    assert_eq!(paths_of_newest(&home), ["data/a", "data/sub"]);
    // Relative to the working directory, like any other path; excludes hold below what is named.
    let deep = home
        .command(["snapshot", "--files-from", "-", "-e", "*.tmp", "--json"])
        .current_dir(home.path("data/sub"))
        .stdin(Stdio::from(fs::File::open(home.path("list")).expect("the list")))
        .output();
    Run::of(&deep.expect("the binary runs"))
        .expect_code(1)
        .expect_stderr("line 1 of standard input: cannot read data/large");
}

#[test]
fn files_from0_names_what_no_line_can() {
    let home = home();
    let odd = std::ffi::OsStr::from_bytes(b"data/new\nline\xff");
    fs::write(home.path("").join(odd), "odd").expect("a file");
    home.write("list", b"data/new\nline\xff\0data/a\0");
    home.run(["snapshot", "--files-from0", "list"]).expect_code(0);
    let paths = home.newest().manifest.paths;
    assert!(paths.len() == 2 && paths[1].ends_with(b"/data/new\nline\xff"), "{paths:?}");
    run_with_input(&home, &["snapshot", "--files-from0", "-"], b"data/a\0").expect_code(0);
    assert_eq!(paths_of_newest(&home), ["data/a"]);
}

#[test]
fn a_list_that_names_nothing_or_what_is_not_there_stores_nothing() {
    let home = home();
    home.write("list", "data/a\n\ndata/no\x1bwhere\n");
    let missing = home.run(["snapshot", "--files-from", "list"]).expect_code(1);
    missing.expect_stderr("line 3 of list: cannot read data/no\\x1bwhere: No such file");
    home.write("nul", "data/a\0nowhere\0");
    home.run(["snapshot", "--files-from0", "nul"]).expect_code(1).expect_stderr("path 2 of nul: cannot read nowhere");
    home.write("cut", "data/a\0data");
    home.run(["snapshot", "--files-from0", "cut"]).expect_code(1).expect_stderr("so the list was cut off");
    let empty = run_with_input(&home, &["snapshot", "--files-from", "-"], b"\n");
    empty.expect_code(1).expect_stderr("no path is named in standard input: nothing was stored");
    home.run(["snapshot", "--files-from", "nowhere"]).expect_code(1).expect_stderr("cannot read nowhere: No such file");
    home.run(["snapshot", "--files-from", "-", "--files-from0", "-"]).expect_code(2).expect_stderr("one list only");
    home.run(["snapshot"]).expect_code(2);
    home.write("inside", "data/a\nrepository/keys\n");
    home.run(["snapshot", "--files-from", "inside"]).expect_code(2).expect_stderr("lies in, the repository");
    assert_eq!(home.run(["snapshots", "--json"]).expect_code(0).stdout, "");
    // A list that is empty today is no reason to leave out what is named beside it.
    run_with_input(&home, &["snapshot", "data", "--files-from", "-"], b"").expect_code(0);
}

#[test]
fn a_long_list_is_told_in_a_line_that_can_be_read() {
    let home = Home::with_repository();
    let mut list = String::new();
    for number in 0..3000 {
        home.write(&format!("many/{number}"), "x");
        list.push_str(&format!("many/{number}\n"));
    }
    home.write("list", &list);
    let run = home.run(["snapshot", "--files-from", "list"]).expect_code(0);
    assert!(run.stdout.lines().next().is_some_and(|line| line.ends_with("… and 2,997 more")), "{}", run.stdout);
    assert_eq!(home.newest().manifest.paths.len(), 3000);
    let run = home.run(["snapshot", "--files-from", "list", "--json"]).expect_code(0);
    assert_eq!(run.message("summary")["lineage"], "incremental", "the same list is the same group");
    let listed = home.run(["snapshots"]).expect_code(0).stdout;
    assert!(listed.contains("… and 2,997 more") && listed.len() < 5000, "{listed}");
    home.snapshot();
    let ambiguous = home.run(["ls", "latest"]).expect_code(22);
    assert!(ambiguous.stderr.contains("and 2,997 more") && ambiguous.stderr.len() < 5000, "{}", ambiguous.stderr);
}
