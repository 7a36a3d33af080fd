//! Golden files: a format version is what its file says, forever.

/// Checks `bytes` against a golden file's hexadecimal `text`; white space and lines starting with
/// `#` do not count. For tests: `golden::check(include_str!("golden/head.hex"), &encode(&head))`.
///
/// # Panics
/// The bytes differ, with both printed.
#[track_caller]
pub fn check(text: &str, bytes: &[u8]) {
    let wanted: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .collect();
    let given: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        wanted == given,
        "the format changed; if that is meant, it is a new version\n wanted {wanted}\n  given {given}"
    );
}
