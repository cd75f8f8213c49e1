//! The text of a key file: what parses is the same key in its one form, and a changed character is never another key.
//!
//! Input: a text; also taken as a key, with a place to mistype it at.

use crate::{memory, take};
use lbak_core::keys::KeyFile;

/// Runs the target.
pub fn keyfile(input: &[u8]) {
    if let Ok(key) = memory::within(memory::in_proportion_to(input), || KeyFile::parse(input)) {
        let text = key.to_text();
        assert!(text.split_ascii_whitespace().eq(words(input)), "the same words, whatever stands between them");
        let again = KeyFile::parse(text.as_bytes()).expect("what is written can be read");
        assert_eq!(again.secret().expose(), key.secret().expose());
    }

    let Some((secret, rest)) = take::<32>(input) else { return };
    let Some(([place, character], _)) = take::<2>(rest) else { return };
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("lbak-key-1 {digits} {}\n", &blake3::hash(&secret).to_hex()[..8]);
    let key = KeyFile::parse(text.as_bytes()).expect("a key that is written as documented");
    assert_eq!((key.secret().expose(), key.to_text().as_str()), (&secret, text.as_str()));

    let mut mistyped = text.into_bytes();
    let place = usize::from(place) % mistyped.len();
    mistyped[place] = character;
    if let Ok(key) = KeyFile::parse(&mistyped) {
        assert_eq!(key.secret().expose(), &secret, "a typing error gave another key");
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(text).expect("it parsed").split_ascii_whitespace()
}
