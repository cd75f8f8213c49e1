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
        ("version", "--version"),
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
        (&["check", "--read-data-subset=10%"], "--read-data=SHARE"),
        (&["snapshots", "--no-lock"], "no locks"),
        (&["init", "--password", "x"], "--password-file"),
    ] {
        home.run(arguments).expect_code(2).expect_stderr("hint: ").expect_stderr(says);
    }
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
