//! Small objects that do not open, through the binary: verify says 20 and what to do; that is done, and verify says 0.

use std::path::Path;

use crate::home::{Home, damage};

fn name(path: &Path) -> String {
    let parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_str().expect("text")).collect();
    format!("{}/{}", parts[1], parts[0])
}

/// Damages an object, has verify name it and the command that helps, runs that, and has verify tell that it was set aside.
fn told_repaired_told(home: &Home, path: &Path, repair: &[&str]) {
    damage(path);
    let name = name(path);
    let command = format!("`lbak {}`", repair.join(" "));
    home.run(["verify"]).expect_code(20).expect_stdout(&format!("damaged: {name}")).expect_stderr(&command);
    let dry: Vec<&str> = repair.iter().copied().chain(["--dry-run"]).collect();
    let before = home.objects("");
    home.run(&dry);
    assert_eq!(home.objects(""), before, "{name}: a dry run changes nothing");
    home.run(repair).expect_code(0);
    assert!(path.exists(), "{name}: nothing is deleted");
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["verify", "-v"]).expect_code(0).expect_stderr(&format!("set aside: {name}"));
    let told = home.run(["verify", "--json"]).expect_code(0);
    assert_eq!(told.message("set_aside")["object"], name);
    home.run(repair).expect_code(0).expect_stdout("nothing to do");
    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["snapshots"]).expect_code(0);
}

#[test]
fn records_of_sessions_and_readings_and_of_what_was_forgotten() {
    for folder in ["sessions", "readings", "forgotten"] {
        let home = Home::with_repository();
        home.snapshot();
        home.run(["tag", "latest", "--add", "kept"]).expect_code(0);
        home.run(["verify", "--read-data", "--max-bytes", "1G"]).expect_code(0);
        let path = home.objects(folder).remove(0);
        told_repaired_told(&home, &path, &["repair", "records"]);
    }
}

#[test]
fn records_of_damaged_packs_and_of_what_was_set_aside() {
    let home = Home::with_repository();
    home.snapshot();
    let pack = home.objects("packs").remove(0);
    damage(&pack);
    home.run(["repair", "packs"]);
    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["verify", "--read-data"]).expect_code(0);
    damage(&home.objects("damaged").remove(0));
    home.run(["verify"]).expect_code(20).expect_stderr("`lbak repair records`");
    let run = home.run(["repair", "records", "--json"]).expect_code(0);
    assert_eq!((&run.message("summary")["set_aside"], &run.message("summary")["left"]), (&1.into(), &0.into()));
    home.run(["verify", "--read-data"]).expect_code(0);

    let aside = home.objects("aside").remove(0);
    let shown = home.run(["cat", "aside", "0"]).expect_code(0);
    assert!(shown.stdout.contains("damaged/") && shown.stdout.contains("\"by\""), "{shown:?}");
    damage(&aside);
    home.run(["verify"]).expect_code(20).expect_stdout("damaged: aside/").expect_stdout("damaged: damaged/");
    home.run(["repair", "records"]).expect_code(0).expect_stdout("2 objects set aside");
    home.run(["verify", "--read-data"]).expect_code(0);
}

#[test]
fn the_round_that_says_what_counts() {
    let home = Home::with_repository();
    home.snapshot();
    damage(&home.objects("index").remove(0));
    home.run(["repair", "index"]).expect_code(0);
    damage(&home.objects("fin").remove(0));
    home.run(["verify"]).expect_code(20).expect_stdout("damaged: fin/").expect_stderr("`lbak repair index`");
    let left = home.run(["repair", "records"]).expect_code(20);
    left.expect_stdout("left: fin/").expect_stderr("next: `lbak verify`");
    home.run(["repair", "index"]).expect_code(0);
    home.run(["verify", "--read-data"]).expect_code(0);
}

#[test]
fn what_a_damaged_record_of_a_snapshot_held_is_a_snapshot_again() {
    let home = Home::with_repository();
    home.snapshot();
    let slot = home.objects("snapshots").remove(0);
    damage(&slot);
    let verified = home.run(["verify"]).expect_code(20).expect_stdout(&format!("damaged: {}", name(&slot)));
    verified.expect_stdout("it was begun by").expect_stderr("`lbak repair snapshots`");
    home.run(["restore", "latest", "lost"]).expect_code(20);
    home.run(["repair", "snapshots", "-n"]).expect_code(0).expect_stdout("would be a new snapshot");
    let run = home.run(["repair", "snapshots", "--json"]).expect_code(0);
    let told = run.message("record_repaired");
    assert_eq!((&told["outcome"], &told["object"]), (&"found".into(), &name(&slot).into()));
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["snapshots"]).expect_code(0);
    home.run(["restore", "latest", "again"]).expect_code(0);
    for file in ["a", "sub/b"] {
        assert_eq!(home.read(&format!("again/{file}")), home.read(&format!("data/{file}")));
    }
    let next = home.run(["snapshot", "data", "--json"]).expect_code(0).message("summary");
    assert_eq!((&next["compared_with"], &next["data_added"]), (&told["new_snapshot_ids"][0], &0.into()));
    home.run(["repair", "snapshots"]).expect_code(0).expect_stdout("nothing to do");
}

