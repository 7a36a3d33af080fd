//! Reads records back and checks every byte that is handed out.

use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::disk::DiskFile;
use crate::error::{Error, Part};
use crate::format::{Place, Shape, block_is_intact, decode_prefix, meta_is_intact, meta_key};
use crate::key::Key;
use crate::limits::CHECK_BLOCK_BYTES;

/// A whole record.
pub(crate) struct Read {
    pub header: Bytes,
    pub table: Bytes,
    pub body: Bytes,
}

/// Reads the record at `place`. The outer error is the disk's, the inner one says which part is damaged.
pub(crate) fn read_record(
    file: &dyn DiskFile,
    place: Place,
    shape: Shape,
    key: &Key,
) -> io::Result<Result<Read, Error>> {
    let whole = read_exactly(file, place.offset.into(), shape.unpadded_len())?;
    let damaged = |part| Ok(Err(Error::Damaged { key: *key, part }));
    if whole.len() < shape.meta_len() || !meta_fits(&whole[..shape.meta_len()], place, shape, key) {
        return damaged(Part::Header);
    }
    let meta = whole.slice(..shape.meta_len());
    let body = whole.slice(shape.meta_len()..);
    if body.len() < shape.body_len as usize || !blocks_fit(&meta, shape, 0, &body) {
        return damaged(Part::Body);
    }
    let header = meta.slice(shape.header_at()..shape.table_at());
    Ok(Ok(Read { header, table: meta.slice(shape.table_at()..), body }))
}

/// Reads the header alone.
pub(crate) fn read_header(
    file: &dyn DiskFile,
    place: Place,
    shape: Shape,
    key: &Key,
) -> io::Result<Result<Bytes, Error>> {
    Ok(match read_meta(file, place, shape)? {
        meta if meta_fits(&meta, place, shape, key) => {
            Ok(meta.slice(shape.header_at()..shape.table_at()))
        }
        _ => Err(Error::Damaged { key: *key, part: Part::Header }),
    })
}

/// Reads `range` of the body, which must be inside it: the blocks that it touches are read and checked, nothing else.
pub(crate) fn read_range(
    file: &dyn DiskFile,
    place: Place,
    shape: Shape,
    key: &Key,
    range: Range<usize>,
) -> io::Result<Result<Bytes, Error>> {
    let meta = read_meta(file, place, shape)?;
    if !meta_fits(&meta, place, shape, key) {
        return Ok(Err(Error::Damaged { key: *key, part: Part::Header }));
    }
    let first = range.start / CHECK_BLOCK_BYTES;
    let from = first * CHECK_BLOCK_BYTES;
    let to = range.end.next_multiple_of(CHECK_BLOCK_BYTES).min(shape.body_len as usize);
    let body_at = u64::from(place.offset) + shape.meta_len() as u64;
    let blocks = read_exactly(file, body_at + from as u64, to.saturating_sub(from))?;
    if blocks.len() < to.saturating_sub(from) || !blocks_fit(&meta, shape, first, &blocks) {
        return Ok(Err(Error::Damaged { key: *key, part: Part::Body }));
    }
    Ok(Ok(blocks.slice(range.start - from..range.end - from)))
}

fn read_meta(file: &dyn DiskFile, place: Place, shape: Shape) -> io::Result<Bytes> {
    read_exactly(file, place.offset.into(), shape.meta_len())
}

fn meta_fits(meta: &[u8], place: Place, shape: Shape, key: &Key) -> bool {
    meta.len() == shape.meta_len()
        && decode_prefix(meta, place).is_some_and(|prefix| prefix.shape == shape)
        && meta_is_intact(meta)
        && meta_key(meta, shape).as_ref() == Some(key)
}

fn blocks_fit(meta: &[u8], shape: Shape, first: usize, bytes: &[u8]) -> bool {
    let mut blocks = bytes.chunks(CHECK_BLOCK_BYTES).zip(first..);
    blocks.all(|(block, index)| block_is_intact(meta, shape, index, block))
}

/// Up to `len` bytes at `offset`; fewer at the end of the file.
fn read_exactly(file: &dyn DiskFile, offset: u64, len: usize) -> io::Result<Bytes> {
    let mut buf = BytesMut::zeroed(len);
    let read = file.read_at(offset, &mut buf)?;
    buf.truncate(read);
    Ok(buf.freeze())
}
