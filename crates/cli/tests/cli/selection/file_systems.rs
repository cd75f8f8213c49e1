//! Mount points, pseudo file systems, and the repository.

use super::*;

fn is_proc_there() -> bool {
    let is_there = Path::new("/proc/version").exists();
    if !is_there {
        not_run("no proc is mounted here");
    }
    is_there
}

/// Takes of `/` only what options ask for, and returns what is below it.
fn take_root(home: &Home, options: &[&str]) -> (Vec<String>, Vec<(String, u64)>) {
    let run = home.run(["snapshot", "/", "--json"].iter().chain(options)).expect_code(0);
    let listed = home.run(["ls", "latest", "-R", "--json"]).expect_code(0).messages();
    let paths = listed.iter().filter_map(|node| Some(node["path"].as_str()?.to_owned()));
    (paths.collect(), excluded(&run.message("summary")))
}

#[test]
fn pseudo_file_systems_are_kept_empty_unless_they_are_asked_for() {
    if !is_proc_there() {
        return;
    }
    let home = Home::with_repository();
    let (names, excluded) = take_root(&home, &["--include", "/proc"]);
    assert_eq!(names, ["/proc"]);
    assert!(excluded.contains(&("pseudo_file_system".to_owned(), 1)), "{excluded:?}");
    let (names, _) = take_root(&home, &["--include", "/proc/version", "--include-pseudo-filesystems"]);
    assert_eq!(names, ["/proc", "/proc/version"]);
    // Who names one means it.
    let run = home.run(["snapshot", "/proc/sys/kernel", "--include", "ostype", "--json"]).expect_code(0);
    assert_eq!(run.message("summary")["total_files_processed"], 1);
    let run = home.run(["snapshot", "/", "--include", "/proc", "--dry-run", "-v"]).expect_code(0);
    assert!(run.stdout.contains("left out /proc: what is in it, on a pseudo file system\n"), "{}", run.stdout);
}

#[test]
fn one_file_system_keeps_mount_points_empty() {
    if !is_proc_there() {
        return;
    }
    let home = Home::with_repository();
    let options = ["--include", "/proc", "--include-pseudo-filesystems", "--one-file-system"];
    let (names, excluded) = take_root(&home, &options);
    assert_eq!(names, ["/proc"]);
    assert!(excluded.contains(&("other_file_system".to_owned(), 1)), "{excluded:?}");
    let run = home.run(["snapshot", "/proc/sys/kernel", "--include", "ostype", "-x", "--json"]).expect_code(0);
    assert_eq!(run.message("summary")["total_files_processed"], 1, "a root is on its own file system");
}

#[test]
fn a_mount_below_a_root_is_another_file_system() {
    let home = Home::with_repository();
    let script = "mkdir data/mount; mount -t tmpfs none data/mount; echo x > data/mount/x; \
                  $0 snapshot data --json; $0 snapshot data -x --json";
    let Some(run) = in_namespace(&home, script) else { return };
    let run = run.expect_code(0);
    let summaries: Vec<_> = run.messages().into_iter().filter(|message| message["message_type"] == "summary").collect();
    assert_eq!(summaries.iter().map(|summary| &summary["total_files_processed"]).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(excluded(&summaries[1]), reason("other_file_system", 1));
    assert_eq!(stored(&home, "data"), ["a", "mount", "sub", "sub/b"]);
}

#[test]
fn the_repository_is_left_out_by_all_its_names_and_that_is_said() {
    let home = Home::with_repository();
    symlink(home.path("repository"), home.path("data/link")).expect("a link");
    let run = home.run(["snapshot", ".", "-v"]).expect_code(0);
    let said = format!("left out {}: it is the repository", home.text("repository"));
    run.expect_stderr(&said);
    let run = home.run(["snapshot", ".", "--json"]).expect_code(0);
    assert_eq!(excluded(&run.message("summary")), reason("repository", 1), "a link in it stays a link");
    // Through a link, as PLACE too.
    let run = home.run(["snapshot", ".", "--json", "-r", "data/link"]).expect_code(0);
    assert_eq!(excluded(&run.message("summary")), reason("repository", 1));
    home.run(["snapshot", "data/link/"]).expect_code(2).expect_stderr("lies in, the repository");

    let script =
        "mkdir data/bound; mount --bind repository data/bound; $0 snapshot data --json; $0 snapshot data/bound";
    let Some(run) = in_namespace(&home, script) else { return };
    let run = run.expect_code(2).expect_stderr("lies in, the repository");
    assert_eq!(excluded(&run.message("summary")), reason("repository", 1));
    assert_eq!(run.message("summary")["total_files_processed"], 2);
}
