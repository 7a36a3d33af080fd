//! What a directory says of one name.

use std::io;

use acre_codec::{Blob, Decode, Encode, List};
use acre_crypto::{Secret, aead::AeadKey};
use acre_types::PackId;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Directory, MetaRef};
use crate::StoreError;
use crate::error::invalid;
use crate::limits::{
    ENTRY_CHUNKS_MAX, ENTRY_PIECES_MAX, FILE_BYTES_MAX, INLINE_BYTES_MAX, LEVELS_MAX,
    NAME_BYTES_MAX, NODE_BYTES_MAX, RUN_CHUNKS_MAX, TARGET_BYTES_MAX,
};
use crate::pack::ChunkRef;

/// Permission, set-id and sticky bits; nothing else of a mode is kept.
const MODE_MAX: u32 = 0o7777;

/// The name of an entry: 1 to 255 raw bytes without `/` and NUL, and not `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
pub struct Name(Blob<NAME_BYTES_MAX>);

impl Name {
    /// # Errors
    /// [`StoreError::BadName`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, StoreError> {
        let bytes: Vec<u8> = bytes.into();
        let reason = match bytes.as_slice() {
            [] => "it is empty",
            b"." | b".." => "it means a directory",
            name if name.len() > NAME_BYTES_MAX => "it has more than 255 bytes",
            name if name.contains(&b'/') => "it contains a slash",
            name if name.contains(&0) => "it contains a zero byte",
            _ => return Ok(Self(Blob::new(bytes)?)),
        };
        let name = bytes.into_iter().take(NAME_BYTES_MAX).collect();
        Err(StoreError::BadName { name, reason })
    }

    /// The bytes themselves; mostly UTF-8, but not always.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        String::from_utf8_lossy(&self.0).fmt(f)
    }
}

impl Decode for Name {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let bytes = Blob::<NAME_BYTES_MAX>::deserialize_reader(reader)?;
        Self::new(bytes.into_vec()).map_err(invalid)
    }
}

/// What an operating system keeps beside a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode)]
pub struct Meta {
    mode: u32,
    mtime_ns: i64,
}

impl Meta {
    /// `mode`: its permission bits are kept. `mtime_ns`: nanoseconds since 1970.
    #[must_use]
    pub const fn new(mode: u32, mtime_ns: i64) -> Self {
        Self { mode: mode & MODE_MAX, mtime_ns }
    }

    /// Permission, set-id and sticky bits.
    #[must_use]
    pub const fn mode(&self) -> u32 {
        self.mode
    }

    /// Last change of the content, in nanoseconds since 1970.
    #[must_use]
    pub const fn mtime_ns(&self) -> i64 {
        self.mtime_ns
    }
}

impl Decode for Meta {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let (mode, mtime_ns) = (u32::deserialize_reader(reader)?, i64::deserialize_reader(reader)?);
        if mode > MODE_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "mode has unknown bits"));
        }
        Ok(Self { mode, mtime_ns })
    }
}

/// The key of a data pack as it stands in the metadata. Wiped when dropped, not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
pub struct PackKey([u8; 32]);

impl PackKey {
    /// Expands the key for opening chunks.
    #[must_use]
    pub fn expand(&self) -> AeadKey {
        AeadKey::new(&Secret::new(self.0))
    }
}

impl std::fmt::Debug for PackKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PackKey(…)")
    }
}

/// Consecutive chunks of a file in one data pack, with all that is needed to read them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Run {
    /// The pack.
    pub pack: PackId,
    /// Its length, from which its layout follows.
    pub pack_bytes: u32,
    /// Its key.
    pub key: PackKey,
    /// The chunks, in the order of the file.
    pub chunks: List<ChunkRef, RUN_CHUNKS_MAX>,
}

impl Run {
    /// # Errors
    /// More than [`RUN_CHUNKS_MAX`] chunks.
    pub fn new(
        pack: PackId,
        pack_bytes: u32,
        secret: &Secret,
        chunks: Vec<ChunkRef>,
    ) -> Result<Self, StoreError> {
        let key = PackKey(*secret.expose());
        Ok(Self { pack, pack_bytes, key, chunks: List::new(chunks)? })
    }

    /// Bytes of the file that this run holds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.plain)).fold(0, u64::saturating_add)
    }
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Extent {
    /// Bytes in a pack.
    Data(Run),
    /// Zeros that are stored nowhere.
    Hole {
        /// How many.
        bytes: u64,
    },
}

impl Extent {
    /// Bytes of the file that this is.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Data(run) => run.bytes(),
            Self::Hole { bytes } => *bytes,
        }
    }

    /// Chunks named.
    #[must_use]
    pub fn chunks(&self) -> usize {
        match self {
            Self::Data(run) => run.chunks.len(),
            Self::Hole { .. } => 0,
        }
    }
}

