//! Identity: the 24 words, the home that holds them, and the grid it belongs to.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{Grid, Output, Story, acre_at, text};
use tempfile::TempDir;

/// A home with a new identity and no grid.
struct Alone {
    folder: TempDir,
}

impl Alone {
    fn new() -> Self {
        let alone = Self { folder: tempfile::tempdir().unwrap() };
        alone.acre(&["id", "new"]).exits(0);
        alone
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    #[track_caller]
    fn acre(&self, words: &[&str]) -> Output {
        acre_at(&self.home(), words)
    }

    fn words(&self) -> Vec<String> {
        let words = self.acre(&["id", "words"]).exits(0).json();
        text(&words, "words").split(' ').map(ToOwned::to_owned).collect()
    }

    /// Restores a fresh home from these words, with a grid that is not there: the words come first.
    #[track_caller]
    fn restore(&self, words: &[String]) -> Output {
        let (file, home) = (self.folder.path().join("words"), self.folder.path().join("fresh"));
        fs::write(&file, words.join(" ")).unwrap();
        let restore =
            ["id", "restore", "--words-file", file.to_str().unwrap(), "--grid", "/nowhere"];
        let done = acre_at(&home, &restore);
        assert!(!home.join("id/words").exists(), "refused words were kept: {done:?}");
        done
    }
}

#[test]
fn new_identity_is_private_and_never_overwritten() {
    let alone = Alone::new();
    let words = alone.words();
    assert_eq!(words.len(), 24);
    let file = alone.home().join("id/words");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let account = alone.acre(&["id", "show"]).exits(0).json()["account"].clone();
    let shown = alone.acre(&["id", "show"]).exits(0).stdout;
    assert!(!shown.contains(&words[..3].join(" ")), "show keeps the words to itself");
    alone.acre(&["id", "new"]).exits(7).error();
    assert_eq!(alone.words(), words);
    assert_eq!(alone.acre(&["id", "show"]).exits(0).json()["account"], account);
    // Another person gets other words.
    assert_ne!(Alone::new().words(), words);
}

#[test]
fn words_that_others_may_read_are_not_used() {
    let alone = Alone::new();
    let file = alone.home().join("id/words");
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        for words in [&["id", "show"][..], &["id", "words"]] {
            let error = alone.acre(words).exits(4).error();
            assert!(text(&error, "try").contains("chmod 600"), "{error}");
        }
    }
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    alone.acre(&["id", "show"]).exits(0);
}

#[test]
fn missing_identity_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&["id", "show"][..], &["id", "words"], &["wallet", "balance"]] {
        acre_at(folder.path(), words).exits(3).error();
    }
}

#[test]
fn wrong_words_are_refused_with_the_place() {
    let alone = Alone::new();
    let words = alone.words();

    alone.restore(&words[..23]).exits(4).says(&["24", "23"]);
    let twice: Vec<String> = words.iter().chain(&words[..1]).cloned().collect();
    alone.restore(&twice).exits(4).says(&["24", "25"]);
    alone.restore(&[]).exits(4).says(&["24"]);

    let mut unknown = words.clone();
    unknown[16] = "acrebat".to_owned();
    alone.restore(&unknown).exits(4).says(&["17", "acrebat"]);

    // Two different words swapped pass the checksum once in 256: then another pair is taken.
    let swapped = |at: usize| {
        let mut swapped = words.clone();
        swapped.swap(at, at + 1);
        swapped
    };
    let refused = (0..23).filter(|at| words[*at] != words[at + 1]).find_map(|at| {
        let done = alone.restore(&swapped(at));
        (done.code() == 4).then_some(done)
    });
    refused.unwrap().says(&["swapped", "words: "]);
}

/// Everything a home holds, to see that nothing changed.
fn words_file(home: &Path) -> PathBuf {
    home.join("id/words")
}

