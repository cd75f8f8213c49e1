//! `lbak repair add-parity`, and what it is for, through the binary.

use std::fs;

use crate::home::{Home, damage};

fn with_data() -> Home {
    let home = Home::with_repository();
    home.write("data/large", lbak_testkit::objects::noise(1, 3_000_000));
    home
}

fn packs(home: &Home, kind: u8) -> Vec<std::path::PathBuf> {
    let packs = home.objects("packs").into_iter();
    packs.filter(|pack| fs::read(pack).expect("a pack").get(4) == Some(&kind)).collect()
}

fn assert_restores(home: &Home, id: &str, target: &str) {
    home.run(["restore", id, target]).expect_code(0);
    let restored = fs::read(home.path(&format!("{target}/large"))).expect("restored");
    assert!(restored == fs::read(home.path("data/large")).expect("a source"));
}

/// A flipped byte, with the source gone: parity alone brings it back.
#[test]
fn a_flipped_byte_is_healed() {
    let home = with_data();
    let id = home.snapshot();
    let before = home.objects("").len();
    home.run(["repair", "add-parity", "--dry-run"]).expect_code(0).expect_stdout("would be covered");
    assert_eq!(home.objects("").len(), before);
    home.run(["repair", "add-parity"]).expect_code(0).expect_stdout("2 packs").expect_stdout("0 had enough");
    home.run(["repair", "add-parity"]).expect_code(0).expect_stdout("nothing to do");
    home.run(["verify", "--read-data"]).expect_code(0);
    let pack = packs(&home, 4).remove(0);
    damage(&pack);
    let run = home.run(["verify", "--read-data"]).expect_code(20).expect_stdout("can be healed: `lbak repair packs`");
    let run = run.expect_stderr("next: `lbak repair packs` heals the damaged pack by parity: nothing of it is lost");
    assert!(!run.stderr.contains("saves what still opens"), "{}", run.stderr);
    let run = home.run(["verify", "--no-key"]).expect_code(20).expect_stdout("can be healed");
    run.expect_stderr("heals the damaged pack by parity");
    let told = home.run(["verify", "--read-data", "--json"]).expect_code(20).message("healable");
    let name = pack.file_name().and_then(|name| name.to_str()).expect("hex");
    assert_eq!(told["object"], format!("packs/{}/{name}", &name[..2]));
    let run = home.run(["repair", "packs", "--json"]).expect_code(0);
    let told = run.message("pack_repaired");
    assert_eq!((&told["healed"], &told["chunks_lost"]), (&"stored_anew".into(), &0.into()), "{told}");
    assert!(pack.exists(), "nothing is deleted");
    home.run(["verify", "--read-data"]).expect_code(0);
    assert_restores(&home, &id, "out");
}

#[test]
fn a_missing_pack_is_put_back_where_parity_allows_it() {
    let home = with_data();
    let id = home.snapshot();
    home.run(["repair", "add-parity"]).expect_code(0).expect_stderr("");
    let told = home.run(["repair", "add-parity", "--percent", "100", "--json"]).expect_code(0).message("parity_added");
    assert_eq!((&told["packs_added"], &told["packs_outlived"]), (&2.into(), &2.into()), "{told}");
    let pack = packs(&home, 4).remove(0);
    let bytes = fs::read(&pack).expect("a pack");
    fs::remove_file(&pack).expect("it was there");
    home.run(["verify"]).expect_code(20).expect_stdout("can be healed");
    let run = home.run(["verify", "--no-key"]).expect_code(20).expect_stdout("it is missing: parity/");
    run.expect_stdout("can be healed").expect_stderr("heals the damaged pack by parity");
    home.run(["repair", "packs", "--dry-run"]).expect_code(0);
    assert!(!pack.exists());
    home.run(["repair", "packs"]).expect_code(0).expect_stdout("healed by parity, it is whole again");
    assert!(fs::read(&pack).expect("it is back") == bytes);
    home.run(["verify", "--read-data"]).expect_code(0);
    home.run(["verify", "--no-key"]).expect_code(0);
    assert_restores(&home, &id, "out");
}

#[test]
fn packs_are_chosen_by_the_beginnings_of_their_ids() {
    let home = with_data();
    home.snapshot();
    let pack = packs(&home, 4).remove(0);
    let name = pack.file_name().and_then(|name| name.to_str()).expect("hex");
    let told = home.run(["repair", "add-parity", &name[..12], "--json"]).expect_code(0).message("parity_added");
    assert_eq!((&told["packs"], &told["packs_added"]), (&1.into(), &1.into()));
    home.run(["repair", "add-parity", "no-such"]).expect_code(1).expect_stderr("no pack begins with");
    home.run(["repair", "add-parity", ""]).expect_code(2).expect_stderr("several packs begin");
    home.run(["repair", "add-parity", "--percent", "0"]).expect_code(2);
    // The other one has none yet; a damaged one gets none.
    damage(&packs(&home, 5).remove(0));
    home.run(["repair", "add-parity"]).expect_code(20).expect_stdout("damaged: packs/");
    // Damaged parity does not count when it is read.
    let parity = home.objects("parity").remove(0);
    let mut bytes = fs::read(&parity).expect("an object");
    bytes[5000] ^= 1;
    fs::remove_file(&parity).expect("it is there");
    fs::write(&parity, bytes).expect("it is written");
    home.run(["verify", "--read-data"]).expect_code(20).expect_stderr("`lbak repair add-parity --read-parity`");
    let told =
        home.run(["repair", "add-parity", "--read-parity", name, "--json"]).expect_code(0).message("parity_added");
    assert_eq!(
        (&told["packs_added"], &told["num_errors"], &told["parity_replaced"]),
        (&1.into(), &0.into(), &1.into())
    );
}

