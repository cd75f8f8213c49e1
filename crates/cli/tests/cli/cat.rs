//! `lbak cat`: each kind of object and chunk, decoded.

use lbak_testkit::not_run;
use serde_json::Value;

use crate::home::{Home, damage};

fn cat(home: &Home, arguments: &[&str]) -> Value {
    let run = home.run(["cat"].iter().chain(arguments)).expect_code(0);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

/// The name of the first object in a folder.
fn first(home: &Home, folder: &str) -> String {
    let path = home.objects(folder).into_iter().next().unwrap_or_else(|| panic!("nothing in {folder}"));
    path.file_name().and_then(|name| name.to_str()).expect("hex digits").to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[test]
fn every_kind_of_object_is_shown() {
    let home = Home::with_repository();
    let id = home.snapshot();
    assert_eq!(text(&cat(&home, &["config"])["repository_id"]), home.library().id().to_string());
    for name in ["latest", &id, &id[..6]] {
        let snapshot = cat(&home, &["snapshot", name]);
        assert_eq!((text(&snapshot["id"]), &snapshot["totals"]["files"]), (&id[..], &2.into()));
    }
    let session = first(&home, "snapshots");
    assert_eq!(text(&cat(&home, &["manifest", &session])["session"]), session);
    assert_eq!(text(&cat(&home, &["session", &session[..8]])["purpose"]), "snapshot");
    assert_eq!(text(&cat(&home, &["key", &first(&home, "keys")])["form"]), "key_file");
    let pack = first(&home, "packs");
    let shown = cat(&home, &["pack", &format!("packs/{}/{pack}", &pack[..2])]);
    assert!(shown["blocks"][0]["chunks"][0]["id"].is_string(), "{shown}");
    let segment = cat(&home, &["segment", &first(&home, "index")[..10]]);
    assert!(segment["records"].as_u64() >= Some(3), "{segment}");
}

#[test]
fn trees_lead_to_the_bytes_of_a_file() {
    let home = Home::with_repository();
    home.snapshot();
    let root = text(&cat(&home, &["snapshot", "latest"])["root"]).to_owned();
    let top = cat(&home, &["tree", &root]);
    assert_eq!(text(&top["entries"][0]["name"]), home.text("data"));
    let tree = text(&top["entries"][0]["tree"]).to_owned();
    let data = cat(&home, &["tree", &tree[..12]]);
    assert_eq!((text(&data["entries"][0]["name"]), text(&data["entries"][1]["type"])), ("a", "dir"));
    let chunk = text(&data["entries"][0]["content"]["pieces"][0]["chunk"]).to_owned();
    for digits in [&chunk[..], &chunk[..16], &chunk[..50]] {
        assert_eq!(home.run(["cat", "chunk", digits]).expect_code(0).stdout, "the first file");
    }
    home.run(["cat", "tree", &chunk]).expect_code(1).expect_stderr("nothing in the trees begins with");
    home.run(["cat", "chunk", &chunk, "--json"]).expect_code(2);
}

#[test]
fn a_list_of_many_pieces_is_shown() {
    let home = Home::with_repository();
    // Every other block is a hole: more pieces than fit into an entry.
    let file = std::fs::File::create(home.path("data/sparse")).expect("a file");
    for number in 0..700_u64 {
        std::os::unix::fs::FileExt::write_all_at(&file, &number.to_le_bytes(), number << 17).expect("it is written");
    }
    home.snapshot();
    let root = text(&cat(&home, &["snapshot", "latest"])["root"]).to_owned();
    let tree = text(&cat(&home, &["tree", &root])["entries"][0]["tree"]).to_owned();
    let content = cat(&home, &["tree", &tree])["entries"][1]["content"].clone();
    if content["list"].is_null() {
        return not_run("this file system keeps no holes");
    }
    let list = cat(&home, &["list", text(&content["list"])]);
    assert!(list["pieces"].is_array() || list["children"].is_array(), "{list}");
}

#[test]
fn what_is_not_there_and_what_is_damaged_are_told_apart() {
    let home = Home::with_repository();
    home.snapshot();
    for kind in ["manifest", "session", "key", "pack", "segment", "forgotten", "damaged", "mark", "removals", "fin"] {
        home.run(["cat", kind, "0123456789abcdef"]).expect_code(1).expect_stderr("nothing in");
    }
    for kind in ["tree", "list", "chunk"] {
        home.run(["cat", kind, "0123456789abcdef"]).expect_code(1).expect_stderr("nothing in");
    }
    home.run(["cat", "snapshot", "0123456789abcdef"]).expect_code(22);
    home.run(["cat", "session", ""]).expect_code(0);
    home.snapshot();
    home.run(["cat", "session", ""]).expect_code(2).expect_stderr("ambiguous");
    home.run(["cat", "snapshot"]).expect_code(2);
    home.run(["cat", "config", "x"]).expect_code(2);
    home.run(["cat", "feature", "x"]).expect_code(2);
    let session = first(&home, "sessions");
    home.objects("sessions").iter().for_each(|object| damage(object));
    home.run(["cat", "session", &session]).expect_code(20).expect_stderr("is damaged");
}

#[test]
fn json_is_one_line_with_its_type() {
    let home = Home::with_repository();
    home.snapshot();
    let run = home.run(["cat", "config", "--json"]).expect_code(0);
    let object = run.message("object");
    assert_eq!((text(&object["kind"]), object["content"]["cutter"].as_u64()), ("config", Some(0)));
}
