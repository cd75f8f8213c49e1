//! How names and other text from file systems and repositories are shown to people.

/// Prints raw path bytes: [hidden](is_hidden) characters and bytes that are not UTF-8 as `\xNN`, a backslash as `\\`.
///
/// Names come from file systems and repositories; printed as they are they could drive a terminal.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        for character in part.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                c if is_hidden(c) => {
                    let mut buffer = [0; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        text.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => text.push(c),
            }
        }
        for byte in part.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Tells whether a character is never shown as it is: control characters drive a terminal, and marks that reorder the text
/// around them (Unicode's property `Bidi_Control`, all of it) can make one name look like another.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    let is_direction_mark = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || is_direction_mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_shows_control_characters_and_strange_bytes() {
        assert_eq!(escape(b"a\x1b[31m\\\xff\n"), "a\\x1b[31m\\\\\\xff\\x0a");
        assert_eq!(escape("gr\u{fc}n \u{202e}".as_bytes()), "grün \\xe2\\x80\\xae");
    }

    /// U+061C, which Unicode 6.3 added, had been left out here and for text.
    #[test]
    fn no_mark_of_direction_is_shown_as_it_is() {
        let marks = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        assert!(marks.chars().all(is_hidden) && escape(marks.as_bytes()).is_ascii());
        assert_eq!(escape("a\u{61c}b".as_bytes()), "a\\xd8\\x9cb");
    }
}
