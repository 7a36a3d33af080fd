//! Trees beside a plain map of paths.

use std::collections::BTreeMap;

use acre_crypto::Secret;

use super::*;
use crate::limits::{ENTRY_CHUNKS_MAX, NODE_BYTES_FULL, NODE_BYTES_MAX};
use crate::testing::{Numbers, random_bytes};

/// Nodes in memory.
#[derive(Default)]
struct Memory {
    nodes: Vec<Bytes>,
    loads: usize,
}

impl Nodes for Memory {
    type Error = StoreError;

    fn load(&mut self, at: MetaRef) -> Result<Bytes, StoreError> {
        self.loads += 1;
        let node = self.nodes.get(at.chunk.offset as usize);
        node.cloned().ok_or_else(|| at.wrong("there is no such node"))
    }

    fn save(&mut self, node: Vec<u8>) -> Result<MetaRef, StoreError> {
        assert!(node.len() <= NODE_BYTES_MAX);
        let (offset, plain) = (self.nodes.len() as u32, node.len() as u32);
        self.nodes.push(node.into());
        Ok(MetaRef { pack: PackId([1; 16]), chunk: ChunkRef { offset, stored: plain, plain } })
    }
}

const META: Meta = Meta::new(0o644, 1_700_000_000_000_000_000);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn file(text: &str, content: &[u8]) -> Entry {
    let content = ContentBuilder::inline(content).unwrap();
    Entry { name: name(text), meta: META, kind: Kind::File(content) }
}

fn build(nodes: &mut Memory, entries: impl IntoIterator<Item = Entry>) -> Directory {
    let mut builder = DirectoryBuilder::new();
    for entry in entries {
        builder.push(nodes, &entry).unwrap();
    }
    builder.finish(nodes).unwrap()
}

fn list(nodes: &mut Memory, directory: &Directory) -> Vec<Entry> {
    let mut listing = Listing::new(directory);
    std::iter::from_fn(|| listing.next(nodes).unwrap()).collect()
}

fn walk(nodes: &mut Memory, root: &Directory) -> Vec<String> {
    let mut walk = Walk::new(root);
    std::iter::from_fn(|| walk.next(nodes).unwrap())
        .map(|visit| String::from_utf8(join(&visit.path)).unwrap())
        .collect()
}

fn numbered(count: usize) -> impl Iterator<Item = Entry> {
    (0..count).map(|number| file(&format!("{number:08}"), &random_bytes(number as u64, 20)))
}

#[test]
fn a_directory_of_any_size_lists_and_finds_what_was_put_in() {
    for count in [0, 1, 2, 700, 20_000, 300_000] {
        let mut nodes = Memory::default();
        let directory = build(&mut nodes, numbered(count));
        assert_eq!(directory.totals().files, count as u64);
        assert_eq!(directory.totals().bytes, count as u64 * 20);
        nodes.loads = 0;
        for number in [0, 1, count / 2, count.saturating_sub(1)] {
            let text = format!("{number:08}");
            let found = lookup_name(&mut nodes, &directory, &name(&text)).unwrap();
            assert_eq!(found.is_some(), number < count);
        }
        assert!(nodes.loads <= 4 * 3, "{} loads", nodes.loads);
        assert!(lookup_name(&mut nodes, &directory, &name("x")).unwrap().is_none());
        assert!(list(&mut nodes, &directory).into_iter().eq(numbered(count)));
        if count > 700 {
            let mut after =
                Listing::after(&mut nodes, &directory, &name(&format!("{:08}", count / 2)))
                    .unwrap();
            let next = after.next(&mut nodes).unwrap().unwrap();
            assert_eq!(next.name, name(&format!("{:08}", count / 2 + 1)));
            let rest = std::iter::from_fn(|| after.next(&mut nodes).unwrap()).count();
            assert_eq!(rest, count - count / 2 - 2);
        }
    }
}

