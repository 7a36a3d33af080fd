//! The extents of a file: collecting them while it is stored, finding them when it is read.
//!
//! ```text
//! format u8 = 2 | 0 | count u32 | count x Extent      page
//! format u8 = 2 | 1 | count u32 | count x PageLink    page of pages
//! ```

use acre_codec::{Blob, Decode, Encode, List};

use super::{Content, Extent, MetaRef, Nodes, Pages};
use crate::StoreError;
use crate::limits::{
    ENTRY_CHUNKS_MAX, ENTRY_PIECES_MAX, FILE_BYTES_MAX, INLINE_BYTES_MAX, LEVELS_MAX,
    NODE_BYTES_FULL, NODE_BYTES_MAX, NODE_ITEMS_MAX,
};

const FORMAT: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct PageLink {
    /// Bytes of the file below.
    bytes: u64,
    page: MetaRef,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
enum Page {
    Leaf(List<Extent, NODE_ITEMS_MAX>),
    Inner(List<PageLink, NODE_ITEMS_MAX>),
}

fn parse_page(bytes: &[u8]) -> Result<Page, &'static str> {
    let Some((&FORMAT, body)) = bytes.split_first() else { return Err("its format is unknown") };
    acre_codec::decode_bounded(body, NODE_BYTES_MAX).map_err(|_| "it is not a page of a file")
}

/// Whether bytes are a page of a file; the entry for fuzzing.
///
/// # Errors
/// Bytes that are no page.
pub fn decode_page(bytes: &[u8]) -> Result<(), &'static str> {
    parse_page(bytes).map(|_| ())
}

/// Inner pages: as many links as fit.
const LINKS_MAX: usize = (NODE_BYTES_FULL - 8) / (8 + 28);

/// Collects the extents of one file in order. Holds an entry's worth, then one page a level.
#[derive(Default)]
pub struct ContentBuilder {
    extents: Vec<Extent>,
    /// Encoded bytes of `extents`.
    encoded: usize,
    chunks: usize,
    bytes: u64,
    /// Links to full pages, lowest level first.
    links: Vec<Vec<PageLink>>,
}

impl ContentBuilder {
    /// Starts an empty file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The content of a file short enough to stand in its entry; `None` if it is too long.
    #[must_use]
    pub fn inline(bytes: &[u8]) -> Option<Content> {
        if bytes.len() > INLINE_BYTES_MAX {
            return None;
        }
        Blob::new(bytes.to_vec()).ok().map(Content::Inline)
    }

    /// Bytes so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends an extent; empty ones are dropped.
    ///
    /// # Errors
    /// [`StoreError::PastLimit`] past [`FILE_BYTES_MAX`]; what `nodes` says.
    pub fn push<N: Nodes>(&mut self, nodes: &mut N, extent: Extent) -> Result<(), N::Error> {
        let bytes = extent.bytes();
        if bytes == 0 {
            return Ok(());
        }
        let total = self.bytes.saturating_add(bytes);
        if total > FILE_BYTES_MAX {
            let what = "bytes of a file";
            return Err(StoreError::PastLimit { what, value: total, limit: FILE_BYTES_MAX }.into());
        }
        let length = acre_codec::encode(&extent).len();
        let full = self.encoded.saturating_add(length) > NODE_BYTES_FULL.saturating_sub(6);
        if full || self.extents.len() >= NODE_ITEMS_MAX {
            self.flush(nodes)?;
        }
        self.encoded = self.encoded.saturating_add(length);
        self.chunks = self.chunks.saturating_add(extent.chunks());
        self.bytes = total;
        self.extents.push(extent);
        Ok(())
    }

    /// Saves the extents at hand as a page.
    fn flush<N: Nodes>(&mut self, nodes: &mut N) -> Result<(), N::Error> {
        let extents = std::mem::take(&mut self.extents);
        (self.encoded, self.chunks) = (0, 0);
        let bytes = extents.iter().map(Extent::bytes).fold(0, u64::saturating_add);
        let page = save_page(nodes, &Page::Leaf(List::new(extents).map_err(StoreError::from)?))?;
        self.link(nodes, 0, PageLink { bytes, page })
    }

