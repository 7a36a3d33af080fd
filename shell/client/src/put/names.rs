//! The names of a directory in ascending order, however many there are.
//!
//! Up to [`NAMES_IN_MEMORY`] are sorted in memory. Past that, sorted runs go to a nameless
//! temporary file and are merged while they are read.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::limits::NAMES_IN_MEMORY;

/// Names in ascending order of their bytes.
pub(crate) enum Names {
    Memory(std::vec::IntoIter<Vec<u8>>),
    Runs(Vec<Run>),
}

/// One sorted run with its next name.
pub(crate) struct Run {
    file: io::Take<BufReader<At>>,
    next: Option<Vec<u8>>,
}

/// A file read from a position of its own.
pub(crate) struct At {
    file: std::sync::Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        self.at += u64::try_from(read).unwrap_or(0);
        Ok(read)
    }
}

impl Names {
    /// Reads a directory.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn read(dir: &Path) -> io::Result<Self> {
        Self::sort(
            std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().into_vec())),
            NAMES_IN_MEMORY,
        )
    }

    fn sort(
        names: impl Iterator<Item = io::Result<Vec<u8>>>,
        in_memory: usize,
    ) -> io::Result<Self> {
        let mut batch = Vec::new();
        let mut spill: Option<(BufWriter<File>, Vec<u64>)> = None;
        for name in names {
            batch.push(name?);
            if batch.len() >= in_memory {
                let spill = match &mut spill {
                    Some(spill) => spill,
                    None => spill.insert((BufWriter::new(nameless()?), Vec::new())),
                };
                write_run(&mut batch, spill)?;
            }
        }
        let Some(mut spill) = spill else {
            batch.sort_unstable();
            return Ok(Self::Memory(batch.into_iter()));
        };
        if !batch.is_empty() {
            write_run(&mut batch, &mut spill)?;
        }
        let (file, ends) = spill;
        let file = std::sync::Arc::new(file.into_inner().map_err(io::IntoInnerError::into_error)?);
        let mut runs = Vec::new();
        let mut start = 0;
        for end in ends {
            let at = At { file: std::sync::Arc::clone(&file), at: start };
            let mut run = Run { file: BufReader::new(at).take(end - start), next: None };
            run.advance()?;
            runs.push(run);
            start = end;
        }
        Ok(Self::Runs(runs))
    }

    /// The next name.
    ///
    /// # Errors
    /// What the system says of the temporary file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let runs = match self {
            Self::Memory(names) => return Ok(names.next()),
            Self::Runs(runs) => runs,
        };
        let least =
            runs.iter_mut().filter(|run| run.next.is_some()).min_by(|a, b| a.next.cmp(&b.next));
        let Some(run) = least else { return Ok(None) };
        let name = run.next.take();
        run.advance()?;
        Ok(name)
    }
}

impl Run {
    fn advance(&mut self) -> io::Result<()> {
        if self.file.limit() == 0 {
            return Ok(());
        }
        let mut length = [0; 2];
        self.file.read_exact(&mut length)?;
        let mut name = vec![0; usize::from(u16::from_le_bytes(length))];
        self.file.read_exact(&mut name)?;
        self.next = Some(name);
        Ok(())
    }
}

fn write_run(
    batch: &mut Vec<Vec<u8>>,
    (file, ends): &mut (BufWriter<File>, Vec<u64>),
) -> io::Result<()> {
    batch.sort_unstable();
    for name in batch.drain(..) {
        let length = u16::try_from(name.len()).map_err(io::Error::other)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(&name)?;
    }
    file.flush()?;
    ends.push(file.get_mut().stream_position()?);
    Ok(())
}

/// A file without a name, gone when it is closed.
fn nameless() -> io::Result<File> {
    let dir = std::env::temp_dir();
    let flags = i32::try_from(rustix::fs::OFlags::TMPFILE.bits()).map_err(io::Error::other)?;
    std::fs::OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(flags).open(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_past_the_memory_come_back_sorted() {
        for count in [0_u32, 1, 9, 10, 11, 95, 1000] {
            let name = |number: u32| format!("{:x}", number.wrapping_mul(0x9E37_79B9)).into_bytes();
            let mut names = Names::sort((0..count).map(|number| Ok(name(number))), 10).unwrap();
            let mut wanted: Vec<_> = (0..count).map(name).collect();
            wanted.sort();
            let sorted: Vec<_> = std::iter::from_fn(|| names.next().unwrap()).collect();
            assert_eq!(sorted, wanted);
        }
    }
}
