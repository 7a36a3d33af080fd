//! A home: identity, context and, where `acre up` ran, a local grid.
//!
//! ```text
//! HOME/id/words            the 24 words, mode 0600
//! HOME/context/genesis     the genesis of the grid this home belongs to
//! HOME/context/source.json where to look for the validators' present addresses
//! HOME/context/checkpoint  the newest validators that were proven, so that nothing is proven twice
//! HOME/cache/              only a cache: may be deleted at any time
//! HOME/grid/               a grid that runs on this machine (see `grid`)
//! ```

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use acre_crypto::Phrase;
use anyhow::{Context as _, anyhow};

use crate::exit::{Code, Failure, Outcome};

/// The directory everything of one person lies under.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
}

impl Home {
    /// `--home`, else `$ACRE_HOME`, else `acre` in the XDG data directory.
    pub(crate) fn find(flag: Option<PathBuf>) -> Outcome<Self> {
        let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let xdg = || {
            from("XDG_DATA_HOME")
                .or_else(|| from("HOME").map(|home| home.join(".local/share")))
                .map(|data| data.join("acre"))
        };
        let root = flag
            .or_else(|| from("ACRE_HOME"))
            .or_else(xdg)
            .ok_or_else(|| anyhow!("neither --home, ACRE_HOME nor HOME says where to keep data"))?;
        let root = std::path::absolute(&root).with_context(|| root.display().to_string())?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn grid(&self) -> PathBuf {
        self.root.join("grid")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    pub(crate) fn context(&self) -> PathBuf {
        self.root.join("context")
    }

    fn words_file(&self) -> PathBuf {
        self.root.join("id/words")
    }

    pub(crate) fn has_identity(&self) -> bool {
        self.words_file().exists()
    }

    /// The person's phrase.
    pub(crate) fn phrase(&self) -> Outcome<Phrase> {
        let file = self.words_file();
        let metadata = match fs::metadata(&file) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let what = format!("there is no identity in {}", self.root.display());
                return Err(Failure::new(Code::NotFound, what)
                    .hint("acre up (a grid of your own), acre id new, or acre id restore --words-file FILE --grid GRID")
                    .into());
            }
            Err(error) => return Err(error).context(file.display().to_string()),
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            let what = format!("others may read the words in {}", file.display());
            return Err(Failure::new(Code::Denied, what)
                .state("nothing was done with them")
                .hint(format!("chmod 600 {}", file.display()))
                .into());
        }
        read_phrase(&file)
    }

    /// # Errors
    /// There is an identity already.
    pub(crate) fn must_be_new(&self) -> Outcome {
        if self.has_identity() {
            let what = format!("{} already holds an identity", self.root.display());
            return Err(Failure::new(Code::Conflict, what)
                .state("it was not changed")
                .hint("--home DIR with another directory")
                .into());
        }
        Ok(())
    }

    /// Writes the words of a new identity.
    pub(crate) fn keep(&self, phrase: &Phrase) -> Outcome {
        self.must_be_new()?;
        let words = zeroize_on_drop(format!("{}\n", *phrase.words()));
        // Of two at the same moment one has kept its words; those of the other are no identity.
        write_as(&self.words_file(), words.as_bytes(), 0o600, Present::Kept).map_err(|error| {
            let error: anyhow::Error = error;
            if self.has_identity() { self.must_be_new().err().unwrap_or(error) } else { error }
        })
    }
}

/// Reads 24 words from a file.
pub(crate) fn read_phrase(file: &Path) -> Outcome<Phrase> {
    let text = fs::read_to_string(file).map_err(|error| {
        let code = if error.kind() == std::io::ErrorKind::NotFound {
            Code::NotFound
        } else {
            Code::Denied
        };
        Failure::new(code, format!("the words in {} cannot be read: {error}", file.display()))
    })?;
    let text = zeroize_on_drop(text);
    Phrase::parse(&text).map_err(|error| {
        Failure::new(Code::Denied, format!("{}: {error}", file.display()))
            .state("nothing was changed")
            .hint("compare the file with the words you wrote down, in the same order")
            .into()
    })
}

fn zeroize_on_drop(text: String) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(text)
}