#[test]
fn home_is_restored_from_words_and_a_grid() {
    let grid = Grid::up(1);
    let mut story = Story::default();
    let words = grid.acre(&["id", "words"]).exits(0).json();
    let file = grid.arg("words");
    fs::write(&file, text(&words, "words")).unwrap();
    let (home, genesis) = (grid.home(), grid.home().join("grid/genesis"));
    let (home, genesis) = (home.to_str().unwrap(), genesis.to_str().unwrap());
    let restore = |to: &str, of: &str| {
        acre_at(&grid.path(to), &["id", "restore", "--words-file", &file, "--grid", of])
    };
    let balance = || grid.acre(&["wallet", "balance"]).exits(0).json()["account"].clone();

    story.check("a_grid_is_named_by_its_home", || {
        restore("by home", home).exits(0);
        let restored = acre_at(&grid.path("by home"), &["wallet", "balance"]).exits(0).json();
        assert_eq!(restored["account"], balance());
        let kept = words_file(&grid.path("by home"));
        assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    });
    story.check("a_grid_is_named_by_its_genesis", || {
        restore("by genesis", genesis).exits(0);
        let restored = acre_at(&grid.path("by genesis"), &["wallet", "balance"]).exits(0).json();
        assert_eq!(restored["account"], balance());
    });
    story.check("case_and_layout_of_words_do_not_matter", || {
        let shouted = text(&words, "words").to_uppercase().replace(' ', "\n\t ");
        fs::write(grid.path("shouted"), shouted).unwrap();
        let of = grid.arg("shouted");
        let home = grid.path("from shouted");
        acre_at(&home, &["id", "restore", "--words-file", &of, "--grid", genesis]).exits(0);
        assert_eq!(acre_at(&home, &["id", "show"]).exits(0).json()["account"], balance());
    });
    story.check("a_home_in_use_is_not_overwritten", || {
        let before = fs::read(words_file(&grid.home())).unwrap();
        grid.acre(&["id", "restore", "--words-file", &file, "--grid", genesis]).exits(7).error();
        assert_eq!(fs::read(words_file(&grid.home())).unwrap(), before);
    });
    story.check("a_grid_that_is_not_there_is_not_found", || {
        restore("nowhere", "/nowhere/at all").exits(3).error();
        assert!(!words_file(&grid.path("nowhere")).exists(), "a failed restore kept the words");
        restore("nowhere", home).exits(0);
    });
    story.check("a_damaged_genesis_is_refused", || {
        let whole = fs::read(genesis).unwrap();
        let damaged = grid.arg("damaged genesis");
        for (number, bytes) in [&whole[..whole.len() / 2], b"", b"not a genesis", &[0xff; 4096]]
            .into_iter()
            .enumerate()
        {
            fs::write(&damaged, bytes).unwrap();
            let to = format!("after damage {number}");
            restore(&to, &damaged).exits(9).error();
            assert!(!words_file(&grid.path(&to)).exists(), "a failed restore kept the words");
            restore(&to, genesis).exits(0);
        }
    });
    story.check("a_genesis_damaged_later_is_refused", || {
        let home = grid.path("by home");
        let kept = home.join("context/genesis");
        let whole = fs::read(&kept).unwrap();
        fs::write(&kept, &whole[..whole.len() - 1]).unwrap();
        acre_at(&home, &["wallet", "balance"]).exits(9).error();
        fs::write(&kept, &whole).unwrap();
        acre_at(&home, &["wallet", "balance"]).exits(0);
    });
    story.check("a_genesis_with_another_validator_key_is_not_believed", || {
        // One bit of the genesis is another chain: its certificates are not this one's.
        let home = grid.path("by home");
        let kept = home.join("context/genesis");
        let whole = fs::read(&kept).unwrap();
        let mut other = whole.clone();
        *other.last_mut().unwrap() ^= 1;
        fs::write(&kept, &other).unwrap();
        let code = acre_at(&home, &["wallet", "balance"]).code();
        assert!([4, 5, 9].contains(&code), "exit code {code} for the wrong chain");
        fs::write(&kept, &whole).unwrap();
    });
    story.end();
}