#[test]
fn what_parity_there_is_is_shown() {
    let home = with_data();
    home.snapshot();
    home.run(["repair", "add-parity", "--percent", "100"]).expect_code(0);
    let told = home.run(["verify", "--json"]).expect_code(0).message("summary");
    assert_eq!((&told["parity_objects"], &told["packs_healable"]), (&1.into(), &0.into()), "{told}");
    let parity = home.objects("parity").remove(0);
    let id = parity.file_name().and_then(|name| name.to_str()).expect("hex");
    for digits in [id.to_owned(), id[..8].to_owned(), format!("parity/{id}")] {
        let shown = home.run(["cat", "parity", &digits, "--json"]).expect_code(0).message("object");
        let content = &shown["content"];
        assert_eq!((&shown["kind"], &content["slices"]), (&"parity".into(), &1.into()), "{shown}");
        let packs = content["packs"].as_array().expect("a list");
        let lengths: u64 = packs.iter().map(|pack| pack["stored_length"].as_u64().expect("a length")).sum();
        assert!(packs.len() == 2 && lengths > 3_000_000, "{shown}");
        // As many as there are sectors of packs: 100 %.
        assert_eq!(content["recovery_sectors_in_slice"], lengths.div_ceil(4096), "{shown}");
    }
    damage(&packs(&home, 4).remove(0));
    let told = home.run(["verify", "--read-data", "--json"]).expect_code(20).message("summary");
    assert_eq!(told["packs_healable"], 1);
    let told = home.run(["repair", "packs", "--json"]).expect_code(0).message("summary");
    assert_eq!((&told["packs_damaged"], &told["packs_healed"]), (&1.into(), &1.into()));
    damage(&parity);
    home.run(["cat", "parity", id]).expect_code(20).expect_stderr("its list of packs");
    home.run(["cat", "parity", "ffffffffffff"]).expect_code(1).expect_stderr("nothing in parity/ begins with");
}

/// Two packs, one of them much longer: the least that outlives the loss of one is told, and is.
#[test]
fn what_a_percentage_means_is_told() {
    let home = with_data();
    home.snapshot();
    let dry = ["repair", "add-parity", "--dry-run", "--percent"];
    let run = home.run(dry.iter().chain(&["1"])).expect_code(0);
    run.expect_stderr("of 2 packs the longest may not be lost as a whole: up to")
        .expect_stderr("is the least with which");
    let told = home.run(dry.iter().chain(&["1", "--json"])).expect_code(0).message("parity_added");
    let group = &told["groups"][0];
    assert_eq!((&group["packs"], &group["may_lose"]), (&2.into(), &0.into()), "{told}");
    assert!(group["recovery_bytes"].as_u64().expect("bytes") >= 4096, "{told}");
    let enough = told["percent_to_outlive"].as_u64().expect("a percentage");
    assert!((2..=100).contains(&enough), "{told}");
    let less = (enough - 1).to_string();
    let told = home.run(dry.iter().chain(&[less.as_str(), "--json"])).expect_code(0).message("parity_added");
    assert_eq!((&told["groups"][0]["may_lose"], &told["percent_to_outlive"]), (&0.into(), &enough.into()), "{told}");
    let enough = enough.to_string();
    let run = home.run(["repair", "add-parity", "--percent", enough.as_str()]).expect_code(0);
    assert!(
        run.stderr.contains("of 2 packs may be lost as a whole\n") && run.stderr.starts_with("any "),
        "{}",
        run.stderr
    );
    fs::remove_file(packs(&home, 4).remove(0)).expect("it was there");
    home.run(["repair", "packs"]).expect_code(0).expect_stdout("healed by parity");
    home.run(["verify", "--read-data"]).expect_code(0);
}

/// Nothing is promised of a pack that parity does not heal.
#[test]
fn what_parity_does_not_heal_is_not_promised() {
    let home = with_data();
    home.snapshot();
    let trees = packs(&home, 5).remove(0);
    let name = trees.file_name().and_then(|name| name.to_str()).expect("hex");
    home.run(["repair", "add-parity", "--percent", "100", name]).expect_code(0);
    home.run(["repair", "add-parity", "--percent", "1"]).expect_code(0).expect_stdout("1 had enough");
    fs::remove_file(packs(&home, 4).remove(0)).expect("it was there");
    let run = home.run(["verify"]).expect_code(20).expect_stderr("saves what still opens");
    assert!(!run.stderr.contains("by parity") && !run.stdout.contains("can be healed"), "{}", run.stderr);
    damage(&trees);
    let run = home.run(["verify"]).expect_code(20).expect_stderr("heals 1 of the 2 damaged packs by parity");
    run.expect_stderr("saves what still opens");
}