#[test]
fn refuses_entries_out_of_order() {
    let mut nodes = Memory::default();
    let mut builder = DirectoryBuilder::new();
    builder.push(&mut nodes, &file("b", b"")).unwrap();
    for text in ["a", "b"] {
        let result = builder.push(&mut nodes, &file(text, b""));
        assert!(matches!(result, Err(StoreError::BadName { .. })));
    }
    let empty = Directory::empty();
    let changes = [Change::Remove(name("b")), Change::Remove(name("a"))];
    assert!(apply(&mut nodes, &empty, &changes).is_err());
}

#[test]
fn edits_agree_with_a_plain_map() {
    for seed in 0..12 {
        let mut numbers = Numbers(seed);
        let mut nodes = Memory::default();
        let span = [30, 3000, 40_000][seed as usize % 3];
        let mut model: BTreeMap<Name, Entry> = BTreeMap::new();
        let mut directory = Directory::empty();
        for round in 0..60 {
            let removing = round > 30;
            let mut changes = BTreeMap::new();
            let most = [3, 200, 3000][numbers.below(3)];
            let count = 1 + numbers.below(most);
            for _ in 0..count {
                let text =
                    format!("{:0width$}", numbers.below(span), width = 1 + seed as usize * 8);
                if numbers.below(10) < if removing { 8 } else { 2 } {
                    changes.insert(name(&text), Change::Remove(name(&text)));
                } else {
                    let length = numbers.below(400);
                    let entry = file(&text, &random_bytes(numbers.next(), length));
                    changes.insert(name(&text), Change::Put(entry));
                }
            }
            for (key, change) in &changes {
                match change {
                    Change::Put(entry) => model.insert(key.clone(), entry.clone()),
                    Change::Remove(_) => model.remove(key),
                };
            }
            let changes: Vec<Change> = changes.into_values().collect();
            let before = directory;
            directory = apply(&mut nodes, &directory, &changes).unwrap();
            let entries = list(&mut nodes, &directory);
            assert!(entries.iter().eq(model.values()), "seed {seed} round {round}");
            let totals = model.values().map(Entry::totals).fold(Totals::default(), Totals::plus);
            assert_eq!(directory.totals(), totals, "seed {seed} round {round}");
            assert!(list(&mut nodes, &before).len() as u64 == before.totals().files);
        }
        let all: Vec<_> = model.keys().cloned().map(Change::Remove).collect();
        assert_eq!(apply(&mut nodes, &directory, &all).unwrap(), Directory::empty());
    }
}

#[test]
fn removing_most_entries_shrinks_the_tree() {
    let mut nodes = Memory::default();
    let mut directory = build(&mut nodes, numbered(50_000));
    assert!(directory.levels >= 1);
    let all: Vec<Change> = numbered(50_000).map(|entry| Change::Remove(entry.name)).collect();
    for part in all[10..].chunks(3000) {
        directory = apply(&mut nodes, &directory, part).unwrap();
    }
    assert_eq!(directory.levels, 0);
    assert_eq!(list(&mut nodes, &directory).len(), 10);
}

#[test]
fn one_change_in_a_large_directory_saves_one_node_a_level() {
    let mut nodes = Memory::default();
    let directory = build(&mut nodes, numbered(100_000));
    let before = nodes.nodes.len();
    let changed = apply(&mut nodes, &directory, &[Change::Put(file("00050000x", b"new"))]).unwrap();
    let saved = nodes.nodes.len() - before;
    assert!(saved <= usize::from(directory.levels) + 2, "{saved} nodes");
    assert_eq!(changed.totals().files, 100_001);
}

