//! A JSON file as objects with blank space between them, which is what decoders read.
//!
//! An array is turned into that in place and without looking into its elements: its brackets become
//! blanks, its commas line breaks. What it must have, its end, is demanded; a file that was cut off
//! is an error, not a shorter table.

use std::io::{self, Read};

/// How the objects of a file are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// An array if the file starts with `[`.
    Auto,
    /// One after the other.
    Sequence,
    /// In one array.
    Array,
}

/// Bytes that some files start with to say that they are UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// A reader of the objects of a file.
pub(super) struct JsonRecords<R> {
    inner: R,
    layout: Layout,
    place: Place,
    /// Bytes read before the first that is not blank.
    start: usize,
}

/// Where in the file the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before anything that is not blank.
    Start,
    /// In a file that is no array, where nothing is changed.
    Sequence,
    /// In the array, behind its bracket or behind a comma.
    BeforeElement { first: bool },
    /// In an element of the array, inside of `depth` of its own brackets.
    Element { depth: usize },
    /// In a string of an element.
    Text { depth: usize, escaped: bool },
    /// Behind the end of the array.
    End,
}

impl<R: Read> JsonRecords<R> {
    pub(super) fn new(inner: R, layout: Layout) -> Self {
        Self { inner, layout, place: Place::Start, start: 0 }
    }

    /// The byte that takes the place of `byte`.
    fn next(&mut self, byte: u8) -> io::Result<u8> {
        let blank = byte.is_ascii_whitespace();
        let (place, byte) = match (self.place, byte) {
            (Place::Sequence, byte) => return Ok(byte),
            (Place::Start, _) => return self.first(byte),
            (Place::Text { depth, escaped: true }, _) => {
                (Place::Text { depth, escaped: false }, byte)
            }
            (Place::Text { depth, .. }, b'\\') => (Place::Text { depth, escaped: true }, byte),
            (Place::Text { depth, .. }, b'"') => (Place::Element { depth }, byte),
            (Place::Text { .. }, _) => return Ok(byte),
            (place, _) if blank => (place, byte),
            (Place::BeforeElement { first: true } | Place::Element { depth: 0 }, b']') => {
                (Place::End, b' ')
            }
            (Place::Element { depth: 0 }, b',') => (Place::BeforeElement { first: false }, b'\n'),
            (Place::BeforeElement { .. }, b',' | b']' | b'}') => {
                return Err(malformed("an element of the array is missing"));
            }
            (Place::End, _) => return Err(malformed("the array is followed by something else")),
            (Place::BeforeElement { .. }, b'"') => (Place::Text { depth: 0, escaped: false }, byte),
            (Place::Element { depth }, b'"') => (Place::Text { depth, escaped: false }, byte),
            (Place::BeforeElement { .. }, b'{' | b'[') => (Place::Element { depth: 1 }, byte),
            (Place::Element { depth }, b'{' | b'[') => (Place::Element { depth: depth + 1 }, byte),
            (Place::Element { depth }, b'}' | b']') => match depth.checked_sub(1) {
                Some(depth) => (Place::Element { depth }, byte),
                None => return Err(malformed("brackets of the array do not match")),
            },
            (Place::BeforeElement { .. }, _) => (Place::Element { depth: 0 }, byte),
            (place @ Place::Element { .. }, _) => (place, byte),
        };
        self.place = place;
        Ok(byte)
    }

    fn first(&mut self, byte: u8) -> io::Result<u8> {
        let position = self.start;
        self.start += 1;
        if BYTE_ORDER_MARK.get(position) == Some(&byte) {
            return Ok(b' ');
        }
        if byte.is_ascii_whitespace() {
            return Ok(byte);
        }
        let is_array = byte == b'[';
        self.place = match self.layout {
            Layout::Array if !is_array => return Err(malformed("the file is not an array")),
            Layout::Sequence => Place::Sequence,
            _ if is_array => Place::BeforeElement { first: true },
            _ => Place::Sequence,
        };
        Ok(if matches!(self.place, Place::Sequence) { byte } else { b' ' })
    }
}

impl<R: Read> Read for JsonRecords<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if length == 0 && !buffer.is_empty() {
            return match self.place {
                Place::Start | Place::Sequence | Place::End => Ok(0),
                _ => Err(malformed("the array has no end")),
            };
        }
        if self.place != Place::Sequence {
            for byte in &mut buffer[..length] {
                *byte = self.next(*byte)?;
            }
        }
        Ok(length)
    }
}

fn malformed(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads in pieces of every length, so that each state is met at the start of a piece.
    fn check(layout: Layout, text: &str, expected: Result<&str, &str>) {
        for length in 1..=text.len().max(1) {
            let mut records = JsonRecords::new(text.as_bytes(), layout);
            let mut read = Vec::new();
            let mut piece = vec![0; length];
            let result = loop {
                match records.read(&mut piece) {
                    Ok(0) => break Ok(String::from_utf8(read).unwrap()),
                    Ok(length) => read.extend_from_slice(&piece[..length]),
                    Err(error) => break Err(error.to_string()),
                }
            };
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(result, expected, "{text} in pieces of {length}");
        }
    }

    #[test]
    fn arrays_become_sequences() {
        check(Layout::Auto, r#"[{"a":1},{"a":[2,3]}]"#, Ok(" {\"a\":1}\n{\"a\":[2,3]} "));
        check(Layout::Auto, r#"[{"a":"],\"["} , {}]"#, Ok(" {\"a\":\"],\\\"[\"} \n {} "));
        check(Layout::Auto, r#" [ ] "#, Ok("     "));
        check(Layout::Array, "[1,\"x\",null]", Ok(" 1\n\"x\"\nnull "));
        check(Layout::Auto, "\u{feff}[{}]", Ok("    {} "));
    }

    #[test]
    fn sequences_stay() {
        check(Layout::Auto, "{\"a\":[1,2]}\n{}", Ok("{\"a\":[1,2]}\n{}"));
        check(Layout::Sequence, "[1]\n[2]", Ok("[1]\n[2]"));
        check(Layout::Auto, "\u{feff}{}", Ok("   {}"));
        check(Layout::Auto, "", Ok(""));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        check(Layout::Auto, r#"[{"a":1},{"a":2}"#, Err("the array has no end"));
        check(Layout::Auto, r#"[{"a":1},{"a":"#, Err("the array has no end"));
        check(Layout::Auto, r#"[{"a":"x]"#, Err("the array has no end"));
        check(Layout::Auto, r#"[{"a":1},]"#, Err("an element of the array is missing"));
        check(Layout::Auto, r#"[,{"a":1}]"#, Err("an element of the array is missing"));
        check(Layout::Auto, "[{}}]", Err("brackets of the array do not match"));
        check(Layout::Auto, "[{}] {}", Err("the array is followed by something else"));
        check(Layout::Array, "{}", Err("the file is not an array"));
    }
}
