//! `lbak repair`, through the binary: what a user does when verify says 20.

use std::{fs, path::PathBuf};

use crate::home::{Home, damage};

/// Old enough that no file is read again only because it is fresh, and large enough for several chunks.
fn with_data() -> Home {
    let home = Home::with_repository();
    for (number, name) in (0_u32..).zip(["data/one", "data/two", "data/sub/three"]) {
        let bytes: Vec<u8> =
            (0..400_000_u32).flat_map(|word| (word.wrapping_mul(2_654_435_761) ^ number).to_le_bytes()).collect();
        home.write(name, bytes);
    }
    home
}

/// The packs of data, or of trees: their kind stands in the clear.
fn packs(home: &Home, kind: u8) -> Vec<PathBuf> {
    let packs = home.objects("packs").into_iter();
    packs.filter(|pack| fs::read(pack).expect("a pack").get(4) == Some(&kind)).collect()
}

fn copy_folder(home: &Home, from: &str, to: &str) {
    let run = std::process::Command::new("cp").arg("-a").arg(home.path(from)).arg(home.path(to)).status();
    assert!(run.expect("cp runs").success());
}

#[test]
fn a_sound_repository_needs_nothing() {
    let home = with_data();
    home.snapshot();
    let before = home.objects("").len();
    home.run(["repair", "packs"]).expect_code(0).expect_stdout("none damaged: nothing to do");
    home.run(["repair", "snapshots"]).expect_code(0).expect_stdout("nothing is lost: nothing to do");
    assert_eq!(home.objects("").len(), before);
    home.run(["repair", "index"]).expect_code(0).expect_stdout("nothing to do");
    home.run(["verify", "--read-data"]).expect_code(0);
}

/// The whole story: a flipped byte, and the next backup of files that look unchanged heals it.
#[test]
fn a_damaged_pack_is_healed_by_the_next_snapshot_though_no_file_changed() {
    let home = with_data();
    let old = home.snapshot();
    let pack = packs(&home, 4).remove(0);
    damage(&pack);
    home.run(["verify", "--read-data"]).expect_code(20);
    let before = home.objects("").len();
    home.run(["repair", "packs", "--dry-run"]).expect_code(20).expect_stdout("damaged: packs/");
    assert_eq!(home.objects("").len(), before, "a dry run changes nothing");
    let run = home.run(["repair", "packs", "--json"]).expect_code(20);
    let told = run.message("pack_repaired");
    assert_eq!(told["pack"].as_str(), pack.file_name().and_then(|name| name.to_str()));
    assert!(told["chunks_lost"].as_u64() > Some(0) && told["known"] == true, "{told}");
    assert_eq!(run.message("summary")["whole"], false);
    assert!(pack.exists(), "nothing is deleted");

    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["verify", "--read-data"]).expect_code(0);
    let told = home.run(["verify", "--read-data", "--json"]).expect_code(0).message("summary");
    assert_eq!((&told["sound"], &told["set_aside"]), (&true.into(), &1.into()));
    home.run(["restore", &old, "old"]).expect_code(0);
    home.run(["restore", "latest", "new"]).expect_code(0);
    for name in ["one", "two", "sub/three", "a", "sub/b"] {
        let source = fs::read(home.path(&format!("data/{name}"))).expect("a source");
        for restored in ["old", "new"] {
            assert!(
                fs::read(home.path(&format!("{restored}/{name}"))).expect("restored") == source,
                "{restored}/{name}"
            );
        }
    }
    home.run(["repair", "packs"]).expect_code(0).expect_stdout("0 lost");
}

#[test]
fn a_single_pack_is_repaired_from_a_copy() {
    let home = with_data();
    let id = home.snapshot();
    copy_folder(&home, "repository", "mirror");
    let pack = packs(&home, 4).remove(0);
    fs::remove_file(&pack).expect("it was there");
    home.run(["verify"]).expect_code(20);
    let name = pack.file_name().and_then(|name| name.to_str()).expect("hex").to_owned();
    let named = format!("packs/{}/{name}", &name[..2]);
    home.run(["repair", "packs", &named, "--from", "mirror"]).expect_code(0).expect_stdout("from a copy), 0 lost");
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["restore", &id, "out"]).expect_code(0);
    assert!(fs::read(home.path("out/one")).expect("restored") == fs::read(home.path("data/one")).expect("a source"));

    let stranger = with_data();
    fs::copy(home.path("key"), stranger.path("key2")).expect("a key");
    home.run(["repair", "packs", "--from", "nowhere"]).expect_code(10);
    home.run(["repair", "packs", "--from", &stranger.text("repository")]).expect_code(12);
    home.run(["repair", "packs", "0123"]).expect_code(2).expect_stderr("64 hex digits");
}