#[test]
fn a_record_that_held_what_another_holds_is_said_to_be_lost_once() {
    let home = Home::with_repository();
    home.snapshot();
    let before = home.objects("snapshots");
    home.snapshot();
    let slot = home.objects("snapshots").into_iter().find(|path| !before.contains(path)).expect("a second one");
    damage(&slot);
    home.run(["repair", "snapshots"])
        .expect_code(20)
        .expect_stdout("lost: a snapshot that held just what an earlier one holds");
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["verify", "-v"]).expect_code(0).expect_stderr("is lost");
    home.run(["repair", "snapshots"]).expect_code(0);
}

/// Slots of keys and config are mended by other commands: only their owner knows which password is still needed.
#[test]
fn damaged_keys_and_config_end_with_zero_by_their_own_commands() {
    let home = Home::with_repository();
    home.snapshot();
    home.write("password", "second");
    home.run(["key", "add", "--new-password-file", "password"]).expect_code(0);
    let list = home.run(["key", "list", "--json"]).expect_code(0).messages();
    let is_other = |slot: &&serde_json::Value| slot["opened_by"] != true && slot["id"].is_string();
    let other = list.iter().find(is_other).expect("the second")["id"].as_str().expect("an id").to_owned();
    damage(&home.path(&format!("repository/keys/{other}")));
    home.run(["verify"]).expect_code(20).expect_stdout(&format!("damaged: keys/{other}")).expect_stderr("`lbak key");
    home.run(["repair", "records"]).expect_code(20).expect_stdout("left: keys/");
    home.run(["key", "remove", &other]);
    home.run(["verify"]).expect_code(0);
    damage(&home.path("repository/config"));
    home.run(["verify"]).expect_code(20).expect_stderr("`lbak repair config`");
    home.run(["repair", "config"]);
    home.run(["verify"]).expect_code(0);
}

#[test]
fn everything_that_was_sealed_is_opened_again_when_that_is_asked_for() {
    let home = Home::with_repository();
    home.write("data/more", "some words, and again some words; ".repeat(200_000));
    let run = home.run(["snapshot", "data", "--paranoid", "--json"]).expect_code(0);
    assert_eq!(run.message("summary")["spoiled_blocks"], 0);
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["restore", "latest", "out"]).expect_code(0);
    assert!(home.read("out/more") == home.read("data/more"));
    let stream = home
        .command(["snapshot", "--paranoid", "--from-command", "--stdin-name", "said", "--", "echo", "words"])
        .output();
    assert!(stream.expect("it runs").status.success());
}

#[test]
fn what_was_read_when_is_shown() {
    let home = Home::with_repository();
    home.snapshot();
    home.run(["verify", "--read-data", "--max-bytes", "1G"]).expect_code(0);
    let packs = home.objects("packs").len();
    for digits in ["0", "0000000000000000", "readings/0000000000000000"] {
        let shown = home.run(["cat", "reading", digits]).expect_code(0).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["packs"].as_array().map(Vec::len), Some(packs));
        assert!(shown["at"].is_string() && shown["by"].is_string());
    }
}

/// Another repository of the same data has other keys, and so other ids: it can not be read from, but what it restores can be backed up.
#[test]
fn what_is_lost_here_comes_back_from_another_repository_by_a_restore_and_a_snapshot() {
    let home = Home::with_repository();
    home.write(
        "data/large",
        (0..400_000_u32).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<u8>>(),
    );
    let other = ["--repository", "other", "--key-file", "other-key"];
    let run = |words: &[&str]| home.run([words, &other[..]].concat());
    run(&["init"]).expect_code(0);
    run(&["snapshot", "data"]).expect_code(0);
    let old = home.snapshot();
    std::fs::rename(home.path("data"), home.path("kept")).expect("it is there");
    for pack in home.objects("packs") {
        if std::fs::read(&pack).expect("a pack")[4] == 4 {
            damage(&pack);
        }
    }
    home.run(["repair", "packs", "--from", "other"]).expect_code(12);
    home.run(["repair", "packs"]).expect_code(20);
    home.run(["verify", "--read-data"]).expect_code(20).expect_stdout("hurt: snapshot");
    run(&["restore", "latest", "data"]).expect_code(0);
    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["restore", &old, "out"]).expect_code(0);
    assert!(
        std::fs::read(home.path("out/large")).expect("restored")
            == std::fs::read(home.path("kept/large")).expect("kept")
    );
}
