//! Reading packs: whole metadata packs, ranges of data packs. What comes back opened; a node that
//! sent wrong bytes was found by the machine and blamed in the log.

use std::collections::HashMap;
use std::ops::Range as Bounds;
use std::sync::Arc;

use acre_store::machine::{
    Event, Extent, GetSpec, MachineError, Operation, Piece, Range, Ready, RequestId, Seen,
    SurveySpec,
};
use acre_store::pack::{Layout, MetaPack, rebuild};
use acre_store::shard::{PackClass, shard_bytes};
use acre_types::{PackId, Profile, ShardIndex};
use bytes::{Bytes, BytesMut};

use crate::ClientError;
use crate::courier::{Body, Load, Operating, Told, Verdict};
use crate::shared::Core;
use crate::volume::Volume;

type Bodies = HashMap<RequestId, Arc<Body>>;

/// A metadata pack, laid open.
///
/// # Errors
/// [`ClientError::Unreachable`], [`ClientError::Damaged`].
pub(crate) async fn meta_pack(
    core: &Arc<Core>,
    volume: &Arc<Volume>,
    pack: PackId,
) -> Result<MetaPack, ClientError> {
    let open = |ready: &Ready, bodies: &Bodies| {
        let (layout, shards) = whole(volume.profile, ready, bodies)?;
        MetaPack::open(&layout, pack, &shards, volume.keys.meta()).ok()
    };
    get(core, volume, pack, Extent::Whole, open).await
}

/// Reads an extent of a pack and opens what came; `open` gives `None` if a tag failed, and is
/// called again with what the machine found instead.
pub(crate) async fn get<T>(
    core: &Arc<Core>,
    volume: &Arc<Volume>,
    pack: PackId,
    extent: Extent,
    mut open: impl FnMut(&Ready, &Bodies) -> Option<T>,
) -> Result<T, ClientError> {
    let mut reading = begin(core, volume, pack, extent);
    loop {
        let (ready, bodies) = ready(core, volume, &mut reading).await?;
        match open(&ready, &bodies) {
            Some(opened) => {
                reading.judge(Verdict::Good);
                return Ok(opened);
            }
            None => reading.judge(Verdict::Bad),
        }
    }
}

/// Begins a read.
pub(crate) fn begin(core: &Core, volume: &Volume, pack: PackId, extent: Extent) -> Operating {
    let spec = GetSpec { pack, places: volume.places(), extent, hints: Vec::new() };
    let load = Load { party: Arc::clone(&volume.party), pack: None, head: None };
    core.courier.begin(Operation::Get(spec), load)
}

/// Waits for the pieces of a read.
pub(crate) async fn ready(
    core: &Core,
    volume: &Volume,
    reading: &mut Operating,
) -> Result<(Ready, Bodies), ClientError> {
    while let Some(told) = reading.next().await {
        match told {
            Told::Ready(ready, bodies) => return Ok((ready, bodies)),
            Told::Event(Event::Failed(error)) => return Err(lost(core, volume, error).await),
            _ => {}
        }
    }
    Err(ClientError::Closed)
}

/// Whether what cannot be read is out of reach or lost: those who answer are asked once more.
async fn lost(core: &Core, volume: &Volume, error: MachineError) -> ClientError {
    let (pack, have, need, places) = match error {
        MachineError::Unavailable { pack, have, need, missing } => (pack, have, need, missing),
        MachineError::PackDamaged { pack } => {
            let need = volume.profile.data();
            return ClientError::Damaged { pack, have: 0, need, places: Vec::new() };
        }
        other => return ClientError::Machine(other),
    };
    let spec = SurveySpec { pack, places: volume.places() };
    let load = Load { party: Arc::clone(&volume.party), pack: None, head: None };
    let mut surveying = core.courier.begin(Operation::Survey(spec), load);
    let mut silent = usize::MAX;
    while let Some(told) = surveying.next().await {
        if let Told::Event(Event::Sighted(sightings)) = told {
            silent = sightings.iter().filter(|seen| seen.seen == Seen::Unreachable).count();
        }
    }
    if silent > 0 {
        ClientError::Unreachable { pack, have, need, places }
    } else {
        ClientError::Damaged { pack, have, need, places }
    }
}

