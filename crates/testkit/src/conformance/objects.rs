//! Rules about single objects.

use lbak_core::{
    backend::{
        Backend,
        BackendErrorKind::{AlreadyExists, Corrupt, NotFound},
        ObjectName,
    },
    id::{PackId, SlotId},
};

use super::{Outcome, done, ensure, fails, listed, session};
use crate::objects::{noise, pack, parity, segment, session_id, trailed};

pub(super) fn a_store_says_where_it_is(backend: &dyn Backend) -> Outcome {
    ensure!(!backend.describe().place.is_empty(), "`describe` gives no place");
    Ok(())
}

pub(super) fn what_was_put_is_read_back(backend: &dyn Backend) -> Outcome {
    for (seed, size) in [1, 31, 4095, 4096, 4097, 65_536, 1 << 20, 5 << 20].into_iter().enumerate() {
        let (name, object) = pack(noise(seed as u64, size));
        done("put", &name, backend.put(&name, &object))?;
        let read = done("get", &name, backend.get(&name))?;
        ensure!(read == object.as_bytes(), "{size} bytes came back as {} others", read.len());
    }
    // A trailer and nothing before it.
    let object = trailed(&session(0), b"");
    done("put", session(0), backend.put(&session(0), &object))?;
    let read = done("get", session(0), backend.get(&session(0)))?;
    ensure!(read == object.as_bytes(), "an object without a body came back changed");
    Ok(())
}

pub(super) fn every_name_of_the_format_can_be_stored(backend: &dyn Backend) -> Outcome {
    let (id, (low, high)) = (session_id(1), ([0; 32], [0xff; 32]));
    let longest_word = format!("c-{}", "0-z9".repeat(16));
    let mut objects: Vec<_> = [
        ObjectName::Config,
        ObjectName::Feature("r-a".into()),
        ObjectName::Feature(longest_word),
        ObjectName::Slot(SlotId([0; 16])),
        ObjectName::Slot(SlotId([0xff; 16])),
        ObjectName::Session(id),
        ObjectName::Snapshot(id),
        ObjectName::Forgotten(id),
        ObjectName::Damaged(PackId(low)),
        ObjectName::Damaged(PackId(high)),
        ObjectName::Mark(0),
        ObjectName::Removals(u64::MAX),
        ObjectName::Fin(0),
        ObjectName::Fin(u64::MAX),
        ObjectName::Reading(7),
        ObjectName::Aside(7),
    ]
    .into_iter()
    .map(|name| {
        let object = trailed(&name, name.to_string().as_bytes());
        (name, object)
    })
    .collect();
    objects.push(pack("a pack"));
    objects.push(parity("a parity object"));
    let (name, object) = segment("a segment");
    if let ObjectName::Segment(id) = name {
        objects.push((ObjectName::MergedSegment(id), object.clone()));
    }
    objects.push((name, object));

    for (name, object) in &objects {
        done("put", name, backend.put(name, object))?;
    }
    for (name, object) in &objects {
        let read = done("get", name, backend.get(name))?;
        ensure!(read == object.as_bytes(), "{name} has bytes that are not its own");
        let size = object.as_bytes().len() as u64;
        let bounded = done("get_at_most", name, backend.get_at_most(name, size))?;
        ensure!(bounded == read, "get_at_most of {name} gives other bytes than get");
        fails("get_at_most of less than it has", name, backend.get_at_most(name, size - 1), Corrupt)?;
        let found = listed(backend, &name.to_string())?;
        let expected = (name.to_string(), object.as_bytes().len() as u64);
        ensure!(found.contains(&expected), "{name} is not listed under its own name");
    }
    Ok(())
}

pub(super) fn a_missing_object_is_not_found(backend: &dyn Backend) -> Outcome {
    let (pack, _) = pack("not stored");
    let missing = |name: &ObjectName| {
        fails("get", name, backend.get(name), NotFound)?;
        fails("get_at_most", name, backend.get_at_most(name, 1), NotFound)?;
        fails("get_range", name, backend.get_range(name, 0, 1), NotFound)?;
        fails("get_range_into", name, backend.get_range_into(name, 0, &mut [0]), NotFound)?;
        match backend.open_parts(name) {
            Ok(None) => Ok(()),
            parts => fails("open_parts", name, parts, NotFound),
        }
    };
    missing(&ObjectName::Config)?;
    missing(&pack)?;
    missing(&session(1))?;
    // The same with neighbours.
    done("put", session(2), backend.put(&session(2), &trailed(&session(2), b"neighbour")))?;
    missing(&session(1))
}

pub(super) fn a_taken_name_is_refused_and_keeps_its_bytes(backend: &dyn Backend) -> Outcome {
    for name in [session(1), ObjectName::Config] {
        let (first, second) = (trailed(&name, b"first"), trailed(&name, b"second, and longer"));
        done("put", &name, backend.put(&name, &first))?;
        fails("a second put of", &name, backend.put(&name, &second), AlreadyExists)?;
        let read = done("get", &name, backend.get(&name))?;
        ensure!(read == first.as_bytes(), "{name} was changed by a put that was refused");
    }
    Ok(())
}

pub(super) fn a_taken_name_is_refused_even_for_equal_bytes(backend: &dyn Backend) -> Outcome {
    let (name, object) = pack("the same");
    done("put", &name, backend.put(&name, &object))?;
    fails("a second put of", &name, backend.put(&name, &object), AlreadyExists)
}

