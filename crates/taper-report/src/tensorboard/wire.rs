//! Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding): a message is a sequence of fields, each a
//! tag `number << 3 | type` and a payload.

const VARINT: u32 = 0;
const EIGHT_BYTES: u32 = 1;
const LENGTH_FIRST: u32 = 2;
const FOUR_BYTES: u32 = 5;

/// A message that is being encoded, field by field.
#[derive(Debug, Default, Clone)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// A field of type `int32`, `int64`, `bool` or an enum; negative numbers take ten bytes.
    pub fn int(mut self, field: u32, value: i64) -> Self {
        self.tag(field, VARINT);
        self.varint(value as u64);
        self
    }

    /// A field of type `double`.
    pub fn double(mut self, field: u32, value: f64) -> Self {
        self.tag(field, EIGHT_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A field of type `float`.
    pub fn float(mut self, field: u32, value: f32) -> Self {
        self.tag(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A field of type `bytes` or `string`.
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        self.tag(field, LENGTH_FIRST);
        self.varint(value.as_ref().len() as u64);
        self.0.extend(value.as_ref());
        self
    }

    /// A nested message.
    pub fn message(self, field: u32, value: Self) -> Self {
        self.bytes(field, value.0)
    }

    /// A field of type `repeated double`, packed.
    pub fn doubles(self, field: u32, values: &[f64]) -> Self {
        self.bytes(field, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
    }

    /// The message's bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    /// Seven bits per byte, lowest first; the top bit is set if more bytes follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the encoding's documentation.
    #[test]
    fn fields_are_as_documented() {
        assert_eq!(Message::default().int(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().int(1, 127).into_bytes(), [0x08, 0x7f]);
        assert_eq!(Message::default().int(1, 128).into_bytes(), [0x08, 0x80, 0x01]);
        let minus_two = [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Message::default().int(1, -2).into_bytes(), minus_two);
        let testing = [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67];
        assert_eq!(Message::default().bytes(2, "testing").into_bytes(), testing);
        let inner = Message::default().int(1, 150);
        assert_eq!(Message::default().message(3, inner).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(Message::default().float(2, 1.0).into_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
        assert_eq!(Message::default().double(16, 1.0).into_bytes(), [0x81, 0x01, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(Message::default().doubles(6, &[1.0]).into_bytes(), [0x32, 0x08, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    }
}