/// All shards at hand of a whole pack, and its layout by the word of most who sent one.
fn whole(
    profile: Profile,
    ready: &Ready,
    bodies: &Bodies,
) -> Option<(Layout, Vec<(ShardIndex, Bytes)>)> {
    let decoded = ready.decode.iter().flat_map(|decode| &decode.from);
    let pieces: Vec<&Piece> = ready.direct.iter().chain(decoded).collect();
    let mut votes: HashMap<u32, usize> = HashMap::new();
    for piece in &pieces {
        let body = bodies.get(&piece.request)?;
        *votes.entry(body.pack_bytes).or_default() += 1;
    }
    let pack_bytes = votes.into_iter().max_by_key(|(_, votes)| *votes)?.0;
    let layout = Layout::new(profile, PackClass::Meta, pack_bytes).ok()?;
    let length = usize::try_from(layout.shard_bytes()).ok()?;
    let mut shards = Vec::new();
    for piece in pieces {
        let body = bodies.get(&piece.request)?;
        if body.bytes.len() == length && !shards.iter().any(|(index, _)| *index == piece.index) {
            shards.push((piece.index, body.bytes.clone()));
        }
    }
    Some((layout, shards))
}

/// Consecutive bytes of a data pack, in pieces as they came.
pub(crate) struct Bytewise {
    /// First byte, and the bytes; ascending, without gaps.
    segments: Vec<(u32, Bytes)>,
}

/// The extent of these bytes of a pack.
pub(crate) fn extent(profile: Profile, pack_bytes: u32, range: &Bounds<u32>) -> Extent {
    let range = Range::between(range.start, range.end);
    Extent::Bytes { range, shard_bytes: shard_bytes(profile, pack_bytes) }
}

impl Bytewise {
    /// Joins the pieces of a read; `None` if they do not fit, which is a node's fault.
    pub(crate) fn new(
        profile: Profile,
        pack_bytes: u32,
        ready: &Ready,
        bodies: &Bodies,
    ) -> Option<Self> {
        let length = shard_bytes(profile, pack_bytes);
        let made = match &ready.decode {
            Some(decode) => make(profile, decode, bodies)?,
            None => Vec::new(),
        };
        let mut segments = Vec::with_capacity(ready.parts.len());
        for (index, range) in &ready.parts {
            let start = u32::from(index.get()).checked_mul(length)?.checked_add(range.offset)?;
            let bytes = if let Some((_, columns, bytes)) =
                made.iter().find(|(made, ..)| made == index)
            {
                cut(bytes, *columns, *range)?
            } else {
                let is_it = |piece: &&Piece| piece.index == *index && piece.range.covers(*range);
                let piece = ready.direct.iter().find(is_it)?;
                cut(&bodies.get(&piece.request)?.bytes, piece.range, *range)?
            };
            segments.push((start, bytes));
        }
        Some(Self { segments })
    }

    /// These bytes; shared if they lie in one piece. `None` if they are not all here.
    pub(crate) fn get(&self, range: Bounds<u32>) -> Option<Bytes> {
        let at =
            self.segments.partition_point(|(start, _)| *start <= range.start).checked_sub(1)?;
        let (start, bytes) = self.segments.get(at)?;
        let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
        let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        if from + length <= bytes.len() {
            return Some(bytes.slice(from..from + length));
        }
        let mut joined = BytesMut::with_capacity(length);
        joined.extend_from_slice(bytes.get(from..)?);
        for (_, bytes) in self.segments.get(at + 1..)? {
            let rest = length - joined.len();
            joined.extend_from_slice(bytes.get(..rest.min(bytes.len()))?);
            if joined.len() == length {
                return Some(joined.freeze());
            }
        }
        None
    }
}

/// `wanted` out of bytes that begin at `have`.
fn cut(bytes: &Bytes, have: Range, wanted: Range) -> Option<Bytes> {
    let from = usize::try_from(wanted.offset.checked_sub(have.offset)?).ok()?;
    let until = if wanted.length == u32::MAX {
        bytes.len()
    } else {
        from.checked_add(usize::try_from(wanted.length).ok()?)?
    };
    (from <= until && until <= bytes.len()).then(|| bytes.slice(from..until))
}

/// Computes the shards that a decode is to make: index, columns, bytes.
pub(crate) fn make(
    profile: Profile,
    decode: &acre_store::machine::Decode,
    bodies: &Bodies,
) -> Option<Vec<(ShardIndex, Range, Bytes)>> {
    let mut given = Vec::with_capacity(decode.from.len());
    for piece in &decode.from {
        let body = bodies.get(&piece.request)?;
        given.push((piece.index, cut(&body.bytes, piece.range, decode.columns)?));
    }
    let length = given.first()?.1.len();
    let given: Vec<(ShardIndex, &[u8])> =
        given.iter().map(|(index, bytes)| (*index, bytes.as_ref())).collect();
    let mut made: Vec<(ShardIndex, Vec<u8>)> =
        decode.make.iter().map(|index| (*index, vec![0; length])).collect();
    let mut wanted: Vec<(ShardIndex, &mut [u8])> =
        made.iter_mut().map(|(index, bytes)| (*index, bytes.as_mut_slice())).collect();
    rebuild(profile, &given, &mut wanted).ok()?;
    let made = made.into_iter();
    Some(made.map(|(index, bytes)| (index, decode.columns, Bytes::from(bytes))).collect())
}
