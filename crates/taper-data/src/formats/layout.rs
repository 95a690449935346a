//! Checks the metadata of a Parquet file before it is decoded, since the decoder trusts them: sizes, numbers of rows,
//! compression, nesting (<https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>).

use super::thrift::{BINARY, STRUCT, Thrift};

/// A file of N bytes may have at most `SMALL` + [`RATIO`] · N values, and as many uncompressed bytes. Columns of
/// numbers that are not constant stay below this.
const SMALL: u64 = 1 << 20;
const RATIO: u64 = 1024;
/// The number of bytes that are read first to parse a page's header.
const HEADER: u64 = 4096;

/// Why a file is refused.
pub(crate) enum Refusal {
    /// The metadata are damaged, inconsistent, or claim more than the file can hold.
    Damaged(String),
    /// The file uses an unsupported feature; the text says which, and what to do.
    Unsupported(String),
}

use Refusal::{Damaged, Unsupported};

/// The metadata of a column chunk: one column of a row group.
#[derive(Default)]
struct Chunk<'a> {
    name: &'a [u8],
    kind: i64,
    codec: i64,
    values: i64,
    packed: i64,
    data: i64,
    dictionary: Option<i64>,
}

/// Checks the file of `length` bytes. `read(offset, count)` returns bytes of the file.
pub(crate) fn check(length: u64, read: &dyn Fn(u64, u64) -> Result<Vec<u8>, String>) -> Result<(), Refusal> {
    let damaged = |text: &str| Damaged(text.to_string());
    let tail = length.checked_sub(8).filter(|&at| at >= 4).ok_or_else(|| damaged("it is too short"))?;
    let end = read(tail, 8).map_err(Damaged)?;
    match end[..] {
        [_, _, _, _, b'P', b'A', b'R', b'1'] => {}
        [_, _, _, _, b'P', b'A', b'R', b'E'] => return Err(Unsupported("it is encrypted".into())),
        _ => return Err(damaged("it does not end in PAR1")),
    }
    let footer = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    let at = tail.checked_sub(footer).ok_or_else(|| damaged("its metadata are not all there"))?;
    let footer = read(at, footer).map_err(Damaged)?;
    let mut wrong = None;
    let mut columns = 0;
    let mut groups = Vec::new();
    let mut thrift = Thrift::new(&footer);
    let read_on = thrift.fields(|thrift, number, kind| match (number, kind) {
        (2, _) => {
            let (mut elements, mut nested) = (0_i64, None);
            thrift.list(STRUCT, |thrift| {
                let (mut name, mut children, mut repeated) = (&[][..], 0, false);
                thrift.fields(|thrift, number, kind| match number {
                    3 => thrift.int().map(|found| repeated = found == 2),
                    4 => thrift.binary().map(|found| name = found),
                    5 => thrift.int().map(|found| children = found),
                    _ => thrift.skip(kind),
                })?;
                if elements == 0 {
                    columns = children;
                } else if children != 0 || repeated {
                    nested.get_or_insert(name);
                }
                elements += 1;
                Some(())
            })?;
            if let Some(name) = nested {
                let name = name.escape_ascii();
                wrong.get_or_insert(Unsupported(format!("expected a flat table, found the nested column `{name}`")));
            } else if columns != elements - 1 {
                wrong.get_or_insert(damaged("its schema has another number of columns than it says"));
            }
            Some(())
        }
        (4, _) => thrift.list(STRUCT, |thrift| {
            let (mut chunks, mut rows) = (Vec::new(), 0);
            thrift.fields(|thrift, number, kind| match number {
                1 => thrift.list(STRUCT, |thrift| chunk(thrift).map(|chunk| chunks.push(chunk))),
                3 => thrift.int().map(|found| rows = found),
                _ => thrift.skip(kind),
            })?;
            groups.push((chunks, rows));
            Some(())
        }),
        _ => thrift.skip(kind),
    });
    read_on.ok_or_else(|| damaged("its metadata are broken"))?;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let room = length.saturating_mul(RATIO).saturating_add(SMALL);
    let (mut values, mut unpacked) = (0_u64, 0_u64);
    for (chunks, rows) in &groups {
        if chunks.len() as i64 != columns {
            return Err(damaged("a group of its rows has another number of columns than its schema"));
        }
        for chunk in chunks {
            compression(chunk)?;
            if chunk.values != *rows {
                return Err(damaged("a column has another number of values than there are rows"));
            }
            let rows = u64::try_from(*rows).map_err(|_| damaged("a number of rows is negative"))?;
            values = values.saturating_add(rows);
            unpacked = unpacked.saturating_add(pages(chunk, rows, length, room, read)?);
            if values.max(unpacked) > room {
                return Err(Damaged(format!(
                    "it claims {values} values and {unpacked} bytes when unpacked, more than its {length} bytes hold"
                )));
            }
        }
    }
    Ok(())
}

