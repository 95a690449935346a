//! A parser of Thrift's compact protocol
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>), as far as the check of
//! Parquet's metadata needs it.

/// The largest depth of nested structures, lists and maps. Parquet's metadata are about five deep.
const DEEPEST: usize = 24;

/// A parser and its remaining bytes. All methods return `None` at invalid bytes.
#[derive(Clone, Copy)]
pub(super) struct Thrift<'a> {
    rest: &'a [u8],
}

/// Type codes of fields and elements.
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

impl<'a> Thrift<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number of remaining bytes.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Reads an integer (i16, i32 or i64, zigzag varint).
    pub fn int(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Reads bytes or a text.
    pub fn binary(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (found, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(found)
    }

    /// Reads the fields of a structure. `each` gets the number and the type of a field, and must read or skip its
    /// value.
    pub fn fields(&mut self, mut each: impl FnMut(&mut Self, i16, u8) -> Option<()>) -> Option<()> {
        let mut number = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            let step = i16::from(head >> 4);
            number = if step == 0 { i16::try_from(self.int()?).ok()? } else { number.checked_add(step)? };
            each(self, number, head & 15)?;
        }
    }

    /// Reads the elements of a list, whose type must be `kind`, with `each`.
    pub fn list(&mut self, kind: u8, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let (found, count) = self.list_head()?;
        if found != kind && count > 0 {
            return None;
        }
        (0..count).try_for_each(|_| each(self))
    }

    /// Reads the type and the number of a list's elements. `None` if there are more than remaining bytes: each element
    /// takes at least one.
    fn list_head(&mut self) -> Option<(u8, usize)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { usize::try_from(self.varint()?).ok()? } else { usize::from(head >> 4) };
        (count <= self.rest.len()).then_some((head & 15, count))
    }

    /// Skips a field's value of type `kind`.
    pub fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_value(kind, false, 0)
    }

    fn skip_value(&mut self, kind: u8, element: bool, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // The type of a bool field is its value.
            1 | 2 if element => self.byte().map(drop),
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.skip_bytes(8),
            BINARY => self.binary().map(drop),
            LIST | 10 => {
                let (kind, count) = self.list_head()?;
                (0..count).try_for_each(|_| self.skip_value(kind, true, depth + 1))
            }
            11 => {
                let count = usize::try_from(self.varint()?).ok().filter(|&count| count <= self.rest.len())?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.skip_value(kinds >> 4, true, depth + 1)?;
                    self.skip_value(kinds & 15, true, depth + 1)
                })
            }
            STRUCT => self.fields(|thrift, _, kind| thrift.skip_value(kind, false, depth + 1)),
            13 => self.skip_bytes(16),
            _ => None,
        }
    }

    fn skip_bytes(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_numbered_and_skipped() {
        // {1: i32 5, 2: true, 20: list of two strings, 21: {1: i64 −1}}, and a byte after it.
        let bytes = [0x15, 10, 0x11, 0x09, 40, 0x28, 1, b'a', 2, b'b', b'c', 0x1C, 0x16, 1, 0, 0, 9];
        let mut seen = Vec::new();
        let mut thrift = Thrift::new(&bytes);
        thrift.fields(|thrift, number, kind| {
            seen.push((number, kind));
            thrift.skip(kind)
        });
        assert_eq!((seen, thrift.left()), (vec![(1, 5), (2, 1), (20, LIST), (21, STRUCT)], 1));
        let mut thrift = Thrift::new(&bytes);
        let (mut five, mut texts, mut minus) = (0, Vec::new(), 0);
        thrift.fields(|thrift, number, kind| match number {
            1 => thrift.int().map(|value| five = value),
            20 => thrift.list(BINARY, |thrift| thrift.binary().map(|text| texts.push(text))),
            21 => thrift.fields(|thrift, _, _| thrift.int().map(|value| minus = value)),
            _ => thrift.skip(kind),
        });
        assert_eq!((five, texts, minus), (5, vec![&b"a"[..], b"bc"], -1));
    }

    #[test]
    fn depth_and_lengths_are_bounded() {
        assert_eq!(Thrift::new(&[0x1C; 1000]).fields(|thrift, _, kind| thrift.skip(kind)), None);
        assert_eq!(Thrift::new(&[0xF5, 0xFF, 0xFF, 0x7F, 0]).list(5, |thrift| thrift.int().map(drop)), None);
        assert_eq!(Thrift::new(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]).binary(), None);
        assert_eq!(Thrift::new(&[0xFF; 20]).int(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut thrift = Thrift::new(&bytes);
            let _ = thrift.fields(|thrift, _, kind| thrift.skip(kind));
            prop_assert!(thrift.left() <= bytes.len());
        }
    }
}