pub(super) fn ranges_are_exact(backend: &dyn Backend) -> Outcome {
    let size: usize = 200_000;
    let bytes = noise(1, size);
    let (name, object) = pack(bytes.clone());
    done("put", &name, backend.put(&name, &object))?;
    let ranges = [
        (0, size),
        (0, 1),
        (size - 1, 1),
        (1, size - 1),
        (65_535, 2),
        (65_536, 65_536),
        (4095, 100_001),
        (0, 0),
        (7, 0),
        (size, 0),
    ];
    for (offset, length) in ranges {
        let read = backend.get_range(&name, offset as u64, length as u64);
        let read = done("get_range of", format_args!("{length} bytes at {offset}"), read)?;
        ensure!(
            read == bytes[offset..offset + length],
            "{length} bytes at {offset} came back as {} others",
            read.len()
        );
    }
    // A store may offer another way to the same bytes.
    let Some(parts) = done("open_parts", &name, backend.open_parts(&name))? else { return Ok(()) };
    for (offset, length) in ranges {
        let mut read = vec![0; length];
        done("reading a part of", &name, parts.read(offset as u64, &mut read))?;
        ensure!(read == bytes[offset..offset + length], "the part of {length} bytes at {offset} came back as others");
    }
    Ok(())
}

pub(super) fn a_callers_buffer_is_filled_with_the_range(backend: &dyn Backend) -> Outcome {
    let bytes = noise(1, 200_000);
    let (name, object) = pack(bytes.clone());
    done("put", &name, backend.put(&name, &object))?;
    for (offset, length) in [(0, 200_000), (0, 1), (199_999, 1), (1, 199_999), (65_535, 65_537), (7, 0), (200_000, 0)] {
        let mut buffer = vec![0xAA; length];
        let read = backend.get_range_into(&name, offset as u64, &mut buffer);
        done("get_range_into of", format_args!("{length} bytes at {offset}"), read)?;
        ensure!(buffer == bytes[offset..offset + length], "{length} other bytes at {offset} came into a buffer");
    }
    for (offset, length) in [(199_999, 2), (200_000, 1), (0, 200_001), (1 << 50, 1), (u64::MAX, 1), (u64::MAX, 2)] {
        let what = format_args!("{length} bytes at {offset} of 200000");
        fails("get_range_into of", what, backend.get_range_into(&name, offset, &mut vec![0; length]), Corrupt)?;
    }
    Ok(())
}

pub(super) fn a_range_past_the_end_is_corrupt(backend: &dyn Backend) -> Outcome {
    let (name, object) = pack(noise(1, 1000));
    done("put", &name, backend.put(&name, &object))?;
    let ranges = [
        (999, 2),
        (1000, 1),
        (1001, 1),
        (0, 1001),
        (0, 1 << 50),
        (1 << 50, 1),
        (1, u64::MAX),
        (u64::MAX, 1),
        (u64::MAX, u64::MAX),
    ];
    for (offset, length) in ranges {
        let what = format_args!("{length} bytes at {offset} of 1000");
        fails("get_range of", what, backend.get_range(&name, offset, length), Corrupt)?;
    }
    let Some(parts) = done("open_parts", &name, backend.open_parts(&name))? else { return Ok(()) };
    for (offset, length) in [(1000, 1), (999, 2), (0, 1001)] {
        fails("reading a part of", &name, parts.read(offset, &mut vec![0; length]), Corrupt)?;
    }
    Ok(())
}

pub(super) fn a_removed_object_is_gone_and_nothing_else(backend: &dyn Backend) -> Outcome {
    let (pack, object) = pack("removed");
    done("put", &pack, backend.put(&pack, &object))?;
    let names = [session(1), session(2), ObjectName::Mark(1), ObjectName::Mark(0x10)];
    for name in &names {
        done("put", name, backend.put(name, &trailed(name, b"stays or goes")))?;
    }
    for name in [&pack, &names[0], &names[2]] {
        done("remove", name, backend.remove(name))?;
        fails("get of the removed", name, backend.get(name), NotFound)?;
        fails("get_range of the removed", name, backend.get_range(name, 0, 1), NotFound)?;
    }
    let size = trailed(&names[1], b"stays or goes").as_bytes().len() as u64;
    let mut left = vec![(names[1].to_string(), size), (names[3].to_string(), size)];
    left.sort();
    let found = listed(backend, "")?;
    ensure!(found == left, "after removing, the store lists {found:?} and not {left:?}");
    for name in [&names[1], &names[3]] {
        done("get", name, backend.get(name))?;
    }
    Ok(())
}

pub(super) fn removing_what_is_not_there_is_no_error(backend: &dyn Backend) -> Outcome {
    let (pack, object) = pack("never there");
    done("remove from an empty store", &pack, backend.remove(&pack))?;
    done("put", &pack, backend.put(&pack, &object))?;
    for _ in 0..2 {
        done("remove", &pack, backend.remove(&pack))?;
    }
    done("remove", ObjectName::Config, backend.remove(&ObjectName::Config))
}

pub(super) fn a_removed_name_can_be_put_again(backend: &dyn Backend) -> Outcome {
    let name = session(1);
    for body in [b"first".as_slice(), b"second, and longer", b"3"] {
        let object = trailed(&name, body);
        done("put", &name, backend.put(&name, &object))?;
        let read = done("get", &name, backend.get(&name))?;
        ensure!(read == object.as_bytes(), "{name} has the bytes of one that was removed");
        done("remove", &name, backend.remove(&name))?;
    }
    Ok(())
}