#[test]
fn paths_are_made_moved_and_removed() {
    let mut nodes = Memory::default();
    let made = Meta::new(0o755, 1);
    let empty = Directory::empty();
    let path = |text: &str| parse(text.as_bytes()).unwrap();
    let root = put(&mut nodes, &empty, &path("a/b"), file("f", b"1"), made).unwrap();
    let root = put(&mut nodes, &root, &path("a"), file("g", b"22"), made).unwrap();
    assert_eq!(walk(&mut nodes, &root), ["a", "a/b", "a/b/f", "a/g"]);
    assert_eq!(root.totals(), Totals { files: 2, directories: 2, symlinks: 0, bytes: 3 });

    let moved = rename(&mut nodes, &root, &path("a/b"), &path("c/d/e"), made).unwrap();
    assert_eq!(walk(&mut nodes, &moved), ["a", "a/g", "c", "c/d", "c/d/e", "c/d/e/f"]);
    assert_eq!(walk(&mut nodes, &root), ["a", "a/b", "a/b/f", "a/g"], "the old root is as it was");

    for (source, target) in
        [("a", "a/b/x"), ("no", "x"), ("a/b", "a"), ("a/g", "a/g/h"), ("a/b", "a/g/x")]
    {
        let result = rename(&mut nodes, &root, &path(source), &path(target), made);
        assert!(matches!(result, Err(StoreError::BadPath { .. })), "{source} to {target}");
    }
    let onto = rename(&mut nodes, &root, &path("a/b/f"), &path("a/g"), made).unwrap();
    assert_eq!(walk(&mut nodes, &onto), ["a", "a/b", "a/g"]);
    assert_eq!(onto.totals().bytes, 1);

    assert!(remove(&mut nodes, &root, &path("a/x/y")).unwrap().is_none());
    let removed = remove(&mut nodes, &root, &path("a/b")).unwrap().unwrap();
    assert_eq!(walk(&mut nodes, &removed.root), ["a", "a/g"]);
    assert_eq!(removed.entry.name, name("b"));
    assert!(lookup(&mut nodes, &root, &path("a/g/h")).unwrap().is_none());
    assert!(matches!(
        make_directory(&mut nodes, &root, &path("a/g/h"), made),
        Err(StoreError::BadPath { .. })
    ));
    assert_eq!(make_directory(&mut nodes, &root, &path("a/b"), made).unwrap(), root);
    let deep = "d/".repeat(crate::limits::PATH_NAMES_MAX + 1);
    assert!(parse(deep.as_bytes()).is_err());
    assert!(parse(&deep.as_bytes()[2..]).is_ok());
}

#[test]
fn skipping_a_directory_leaves_out_what_is_below() {
    let mut nodes = Memory::default();
    let path = |text: &str| parse(text.as_bytes()).unwrap();
    let mut root = Directory::empty();
    for parent in ["a/b", "c"] {
        root = put(&mut nodes, &root, &path(parent), file("f", b""), META).unwrap();
    }
    let mut walk = Walk::new(&root);
    let mut seen = Vec::new();
    while let Some(visit) = walk.next(&mut nodes).unwrap() {
        if visit.entry.name == name("a") {
            walk.skip();
        }
        seen.push(join(&visit.path));
    }
    assert_eq!(seen, [b"a".to_vec(), b"c".to_vec(), b"c/f".to_vec()]);
}

#[test]
fn names_are_what_a_file_system_takes() {
    for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b", &[b'x'; 256]] {
        assert!(matches!(Name::new(bad), Err(StoreError::BadName { .. })));
        let encoded = acre_codec::encode(&bad.to_vec());
        assert!(acre_codec::decode::<Name>(&encoded).is_err());
    }
    for good in [&b"..."[..], b"\xff\xfe", b" ", &[b'x'; 255]] {
        let name = Name::new(good).unwrap();
        assert_eq!(acre_codec::decode::<Name>(&acre_codec::encode(&name)).unwrap(), name);
    }
    assert!(Target::new(vec![b'x'; 4095]).is_ok() && Target::new(vec![b'x'; 4096]).is_err());
}

fn run(number: u32, chunks: usize) -> Extent {
    let chunk = ChunkRef { offset: number, stored: 1017, plain: 1000 };
    let pack = PackId([number as u8; 16]);
    Extent::Data(Run::new(pack, 4000, &Secret::new([7; 32]), vec![chunk; chunks]).unwrap())
}

