//! Copies answer as the segments do that they stand for, whatever happens to either.

use std::{fs, path::PathBuf};

use super::{
    super::{
        testing::{Store, builder_of, chunk, codec, id, pack, sound},
        *,
    },
    *,
};
use crate::{
    backend::Misread,
    codec::{Header, Kind},
    id::{ChunkKind, SegmentId},
};

/// A repository's index and a folder for its copies.
struct House {
    store: Arc<Store>,
    folder: tempfile::TempDir,
    counted: Counted,
}

impl House {
    /// With so many segments of ten chunks each: segment 3 holds chunks 30 to 39 and is of session 3.
    fn new(segments: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let house = Self { store: Arc::default(), folder, counted: Counted::default() };
        (0..segments).for_each(|number| {
            house.put(number);
        });
        house
    }

    fn put(&self, number: u32) -> ObjectName {
        let session = SessionId([number.to_le_bytes()[0]; 16]);
        let row = pack(number);
        let row = PackRow { header: Header { session, ..row.header }, ..row };
        let builder = builder_of([(row, (number * 10..number * 10 + 10).map(chunk).collect())]);
        let (name, sealed) = builder.finish(&codec(), Kind::Segment, session).expect("records");
        self.store.put(&name, &sealed).expect("a new name");
        name
    }

    fn copies(&self) -> Copies {
        let options = CopiesOptions { least_segments: 8, ..CopiesOptions::default() };
        Copies::new(CacheFolder::new(self.folder.path().join("a/b")), options)
    }

    fn load(&self) -> Index {
        let loaded =
            Index::load_with(&self.store.shared(), &codec(), &self.counted, Some(&self.copies()), &Misread::default());
        sound(loaded.expect("it answers"))
    }

    /// Files in the folder of copies: the list, if there is one, and the copies.
    fn files(&self) -> (Option<PathBuf>, Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(self.folder.path().join("a/b")) else { return (None, Vec::new()) };
        let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| !path.ends_with("CACHEDIR.TAG"));
        let (lists, copies): (Vec<_>, Vec<_>) = paths.partition(|path| path.ends_with("list"));
        (lists.into_iter().next(), copies)
    }

    fn reads(&self) -> usize {
        self.store.taken_ranges().len()
    }
}

/// Every chunk of these segments is found where it lies, and none of the next ten.
fn check(index: &Index, segments: std::ops::Range<u32>) {
    let find = |number: u32| index.find(&id(number), ChunkKind::Data, &mut |_| true).expect("the index answers");
    for number in segments.start * 10..segments.end * 10 {
        let expected = Some((pack(number / 10).id, number));
        assert_eq!(find(number).map(|location| (location.pack.id, location.offset)), expected);
    }
    for number in segments.end * 10..segments.end * 10 + 10 {
        assert_eq!(find(number), None, "chunk {number}");
    }
}

#[test]
fn many_segments_become_one_copy_and_are_not_read_again() {
    let house = House::new(40);
    check(&house.load(), 0..40);
    assert!(house.reads() >= 80, "each was opened and merged");
    let (list, copies) = house.files();
    assert!(list.is_some());
    assert_eq!(copies.len(), 1);

    let index = house.load();
    assert_eq!(index.segments().len(), 1);
    check(&index, 0..40);
    assert_eq!(house.reads(), 0, "only the listing is read of the store");
}

#[test]
fn what_comes_later_is_asked_beside_the_copies_until_it_joins_them() {
    let house = House::new(40);
    house.load();
    (40..44).for_each(|number| {
        house.put(number);
    });
    let index = house.load();
    assert_eq!(index.segments().len(), 5);
    check(&index, 0..44);
    (44..60).for_each(|number| {
        house.put(number);
    });
    check(&house.load(), 0..60);
    let (_, copies) = house.files();
    assert_eq!(copies.len(), 1, "the small group was merged with the large one, whose copy is gone");
    house.reads();
    check(&house.load(), 0..60);
    assert_eq!(house.reads(), 0);
}

#[test]
fn a_group_much_larger_than_what_is_new_stays_as_it_is() {
    let house = House::new(200);
    house.load();
    (200..210).for_each(|number| {
        house.put(number);
    });
    check(&house.load(), 0..210);
    assert_eq!(house.files().1.len(), 2);
    assert_eq!(house.load().segments().len(), 2);
}

#[test]
fn few_segments_are_not_copied_and_neither_are_more_than_there_is_room_for() {
    let house = House::new(7);
    check(&house.load(), 0..7);
    assert_eq!(house.files(), (None, vec![]));

    let house = House::new(40);
    let backend = house.store.shared();
    for limited in [
        CopiesOptions { most_bytes: 10_000, ..CopiesOptions::default() },
        CopiesOptions { most_merged_bytes: 10_000, ..CopiesOptions::default() },
    ] {
        let folder = CacheFolder::new(house.folder.path().join("a/b"));
        let copies = Copies::new(folder, CopiesOptions { least_segments: 8, ..limited });
        let loaded = Index::load_with(&backend, &codec(), &house.counted, Some(&copies), &Misread::default())
            .expect("it answers");
        check(&loaded.index, 0..40);
        assert_eq!(house.files(), (None, vec![]), "{limited:?}");
    }
}

