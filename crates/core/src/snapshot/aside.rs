//! Damaged records that were set aside: a note beside them, for an object is never changed and repair removes none.

use std::collections::HashMap;

use super::protocol::{AsideObject, AsideRecord};
use crate::{
    backend::{Backend, Folder, ObjectName},
    codec::Codec,
    error::{Error, Result},
    id::SessionId,
    metadata::Timestamp,
    store::{get_listed, list_names, put_slot},
};

/// Others may be adding records at the same time.
const MOST_TRIES: u32 = 100;

/// Under this name, which no object has, a record keeps the bytes of a damaged `config` that a repair has replaced.
pub const REPLACED_CONFIG: &str = "config as it was";

/// Reads which objects were set aside, and what was said of each. A record that does not open says nothing.
///
/// # Errors
/// [`Error::Store`].
pub fn read_aside(backend: &dyn Backend, codec: &Codec) -> Result<HashMap<String, String>> {
    let mut aside = HashMap::new();
    for (name, size) in list_names(backend, Folder::Aside.prefix())? {
        let record = get_listed(backend, &name, size).and_then(|stored| {
            let opened = codec.open_object(&name, &[AsideRecord::KIND], None, &stored)?;
            AsideRecord::decode(&name.to_string(), &opened.plain)
        });
        match record {
            Ok(record) => aside.extend(record.objects.into_iter().map(|object| (object.name, object.what))),
            Err(error) if error.is_of_one_object() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(aside)
}

/// Sets objects aside, under the next number that is free.
///
/// # Errors
/// [`Error::Store`], or [`Error::SessionsLost`] when others take one number after another.
pub fn set_aside(
    backend: &dyn Backend,
    codec: &Codec,
    by: String,
    at: Timestamp,
    objects: Vec<AsideObject>,
) -> Result<()> {
    let taken = list_names(backend, Folder::Aside.prefix())?;
    let number = |name: &ObjectName| if let ObjectName::Aside(number) = name { Some(*number) } else { None };
    let mut next = taken.iter().filter_map(|(name, _)| number(name)).max().map_or(0, |last| last.saturating_add(1));
    let plain = AsideRecord { by, at, objects }.encode()?;
    for _ in 0..MOST_TRIES {
        let name = ObjectName::Aside(next);
        next = next.saturating_add(1);
        let sealed = codec.seal_object(&name, AsideRecord::KIND, SessionId([0; 16]), &plain)?;
        if put_slot(backend, &name, &sealed)? {
            return Ok(());
        }
    }
    Err(Error::SessionsLost { times: MOST_TRIES, place: backend.describe().place })
}