/// Writes a file whole or not at all, synced.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Outcome {
    write_as(path, bytes, 0o644, Present::Replaced)
}

/// As [`write_file`], for the owner's eyes only.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Outcome {
    write_as(path, bytes, 0o600, Present::Replaced)
}

/// The directory in which a file is to be made by its owner's wish; a mistyped one is not made.
///
/// # Errors
/// There is none.
pub(crate) fn must_have_folder(file: &Path) -> Outcome {
    let whole = std::path::absolute(file).with_context(|| file.display().to_string())?;
    match whole.parent() {
        Some(folder) if !folder.is_dir() => {
            let what = format!("there is no directory {}", folder.display());
            Err(Failure::new(Code::NotFound, what).state("no file was written").into())
        }
        _ => Ok(()),
    }
}

/// What becomes of a file that has the name already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Present {
    Replaced,
    /// It stays, and that is an error.
    Kept,
}

fn write_as(path: &Path, bytes: &[u8], mode: u32, present: Present) -> Outcome {
    // A name alone has a folder, too.
    let path = &std::path::absolute(path).with_context(|| path.display().to_string())?;
    let folder = path.parent().ok_or_else(|| anyhow!("{} has no folder", path.display()))?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    // A name of its own: beside a file that somebody chose others may lie that are his.
    let name = path.file_name().ok_or_else(|| anyhow!("{} has no name", path.display()))?;
    let tag = crate::random::bytes()?;
    let tag = u64::from_le_bytes(*tag.first_chunk().expect("32 bytes begin with 8"));
    let name = format!(".{}.acre-{tag:016x}", name.to_string_lossy());
    let fresh = folder.join(name);
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(mode)
            .open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        match present {
            Present::Replaced => fs::rename(&fresh, path)?,
            Present::Kept => fs::hard_link(&fresh, path).and_then(|()| fs::remove_file(&fresh))?,
        }
        fs::File::open(folder)?.sync_all()
    };
    write().with_context(|| {
        let _ = fs::remove_file(&fresh);
        format!("{} could not be written", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path().join("home"))).unwrap();
        (folder, home)
    }

    #[test]
    fn identity_survives_and_is_never_overwritten() {
        let (_folder, home) = home();
        home.keep(&Phrase::from_entropy([1; 32])).unwrap();
        let other = Phrase::from_entropy([2; 32]);
        let error = home.keep(&other).unwrap_err();
        assert_eq!(crate::exit::code_of(&error), Code::Conflict);
        assert_eq!(*home.phrase().unwrap().words(), *Phrase::from_entropy([1; 32]).words());
    }

    #[test]
    fn of_many_identities_at_once_one_is_kept_and_the_others_hear_of_it() {
        let (_folder, home) = home();
        let phrases: Vec<Phrase> = (0..8).map(|n| Phrase::from_entropy([n; 32])).collect();
        let kept: Vec<&Phrase> = std::thread::scope(|scope| {
            let home = &home;
            let keep = |phrase| scope.spawn(move || home.keep(phrase).is_ok().then_some(phrase));
            let threads: Vec<_> = phrases.iter().map(keep).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(kept.len(), 1);
        assert_eq!(*home.phrase().unwrap().words(), *kept[0].words());
    }

    #[test]
    fn files_beside_the_one_that_is_written_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let neighbour = folder.path().join("report.new");
        fs::write(&neighbour, "mine").unwrap();
        write_file(&folder.path().join("report.proof"), b"theirs").unwrap();
        assert_eq!(fs::read_to_string(&neighbour).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn words_that_others_may_read_are_refused() {
        let (_folder, home) = home();
        home.keep(&Phrase::from_entropy([1; 32])).unwrap();
        let file = home.words_file();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let error = home.phrase().err().unwrap();
        assert_eq!(crate::exit::code_of(&error), Code::Denied);
    }

    #[test]
    fn missing_identity_says_what_to_do() {
        let (_folder, home) = home();
        let error = home.phrase().err().unwrap();
        assert_eq!(crate::exit::code_of(&error), Code::NotFound);
        assert!(error.to_string().contains("acre up"));
    }
}
