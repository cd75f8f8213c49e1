//! What people type who know other programs, and what is misspelt.

use crate::home::Home;

#[test]
fn what_is_misspelt_is_suggested() {
    let home = Home::with_repository();
    home.run(["snaphot", "data"]).expect_code(2).expect_stderr("'snapshot'");
    home.run(["snapshot", "data", "--linage", "full"]).expect_code(2).expect_stderr("'--lineage'");
    home.run(["snapshot", "data", "--lineage", "ful"]).expect_code(2).expect_stderr("'full'");
    home.run(["key", "chnge"]).expect_code(2).expect_stderr("'change'");
}

#[test]
fn words_of_restic_and_borg_with_an_equal_are_understood() {
    let home = Home::with_repository();
    home.run(["backup", "data"]).expect_code(0);
    home.run(["check", "--repo", &home.text("repository")]).expect_code(0);
    home.write("password", "p");
    home.run(["key", "add", "--new-password-file", "password"]).expect_code(0);
    home.write("other", "q");
    home.run(["key", "passwd", "--password-file", "password", "--new-password-file", "other"]).expect_code(0);
}

#[test]
fn words_without_an_equal_are_answered_in_one_line() {
    let home = Home::empty();
    for (word, says) in [
        ("forget", "`lbak tag`"),
        ("prune", "reclaim"),
        ("mount", "`lbak ls`"),
        ("unlock", "without locks"),
        ("rebuild-index", "index"),
        ("migrate", "one format"),
        ("rewrite", "`lbak tag`"),
        ("copy", "folder"),
        ("recover", "`lbak verify`"),
        ("self-update", "installed"),
        ("cache", "no cache"),
        ("list", "`lbak snapshots`"),
        ("create", "`lbak snapshot"),
        ("extract", "`lbak restore"),
        ("info", "`lbak stats`"),
        ("delete", "`lbak tag`"),
        ("break-lock", "without locks"),
    ] {
        let run = home.run([word, "--keep-last", "3"]).expect_code(2).expect_stderr(says);
        assert_eq!(run.stderr.lines().count(), 2, "{run:?}");
        assert!(run.stderr.starts_with(&format!("lbak: there is no command `{word}`\nhint: ")), "{run:?}");
    }
    home.run(["--json", "-r", "x", "forget"]).expect_code(2).expect_stderr("`forget`");
    home.run(["nonsense"]).expect_code(2).expect_stderr("unrecognized subcommand");
}

#[test]
fn options_without_an_equal_are_answered() {
    let home = Home::empty();
    for (arguments, says) in [
        (&["backup", "data", "--force"][..], "--lineage full"),
        (&["backup", "data", "-f"], "--lineage full"),
        (&["backup", "data", "--skip-if-unchanged"], "leave it out"),
        (&["backup", "data", "--parent", "latest"], "--lineage full"),
        (&["-p", "password", "snapshots"], "--password-file"),
        (&["snapshots", "-ppassword"], "--password-file"),
        (&["snapshots", "--repository-file", "f"], "-r \"$(cat FILE)\""),
        (&["backup", "data", "--limit-upload", "100"], "object stores"),
        (&["init", "--copy-chunker-params"], "`copy`"),
        (&["init", "/mnt/backup"], "`lbak init -r PLACE`"),
        (&["init", "-e", "repokey"], "every repository is encrypted"),
        (&["check", "/mnt/backup"], "-r PLACE"),
        (&["check", "/mnt/backup::archive"], "-r PLACE"),
        (&["check", "--verify-data"], "--read-data"),
        (&["find", "--blob", "3fa2"], "`lbak cat`"),
        (&["find", "a", "-N", "2020-01-01"], "--older TIME"),
        (&["find", "a", "-O", "2020-01-01"], "--newer TIME"),
        (&["stats", "--mode", "raw-data"], "both shown"),
        (&["ls", "latest", "--human-readable"], "leave it out"),
        (&["restore", "latest", "out", "--sparse"], "leave it out"),
        (&["key", "add", "--user", "me"], "--label TEXT"),
        (&["snapshots", "--keep-daily", "7"], "can not forget"),
        (&["snapshots", "--no-lock"], "no locks"),
        (&["init", "--password", "x"], "--password-file"),
    ] {
        let run = home.run(arguments).expect_code(2).expect_stderr("hint: ").expect_stderr(says);
        assert_eq!(run.stderr.lines().count(), 2, "{run:?}");
    }
}