#[test]
fn extents_of_files_of_any_length_come_back_from_any_offset() {
    for count in [0, 1, 31, 32, 33, 500, 200_000] {
        let mut nodes = Memory::default();
        let mut builder = ContentBuilder::new();
        let extents: Vec<Extent> = (0..count)
            .map(
                |number| if number % 3 == 2 { Extent::Hole { bytes: 777 } } else { run(number, 2) },
            )
            .collect();
        for extent in &extents {
            builder.push(&mut nodes, extent.clone()).unwrap();
        }
        builder.push(&mut nodes, Extent::Hole { bytes: 0 }).unwrap();
        let bytes = builder.bytes();
        let content = builder.finish(&mut nodes).unwrap();
        assert_eq!(content.bytes(), bytes);
        assert_eq!(matches!(content, Content::Paged(_)), count > 32);
        let entry = Entry { name: name("f"), meta: META, kind: Kind::File(content.clone()) };
        assert_eq!(decode_entry(&acre_codec::encode(&entry)).unwrap(), entry);
        let mut all = Extents::new(&content, 0);
        let listed: Vec<_> = std::iter::from_fn(|| all.next(&mut nodes).unwrap()).collect();
        assert!(listed.iter().all(|(_, skip)| *skip == 0));
        assert!(listed.into_iter().map(|(extent, _)| extent).eq(extents.iter().cloned()));
        for offset in [0, 1, 1999, 2000, 4776, bytes / 2, bytes.saturating_sub(1), bytes] {
            let mut model = offset;
            let wanted = extents.iter().find_map(|extent| {
                if model < extent.bytes() {
                    return Some((extent.clone(), model));
                }
                model -= extent.bytes();
                None
            });
            nodes.loads = 0;
            let found = Extents::new(&content, offset).next(&mut nodes).unwrap();
            assert_eq!(found, wanted, "{count} extents, offset {offset}");
            assert!(nodes.loads <= 3);
        }
    }
}

#[test]
fn many_chunks_go_to_pages_and_a_file_too_long_is_refused() {
    let mut nodes = Memory::default();
    let mut builder = ContentBuilder::new();
    builder.push(&mut nodes, run(0, ENTRY_CHUNKS_MAX)).unwrap();
    assert!(matches!(builder.finish(&mut nodes).unwrap(), Content::Extents(_)));
    let mut builder = ContentBuilder::new();
    builder.push(&mut nodes, run(0, ENTRY_CHUNKS_MAX + 1)).unwrap();
    assert!(matches!(builder.finish(&mut nodes).unwrap(), Content::Paged(_)));
    let mut builder = ContentBuilder::new();
    builder.push(&mut nodes, Extent::Hole { bytes: crate::limits::FILE_BYTES_MAX }).unwrap();
    assert!(builder.push(&mut nodes, Extent::Hole { bytes: 1 }).is_err());
    assert!(
        ContentBuilder::inline(&[0; 512]).is_some() && ContentBuilder::inline(&[0; 513]).is_none()
    );
}