#[test]
fn a_lost_index_comes_back() {
    let home = with_data();
    let id = home.snapshot();
    for segment in home.objects("index") {
        fs::remove_file(segment).expect("it was there");
    }
    home.run(["verify"]).expect_code(20);
    let dry = home.run(["repair", "index", "--dry-run", "--json"]).expect_code(0).message("index_repaired");
    assert_eq!((&dry["dry_run"], &dry["changed"]), (&true.into(), &true.into()));
    assert_eq!(home.objects("index").len(), 0);
    home.run(["repair", "index"]).expect_code(0).expect_stdout("indexed anew");
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["restore", &id, "out"]).expect_code(0);
    assert_eq!(home.read("out/sub/b"), "the second file");
    let told = home.run(["snapshot", "data", "--json"]).expect_code(0).message("summary");
    assert_eq!(told["data_added"], 0);
}

#[test]
fn a_damaged_segment_is_set_aside() {
    let home = with_data();
    home.snapshot();
    let segment = home.objects("index").remove(0);
    damage(&segment);
    home.run(["verify"]).expect_code(20);
    home.run(["repair", "index"]).expect_code(0).expect_stdout("1 segment set aside");
    assert!(segment.exists(), "nothing is deleted");
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["verify", "--no-key"]).expect_code(20).expect_stdout("index/");
}

/// What is gone for good: the file can not be had again.
#[test]
fn what_is_left_of_a_snapshot_stands_beside_it() {
    let home = with_data();
    let old = home.snapshot();
    let pack = packs(&home, 4).remove(0);
    damage(&pack);
    home.run(["repair", "packs"]).expect_code(20);
    home.run(["repair", "snapshots", "--dry-run"]).expect_code(20).expect_stdout("would be a new snapshot");
    let told = home.run(["repair", "snapshots", "latest", "--json"]).expect_code(20).message("snapshot_repaired");
    assert_eq!((&told["outcome"], &told["snapshot_id"]), (&"written".into(), &old.as_str().into()));
    let new = told["new_snapshot_id"].as_str().expect("an id").to_owned();
    assert!(told["files_lost"].as_u64() > Some(0) && told["bytes_lost"].as_u64() > Some(0), "{told}");
    let listed = home.run(["snapshots", "--json"]).expect_code(0);
    let listed = listed.messages();
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[1]["id"].as_str(), &listed[1]["complete"]), (Some(new.as_str()), &false.into()));
    home.run(["repair", "snapshots", &old]).expect_code(20).expect_stdout("already");

    let run = home.run(["restore", &new, "out"]).expect_code(20).expect_stderr(".lbak-partial");
    let mut partial = 0;
    for name in ["one", "two", "sub/three", "a", "sub/b"] {
        let source = fs::read(home.path(&format!("data/{name}"))).expect("a source");
        match fs::read(home.path(&format!("out/{name}"))) {
            Ok(restored) => assert!(restored == source, "{name}"),
            Err(_) => {
                partial += 1;
                let left = fs::read(home.path(&format!("out/{name}.lbak-partial"))).expect("what is left");
                assert_eq!(left.len(), source.len(), "{name}");
                assert!(left.iter().zip(&source).all(|(left, byte)| left == byte || *left == 0), "{name}");
            }
        }
    }
    assert!(partial > 0, "{run:?}");
    home.run(["dump", &new, "--archive", "tar", "-o", "all.tar"]).expect_code(20);

    // The new one has files with holes that look as the files do: they are read again.
    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["restore", "latest", "again"]).expect_code(0);
    assert!(fs::read(home.path("again/one")).expect("restored") == fs::read(home.path("data/one")).expect("a source"));
    home.run(["verify", "--read-data"]).expect_code(0);
}

#[test]
fn a_lost_tree_costs_what_is_below_it() {
    let home = with_data();
    home.write("data/sub/deep/file", "deep");
    home.snapshot();
    // One of the trees is in a pack of its own when it comes later.
    home.write("data/late/file", "late");
    let old = home.snapshot();
    let trees = packs(&home, 5);
    assert_eq!(trees.len(), 2);
    let mut outcomes = Vec::new();
    for pack in trees {
        let sound = fs::read(&pack).expect("a pack");
        damage(&pack);
        let told = home.run(["repair", "snapshots", &old, "--read-data", "--dry-run", "--json"]);
        outcomes.extend(told.messages().into_iter().filter(|told| told["message_type"] == "snapshot_repaired"));
        fs::remove_file(&pack).expect("it is there");
        fs::write(&pack, sound).expect("it is written");
    }
    let kinds: Vec<&str> = outcomes.iter().filter_map(|told| told["outcome"].as_str()).collect();
    // The first pack has the tree of `sub`, which both snapshots share, the second the list of roots of the second.
    assert!(kinds.len() == 2 && kinds.contains(&"nothing_left") && kinds.contains(&"would_be_written"), "{outcomes:?}");
    assert!(outcomes.iter().any(|told| told["directories_lost"] == 1), "{outcomes:?}");
    home.run(["verify", "--read-data"]).expect_code(0);
}