#[test]
fn arguments_of_restic_with_an_equal_are_understood() {
    let home = Home::with_repository();
    let id = home.snapshot();
    let data = home.text("data");
    for arguments in [
        &["restore", "latest", "-t", "out"][..],
        &["restore", "latest", "--target", "out2"],
        &["dump", "latest", "-a", "tar", "-t", "out.tar"],
        &["check", "--read-data-subset", "1/2"],
        &["check", "--read-data-subset=10%"],
        &["ls", "latest", "-s", "mtime"],
        &["snapshots", "-g", "host"],
        &["snapshots", "-H", "nobody", "--last", "1"],
        &["backup", "data", "-H", "elsewhere", "--files-from-verbatim", "/dev/null"],
    ] {
        home.run(arguments).expect_code(0);
    }
    assert_eq!(home.read("out/a"), home.read("out2/a"));
    assert!(home.path("out.tar").is_file());
    home.run(["dump", &id, &format!("{data}/sub/b")]).expect_code(0).expect_stdout("the second file");
    home.run(["dump", &id, "sub/b"]).expect_code(0).expect_stdout("the second file");
    let listed = home.run(["ls", &id, &format!("{data}/sub")]).expect_code(0).stdout;
    assert!(listed.contains("sub/b") && !listed.contains("data/a"), "{listed}");
    home.run(["ls", &format!("{id}:sub"), "sub"]).expect_code(2).expect_stderr("two paths");
    let listed = home.run(["snapshots", &id[..8], "--json"]).expect_code(0).messages();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"].as_str(), Some(id.as_str()));
    home.run(["snapshots", "ffffffffff"]).expect_code(22);
    home.write("input", "from a program");
    let mut command = home.command(["backup", "--stdin", "--stdin-filename", "db.sql"]);
    command.stdin(std::fs::File::open(home.path("input")).expect("a file"));
    crate::home::Run::of(&command.output().expect("the binary runs")).expect_code(0);
    home.run(["dump", "latest:/db.sql"]).expect_code(0).expect_stdout("from a program");
}

#[test]
fn the_version_is_told_however_it_is_asked_for() {
    let home = Home::empty();
    let said = home.run(["--version"]).expect_code(0).stdout;
    assert_eq!(home.run(["version"]).expect_code(0).stdout, said);
    let version = home.run(["version", "--json"]).expect_code(0).message("version");
    assert_eq!(version["version"].as_str(), said.trim().strip_prefix("lbak "));
}

#[test]
fn nobody_is_told_to_make_a_path_of_a_misspelt_option() {
    let home = Home::empty();
    let run = home.run(["snapshot", "data", "-Z"]).expect_code(2);
    assert!(!run.stderr.contains("as a value") && run.stderr.contains("unexpected argument"), "{run:?}");
    home.run(["restore", "latest", "out", "--in-plac"]).expect_code(2).expect_stderr("'--in-place'");
}

#[test]
fn a_list_of_tags_is_not_taken_for_a_tag() {
    let home = Home::with_repository();
    home.run(["backup", "data", "--tag", "a,b"]).expect_code(2).expect_stderr("once for each tag");
    home.run(["backup", "data", "--tag", "a", "--tag", "b"]).expect_code(0);
    home.run(["tag", "latest", "--add", "c,d"]).expect_code(2);
    home.run(["tag", "latest", "--set", "c,d"]).expect_code(2);
    home.run(["snapshots", "--tag", "a,b"]).expect_code(2);
    assert_eq!(home.newest().manifest.tags, ["a", "b"]);
    // What a library made of it can be taken away.
    home.commit_like_newest(|manifest| {
        manifest.id.0[0] ^= 1;
        manifest.ended_at.seconds += 1;
        manifest.tags = vec!["c,d".into()];
    });
    home.run(["tag", "latest", "--remove", "c,d"]).expect_code(0).expect_stdout("no tags");
}

#[test]
fn variables_of_restic_are_not_read_and_that_is_said() {
    let home = Home::with_repository();
    let text = home.text("repository");
    let run = |name: &str, value: &str, key: &[&str]| {
        let mut command = home.command(["snapshots"].iter().chain(key));
        command.env_remove("LBAK_REPOSITORY").env_remove("LBAK_KEY_FILE").env(name, value);
        crate::home::Run::of(&command.output().expect("the binary runs"))
    };
    run("RESTIC_REPOSITORY", &text, &[]).expect_code(10).expect_stderr("RESTIC_REPOSITORY is not lbak's");
    run("RESTIC_PASSWORD", "secret", &["-r", &text]).expect_code(12).expect_stderr("RESTIC_PASSWORD is not lbak's");
    let mut command = home.command(["snapshot", "data"]);
    command.env_remove("LBAK_REPOSITORY").env_remove("LBAK_KEY_FILE").env("RESTIC_REPOSITORY", &text);
    let run = crate::home::Run::of(&command.output().expect("the binary runs")).expect_code(0);
    run.expect_stderr("RESTIC_REPOSITORY is not lbak's");
}