#[test]
fn three_way_merge_loses_nothing() {
    let mut nodes = Memory::default();
    let path = |text: &str| parse(text.as_bytes()).unwrap();
    let mut base = Directory::empty();
    for text in ["same", "ours", "theirs", "both", "gone", "kept"] {
        base = put(&mut nodes, &base, &path("d"), file(text, b"0"), META).unwrap();
    }
    let edit = |nodes: &mut Memory, root: Directory, puts: &[(&str, &[u8])], removes: &[&str]| {
        let mut root = root;
        for (text, content) in puts {
            root = put(nodes, &root, &path("d"), file(text, content), META).unwrap();
        }
        for text in removes {
            root = remove(nodes, &root, &path(&format!("d/{text}"))).unwrap().unwrap().root;
        }
        root
    };
    let ours = edit(
        &mut nodes,
        base,
        &[("ours", b"1"), ("both", b"1"), ("new1", b"1")],
        &["gone", "kept"],
    );
    let theirs = edit(
        &mut nodes,
        base,
        &[("theirs", b"2"), ("both", b"2"), ("new2", b"2"), ("kept", b"2"), ("both.2", b"x")],
        &[],
    );
    let merged = merge(&mut nodes, &base, &ours, &theirs, b".2").unwrap();
    let content = |nodes: &mut Memory, text: &str| -> Vec<u8> {
        let entry = lookup(nodes, &merged.tree, &path(&format!("d/{text}"))).unwrap().unwrap();
        match entry.kind {
            Kind::File(Content::Inline(bytes)) => bytes.to_vec(),
            _ => Vec::new(),
        }
    };
    for (text, wanted) in [
        ("same", b"0"),
        ("ours", b"1"),
        ("theirs", b"2"),
        ("both", b"1"),
        ("both.2 1", b"2"),
        ("both.2", b"x"),
        ("new1", b"1"),
        ("new2", b"2"),
        ("kept", b"2"),
    ] {
        assert_eq!(content(&mut nodes, text), wanted, "{text}");
    }
    assert_eq!(merged.tree.totals().files, 9);
    let conflict = Conflict { parent: path("d"), name: name("both"), theirs: name("both.2 1") };
    assert_eq!(merged.conflicts, [conflict]);
    for (one, two, wanted) in
        [(&base, &theirs, &theirs), (&ours, &base, &ours), (&ours, &ours, &ours)]
    {
        let merged = merge(&mut nodes, &base, one, two, b".2").unwrap();
        assert_eq!(merged.tree, *wanted);
    }
}

#[test]
fn refuses_nodes_that_contradict_their_place() {
    let mut nodes = Memory::default();
    let directory = build(&mut nodes, numbered(3000));
    assert_eq!(directory.levels, 1);
    let leaf = Directory { levels: 0, ..directory };
    assert!(matches!(Listing::new(&leaf).next(&mut nodes), Err(StoreError::BadNode { .. })));
    let deeper = Directory { levels: 2, ..directory };
    assert!(matches!(Listing::new(&deeper).next(&mut nodes), Err(StoreError::BadNode { .. })));
    let whole = nodes.nodes[0].clone();
    assert!(whole.len() <= NODE_BYTES_FULL);
    assert!(decode_directory_node(&whole).is_ok());
    for end in [0, 1, 5, whole.len() - 1] {
        assert!(decode_directory_node(&whole[..end]).is_err());
    }
    assert!(decode_directory_node(&[1, 0, 0, 0, 0, 0]).is_err(), "an empty leaf");
    let swapped = acre_codec::encode(&(1_u8, 0_u8, vec![file("b", b""), file("a", b"")]));
    assert!(decode_directory_node(&swapped).is_err(), "descending names");
}

#[test]
fn formats_stay_what_they_are() {
    let mut nodes = Memory::default();
    let link = Kind::Symlink(Target::new("../there").unwrap());
    let content = Content::Extents(vec![run(3, 1), Extent::Hole { bytes: 9 }].try_into().unwrap());
    let below = build(&mut nodes, numbered(2));
    let entries = [
        Entry { name: name("dir"), meta: Meta::new(0o755, -1), kind: Kind::Directory(below) },
        file("inline", b"abc"),
        Entry { name: name("link"), meta: META, kind: link },
        Entry { name: name("sparse"), meta: META, kind: Kind::File(content) },
    ];
    let root = build(&mut nodes, entries).root().unwrap();
    let leaf = nodes.load(root).unwrap();
    acre_codec::golden::check(include_str!("../golden/leaf.hex"), &leaf);
    let large = build(&mut nodes, numbered(1500));
    let inner = nodes.load(large.root().unwrap()).unwrap();
    acre_codec::golden::check(include_str!("../golden/inner.hex"), &inner);
    let root = Root { tree: large, previous: None, created: acre_types::UnixMs(1) };
    acre_codec::golden::check(include_str!("../golden/root.hex"), &acre_codec::encode(&root));
}