/// Parses the metadata of a column chunk.
fn chunk<'a>(thrift: &mut Thrift<'a>) -> Option<Chunk<'a>> {
    let mut chunk = Chunk::default();
    thrift.fields(|thrift, number, kind| match number {
        3 => thrift.fields(|thrift, number, kind| match number {
            1 => thrift.int().map(|found| chunk.kind = found),
            3 => thrift.list(BINARY, |thrift| thrift.binary().map(|found| chunk.name = found)),
            4 => thrift.int().map(|found| chunk.codec = found),
            5 => thrift.int().map(|found| chunk.values = found),
            7 => thrift.int().map(|found| chunk.packed = found),
            9 => thrift.int().map(|found| chunk.data = found),
            11 => thrift.int().map(|found| chunk.dictionary = Some(found)),
            _ => thrift.skip(kind),
        }),
        _ => thrift.skip(kind),
    })?;
    Some(chunk)
}

/// Checks that the compression of a column chunk is supported.
fn compression(chunk: &Chunk) -> Result<(), Refusal> {
    let (name, instead) = match chunk.codec {
        0 | 1 | 2 | 5 | 7 => return Ok(()),
        6 if cfg!(feature = "parquet-zstd") => return Ok(()),
        6 => ("Zstandard (zstd)", "build taper-data with the feature `parquet-zstd`, or "),
        3 => ("LZO", ""),
        4 => ("Brotli", ""),
        other => return Err(Damaged(format!("the number {other} is no compression"))),
    };
    let column = chunk.name.escape_ascii();
    let detail = format!(
        "column `{column}` is compressed with {name}, which is not read; {instead}write the file with Snappy, gzip or LZ4"
    );
    Err(Unsupported(detail))
}

/// Checks the page headers of `chunk`, which must have `rows` values, and returns the uncompressed size of its pages in
/// bytes.
fn pages(
    chunk: &Chunk,
    rows: u64,
    length: u64,
    room: u64,
    read: &dyn Fn(u64, u64) -> Result<Vec<u8>, String>,
) -> Result<u64, Refusal> {
    let name = chunk.name.escape_ascii();
    let damaged = |text: &str| Damaged(format!("column `{name}`: {text}"));
    // The same rule as in the decoder.
    let first = chunk.dictionary.unwrap_or(chunk.data);
    let place = |at: i64| u64::try_from(at).ok();
    let mut at = place(first).ok_or_else(|| damaged("it begins before the file"))?;
    let end = place(chunk.packed).and_then(|packed| at.checked_add(packed)).filter(|&end| end <= length);
    let end = end.ok_or_else(|| damaged("it is not all there"))?;
    // The smallest size in bytes of a value in a dictionary, by physical type.
    let least = match chunk.kind {
        0 => 1,
        2 | 5 => 8,
        3 => 12,
        7 => 1,
        _ => 4,
    };
    let (mut values, mut unpacked) = (0_u64, 0_u64);
    while at < end && values < rows {
        let (page, header) = page(at, end, read)?.ok_or_else(|| damaged("a page's header is broken"))?;
        let size = |found: i64| u64::try_from(found).map_err(|_| damaged("a page's size is negative"));
        let (packed, full, count) = (size(page.packed)?, size(page.unpacked)?, size(page.values)?);
        if page.dictionary {
            if count.saturating_mul(least) > full {
                return Err(damaged("its dictionary claims more values than its bytes hold"));
            }
        } else {
            values = values.saturating_add(count);
            if matches!(page.encoding, 6 | 7) {
                let name = if page.encoding == 6 { "DELTA_LENGTH_BYTE_ARRAY" } else { "DELTA_BYTE_ARRAY" };
                let instead = "write it with a dictionary or PLAIN";
                return Err(Unsupported(format!(
                    "column `{}` is encoded as {name}, which is not read; {instead}",
                    name_of(chunk)
                )));
            }
        }
        unpacked = unpacked.saturating_add(full);
        at = at.saturating_add(header).saturating_add(packed);
        if at > end || unpacked > room {
            return Err(damaged("a page claims more bytes than there are"));
        }
    }
    if values != rows {
        return Err(damaged("its pages have another number of values than there are rows"));
    }
    Ok(unpacked)
}

fn name_of(chunk: &Chunk) -> String {
    chunk.name.escape_ascii().to_string()
}

/// The header of a page.
#[derive(Default)]
struct Page {
    unpacked: i64,
    packed: i64,
    values: i64,
    encoding: i64,
    dictionary: bool,
}