/// A list of extents too long for an entry, as a tree of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Pages {
    /// Levels of inner pages.
    pub levels: u8,
    /// Bytes of the file.
    pub bytes: u64,
    /// The topmost page.
    pub root: MetaRef,
}

/// The bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Content {
    /// Here.
    Inline(Blob<INLINE_BYTES_MAX>),
    /// In packs, or zeros.
    Extents(List<Extent, ENTRY_PIECES_MAX>),
    /// In packs listed in pages.
    Paged(Pages),
}

impl Content {
    /// An empty file.
    #[must_use]
    pub fn empty() -> Self {
        Self::Inline(Blob::default())
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Inline(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Extents(extents) => {
                extents.iter().map(Extent::bytes).fold(0, u64::saturating_add)
            }
            Self::Paged(pages) => pages.bytes,
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        let past = |what, value: u64, limit: u64| StoreError::PastLimit { what, value, limit };
        let bytes = self.bytes();
        if bytes > FILE_BYTES_MAX {
            return Err(past("bytes of a file", bytes, FILE_BYTES_MAX));
        }
        match self {
            Self::Inline(_) => {}
            Self::Extents(extents) => {
                let chunks: usize =
                    extents.iter().map(Extent::chunks).fold(0, usize::saturating_add);
                if chunks > ENTRY_CHUNKS_MAX {
                    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
                    return Err(past(
                        "chunks of an entry",
                        number(chunks),
                        number(ENTRY_CHUNKS_MAX),
                    ));
                }
            }
            Self::Paged(pages) if pages.levels > LEVELS_MAX => {
                return Err(past("levels", pages.levels.into(), LEVELS_MAX.into()));
            }
            Self::Paged(_) => {}
        }
        Ok(())
    }
}

/// Where a symbolic link points: at most 4095 bytes without NUL.
#[derive(Clone, PartialEq, Eq, Encode)]
pub struct Target(Blob<TARGET_BYTES_MAX>);

impl Target {
    /// # Errors
    /// [`StoreError::BadName`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, StoreError> {
        let bytes: Vec<u8> = bytes.into();
        let reason = match bytes.as_slice() {
            [] => "the target of a link is empty",
            target if target.len() > TARGET_BYTES_MAX => {
                "the target of a link has more than 4095 bytes"
            }
            target if target.contains(&0) => "the target of a link contains a zero byte",
            _ => return Ok(Self(Blob::new(bytes)?)),
        };
        let name = bytes.into_iter().take(NAME_BYTES_MAX).collect();
        Err(StoreError::BadName { name, reason })
    }

    /// The bytes themselves.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl Decode for Target {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let bytes = Blob::<TARGET_BYTES_MAX>::deserialize_reader(reader)?;
        Self::new(bytes.into_vec()).map_err(invalid)
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// Bytes.
    File(Content),
    /// More entries.
    Directory(Directory),
    /// Another path.
    Symlink(Target),
}

/// A name and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Entry {
    /// Unique in its directory.
    pub name: Name,
    /// Mode and time.
    pub meta: Meta,
    /// What it is.
    pub kind: Kind,
}

impl Entry {
    /// What this adds to the totals of the directories above it.
    #[must_use]
    pub fn totals(&self) -> Totals {
        match &self.kind {
            Kind::File(content) => Totals { files: 1, bytes: content.bytes(), ..Totals::default() },
            Kind::Directory(directory) => {
                let below = directory.totals();
                Totals { directories: below.directories.saturating_add(1), ..below }
            }
            Kind::Symlink(_) => Totals { symlinks: 1, ..Totals::default() },
        }
    }
}

impl Decode for Entry {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let name = Name::deserialize_reader(reader)?;
        let meta = Meta::deserialize_reader(reader)?;
        let kind = Kind::deserialize_reader(reader)?;
        if let Kind::File(content) = &kind {
            content.check().map_err(invalid)?;
        }
        Ok(Self { name, meta, kind })
    }
}

/// Decodes one entry from canonical bytes.
///
/// # Errors
/// Bytes that are no entry.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, StoreError> {
    Ok(acre_codec::decode_bounded(bytes, NODE_BYTES_MAX)?)
}

/// Sums over a directory and everything below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Directories, this one not counted.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Plain bytes of all files; holes count.
    pub bytes: u64,
}

impl Totals {
    /// The sum; stays at the largest.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            files: self.files.saturating_add(other.files),
            directories: self.directories.saturating_add(other.directories),
            symlinks: self.symlinks.saturating_add(other.symlinks),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}