    /// Adds a link at a level; full levels go up.
    fn link<N: Nodes>(
        &mut self,
        nodes: &mut N,
        level: usize,
        mut link: PageLink,
    ) -> Result<(), N::Error> {
        let mut level = level;
        loop {
            if level == self.links.len() {
                self.links.push(Vec::new());
            }
            let Some(links) = self.links.get_mut(level) else { return Ok(()) };
            if links.len() < LINKS_MAX {
                links.push(link);
                return Ok(());
            }
            let full = std::mem::replace(links, vec![link]);
            link = save_links(nodes, full)?;
            level = level.saturating_add(1);
        }
    }

    /// The content of the file.
    ///
    /// # Errors
    /// What `nodes` says.
    pub fn finish<N: Nodes>(mut self, nodes: &mut N) -> Result<Content, N::Error> {
        let fits = self.chunks <= ENTRY_CHUNKS_MAX && self.extents.len() <= ENTRY_PIECES_MAX;
        if self.links.is_empty() && fits {
            if self.extents.is_empty() {
                return Ok(Content::empty());
            }
            let extents = List::new(self.extents).map_err(StoreError::from)?;
            return Ok(Content::Extents(extents));
        }
        if !self.extents.is_empty() {
            self.flush(nodes)?;
        }
        let mut level = 0;
        loop {
            let links = self.links.get_mut(level).map(std::mem::take).unwrap_or_default();
            let is_top = level.saturating_add(1) >= self.links.len();
            if let ([only], true) = (links.as_slice(), is_top) {
                let levels = u8::try_from(level).unwrap_or(u8::MAX);
                return Ok(Content::Paged(Pages { levels, bytes: self.bytes, root: only.page }));
            }
            level = level.saturating_add(1);
            if !links.is_empty() {
                let link = save_links(nodes, links)?;
                self.link(nodes, level, link)?;
            }
        }
    }
}

fn save_page<N: Nodes>(nodes: &mut N, page: &Page) -> Result<MetaRef, N::Error> {
    nodes.save(acre_codec::encode(&(FORMAT, page)))
}

fn save_links<N: Nodes>(nodes: &mut N, links: Vec<PageLink>) -> Result<PageLink, N::Error> {
    let bytes = links.iter().map(|link| link.bytes).fold(0, u64::saturating_add);
    let page = save_page(nodes, &Page::Inner(List::new(links).map_err(StoreError::from)?))?;
    Ok(PageLink { bytes, page })
}

/// The extents of a file in order, from the one that holds a given byte on.
pub struct Extents {
    /// Pages still to be read, the next one last, each with its level.
    pending: Vec<(u8, PageLink)>,
    ready: std::vec::IntoIter<Extent>,
    /// Bytes still to be skipped.
    skip: u64,
}

impl Extents {
    /// Begins at the extent that holds byte `offset`. For inline content there are none.
    #[must_use]
    pub fn new(content: &Content, offset: u64) -> Self {
        let (mut pending, mut ready) = (Vec::new(), Vec::new());
        match content {
            Content::Inline(_) => {}
            Content::Extents(extents) => ready = extents.to_vec(),
            Content::Paged(pages) => {
                pending.push((pages.levels, PageLink { bytes: pages.bytes, page: pages.root }));
            }
        }
        Self { pending, ready: ready.into_iter(), skip: offset }
    }

    /// The next extent. The first one comes with the count of its bytes that lie before the
    /// `offset` asked for; all others with 0.
    ///
    /// # Errors
    /// [`StoreError::BadNode`]; what `nodes` says.
    pub fn next<N: Nodes>(&mut self, nodes: &mut N) -> Result<Option<(Extent, u64)>, N::Error> {
        loop {
            for extent in self.ready.by_ref() {
                match self.skip.checked_sub(extent.bytes()) {
                    Some(rest) if extent.bytes() > 0 || rest > 0 => self.skip = rest,
                    _ => return Ok(Some((extent, std::mem::take(&mut self.skip)))),
                }
            }
            let Some((level, link)) = self.pending.pop() else { return Ok(None) };
            if let Some(rest) = self.skip.checked_sub(link.bytes) {
                self.skip = rest;
                continue;
            }
            let bytes = nodes.load(link.page)?;
            match (parse_page(&bytes).map_err(|reason| link.page.wrong(reason))?, level) {
                (Page::Leaf(extents), 0) => self.ready = extents.into_vec().into_iter(),
                (Page::Inner(links), 1..=LEVELS_MAX) => {
                    let below = level.saturating_sub(1);
                    self.pending.extend(links.iter().rev().map(|link| (below, *link)));
                }
                _ => {
                    let reason = "it stands on another level than it should";
                    return Err(link.page.wrong(reason).into());
                }
            }
        }
    }
}