/// Parses the header of the page at offset `at`. Returns it with its length in bytes, or `None` if there is no valid
/// header before `end`.
fn page(at: u64, end: u64, read: &dyn Fn(u64, u64) -> Result<Vec<u8>, String>) -> Result<Option<(Page, u64)>, Refusal> {
    let mut window = HEADER;
    loop {
        let bytes = read(at, window.min(end - at)).map_err(Damaged)?;
        let (mut page, mut thrift) = (Page::default(), Thrift::new(&bytes));
        let inner = |thrift: &mut Thrift, page: &mut Page, encoding: i16| {
            thrift.fields(|thrift, number, kind| match number {
                1 => thrift.int().map(|found| page.values = found),
                _ if number == encoding => thrift.int().map(|found| page.encoding = found),
                _ => thrift.skip(kind),
            })
        };
        let found = thrift.fields(|thrift, number, kind| match number {
            1 => thrift.int().map(|found| page.dictionary = found == 2),
            2 => thrift.int().map(|found| page.unpacked = found),
            3 => thrift.int().map(|found| page.packed = found),
            5 => inner(thrift, &mut page, 2),
            7 => inner(thrift, &mut page, 2),
            8 => inner(thrift, &mut page, 4),
            _ => thrift.skip(kind),
        });
        if found.is_some() {
            return Ok(Some((page, (bytes.len() - thrift.left()) as u64)));
        }
        // The header may be longer than the window: it can hold statistics.
        if window >= end - at {
            return Ok(None);
        }
        window *= 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn int(value: i64) -> Vec<u8> {
        varint((value << 1 ^ value >> 63) as u64)
    }

    /// A field whose number is `step` more than that of the field before.
    fn field(step: u8, kind: u8, value: &[u8]) -> Vec<u8> {
        [&[step << 4 | kind], value].concat()
    }

    fn structure(fields: &[Vec<u8>]) -> Vec<u8> {
        [fields.concat(), vec![0]].concat()
    }

    fn list(elements: &[Vec<u8>]) -> Vec<u8> {
        [vec![(elements.len() as u8) << 4 | STRUCT], elements.concat()].concat()
    }

    /// A file of one column of doubles: `rows` rows in one page that claims `values` values, with the compression
    /// `codec`.
    fn file(rows: i64, values: i64, codec: i64) -> Vec<u8> {
        let body = vec![0; 96];
        let header = structure(&[
            field(1, 5, &int(0)),
            field(1, 5, &int(body.len() as i64)),
            field(1, 5, &int(body.len() as i64)),
            field(2, STRUCT, &structure(&[field(1, 5, &int(values)), field(1, 5, &int(0))])),
        ]);
        let page = [header, body].concat();
        let text = |text: &str| [varint(text.len() as u64), text.as_bytes().to_vec()].concat();
        let facts = structure(&[
            field(1, 5, &int(5)),
            field(2, 9, &[&[0x10 | BINARY], &text("a")[..]].concat()),
            field(1, 5, &int(codec)),
            field(1, 6, &int(rows)),
            field(2, 6, &int(page.len() as i64)),
            field(2, 6, &int(4)),
        ]);
        let group =
            structure(&[field(1, 9, &list(&[structure(&[field(3, STRUCT, &facts)])])), field(2, 6, &int(rows))]);
        let root = structure(&[field(4, BINARY, &text("m")), field(1, 5, &int(1))]);
        let column = structure(&[field(1, 5, &int(5)), field(2, 5, &int(0)), field(1, BINARY, &text("a"))]);
        let footer = structure(&[
            field(1, 5, &int(1)),
            field(1, 9, &list(&[root, column])),
            field(1, 6, &int(rows)),
            field(1, 9, &list(&[group])),
        ]);
        let length = (footer.len() as u32).to_le_bytes();
        [&b"PAR1"[..], &page, &footer, &length, b"PAR1"].concat()
    }

    fn checked(bytes: &[u8]) -> Result<(), String> {
        let read = |at: u64, count: u64| {
            let found = bytes.get(at as usize..).and_then(|rest| rest.get(..count as usize));
            found.map(<[u8]>::to_vec).ok_or_else(|| "past the end".into())
        };
        check(bytes.len() as u64, &read).map_err(|wrong| match wrong {
            Damaged(text) => text,
            Unsupported(text) => format!("unread: {text}"),
        })
    }

    #[test]
    fn what_a_file_claims_is_held_against_its_length() {
        assert_eq!(checked(&file(12, 12, 0)), Ok(()));
        let text = checked(&file(1 << 60, 12, 0)).unwrap_err();
        assert_eq!(text, "column `a`: its pages have another number of values than there are rows");
        // 2³¹ − 1 rows in 96 bytes.
        let text = checked(&file(i32::MAX.into(), i32::MAX.into(), 0)).unwrap_err();
        assert!(text.starts_with("it claims 2147483647 values and 96 bytes when unpacked, more than its "), "{text}");
        assert_eq!(checked(&file(-1, -1, 0)).unwrap_err(), "a number of rows is negative");
        let text = checked(&file(12, 12, 4)).unwrap_err();
        assert!(text.starts_with("unread: column `a` is compressed with Brotli, which is not read; write"), "{text}");
        let whole = file(12, 12, 0);
        for length in 0..whole.len() {
            assert!(checked(&whole[..length]).is_err(), "{length}");
        }
    }
}