#[test]
fn copies_of_what_no_longer_counts_are_not_used() {
    let segment = |name: &ObjectName| match name {
        ObjectName::Segment(id) => *id,
        other => panic!("{other} is a segment"),
    };
    let mut house = House::new(0);
    let names: Vec<ObjectName> = (0..20).map(|number| house.put(number)).collect();
    house.load();
    house.store.remove(&names[0]).expect("it is there");
    check(&house.load(), 1..20);
    assert_eq!(house.load().find(&id(0), ChunkKind::Data, &mut |_| true).expect("it answers"), None);

    house.counted.replaced.insert(segment(&names[1]));
    assert_eq!(house.load().find(&id(10), ChunkKind::Data, &mut |_| true).expect("it answers"), None);
    check(&house.load(), 2..20);

    house.counted.buried.insert(SessionId([2; 16]));
    assert_eq!(house.load().find(&id(20), ChunkKind::Data, &mut |_| true).expect("it answers"), None);
    check(&house.load(), 3..20);
}

#[test]
fn a_damaged_copy_costs_time_and_is_made_anew() {
    // Header, summary, a page of records, the pack table, what is left: wherever the damage is, every answer is true.
    let length = |house: &House| fs::read(&house.files().1[0]).expect("a copy").len();
    let all = {
        let house = House::new(40);
        house.load();
        length(&house)
    };
    for at in [3, 100, 300, 5_000, all * 3 / 4, all - 1_000, all - 10] {
        let house = House::new(40);
        house.load();
        let (_, copies) = house.files();
        let mut bytes = fs::read(&copies[0]).expect("a copy");
        bytes[at] ^= 1;
        fs::write(&copies[0], bytes).expect("it is ours");
        check(&house.load(), 0..40);
        check(&house.load(), 0..40);
    }
    let house = House::new(40);
    house.load();
    fs::write(&house.files().1[0], vec![0; all]).expect("it is ours");
    check(&house.load(), 0..40);
    house.reads();
    check(&house.load(), 0..40);
    assert_eq!(house.reads(), 0, "made anew");
}

#[test]
fn a_damaged_page_sends_the_question_to_the_segments_once_and_the_next_client_makes_copies_anew() {
    let house = House::new(40);
    house.load();
    let (_, copies) = house.files();
    let mut bytes = fs::read(&copies[0]).expect("a copy");
    // The first page of records.
    bytes[300] ^= 1;
    fs::write(&copies[0], bytes).expect("it is ours");
    let index = house.load();
    assert_eq!(index.segments().len(), 1, "it opens");
    check(&index, 0..40);
    assert_eq!(house.files().0, None, "nobody uses this group again");
    house.load();
    house.reads();
    check(&house.load(), 0..40);
    assert_eq!(house.reads(), 0);
}

#[test]
fn a_list_that_was_cut_or_has_one_other_bit_is_none() {
    let house = House::new(30);
    drop(house.load());
    let (Some(list), _) = house.files() else { panic!("copies were made") };
    let bytes = fs::read(&list).expect("the list");
    assert!(List::read(&list, &codec()).is_some());
    let decayed = house.folder.path().join("decayed");
    for length in 0..bytes.len() {
        fs::write(&decayed, &bytes[..length]).expect("it is ours");
        assert!(List::read(&decayed, &codec()).is_none(), "cut at {length}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        fs::write(&decayed, &changed).expect("it is ours");
        assert!(List::read(&decayed, &codec()).is_none(), "bit {bit}");
    }
}

#[test]
fn a_list_or_a_copy_of_somebody_else_is_not_used() {
    let (house, other) = (House::new(40), House::new(0));
    house.load();
    let (list, copies) = house.files();
    let (list, sound) = (list.expect("a list"), fs::read(&copies[0]).expect("a copy"));
    let bytes = fs::read(&list).expect("a list");
    for at in [0, 9, bytes.len() / 2, bytes.len() - 1] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        fs::write(&list, bytes).expect("it is ours");
        assert!(List::read(&list, &codec()).is_none(), "a flip at {at}");
    }
    for length in [0, 31, 32, 33, bytes.len() - 1] {
        fs::write(&list, &bytes[..length]).expect("it is ours");
        assert!(List::read(&list, &codec()).is_none(), "cut at {length}");
    }

    // A copy that this client made earlier opens, but is not what the list means.
    (100..140).for_each(|number| {
        other.put(number);
    });
    other.load();
    let foreign = fs::read(&other.files().1[0]).expect("a copy");
    fs::write(&list, &bytes).expect("it is ours");
    assert_eq!(foreign.len(), sound.len(), "so that nothing but its content tells");
    fs::write(&copies[0], &foreign).expect("it is ours");
    check(&house.load(), 0..40);
}

#[test]
fn the_folder_may_go_while_it_is_used() {
    let house = House::new(40);
    house.load();
    let index = house.load();
    fs::remove_dir_all(house.folder.path().join("a")).expect("it is there");
    house.reads();
    check(&index, 0..40);
    assert_eq!(house.reads(), 0, "files that are open are read on");
    check(&house.load(), 0..40);
}

#[test]
fn a_folder_that_can_not_be_written_is_no_trouble() {
    let house = House::new(40);
    fs::write(house.folder.path().join("a"), "a file").expect("it is ours");
    check(&house.load(), 0..40);
    assert_eq!(house.load().segments().len(), 40);
}

#[test]
fn other_files_in_the_folder_stay() {
    let house = House::new(40);
    house.load();
    let folder = house.folder.path().join("a/b");
    fs::write(folder.join("notes.txt"), "mine").expect("it is ours");
    fs::write(folder.join(blake3::Hash::from_bytes([7; 32]).to_hex().as_str()), "old").expect("it is ours");
    (40..80).for_each(|number| {
        house.put(number);
    });
    house.load();
    let mut names: Vec<_> =
        house.files().1.into_iter().filter_map(|path| path.file_name().map(ToOwned::to_owned)).collect();
    names.retain(|name| name.len() < 64);
    assert_eq!(names, ["notes.txt"]);
    assert_eq!(house.files().1.len(), 2, "a copy that no list names is gone");
    assert!(list::is_copy_name(&list::copy_name(SegmentId([1; 32]))));
}
