//! On what it was measured: without this no figure means anything.

use std::path::Path;

use serde_json::{Value, json};

/// The machine and its state.
#[derive(Debug)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    load: String,
    kernel: String,
    memory_bytes: Option<u64>,
    file_system: String,
    build: &'static str,
}

/// Reads what can be read; what cannot is `unknown`.
pub(crate) fn describe(folder: &Path) -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let word_or_unknown = |text: &str| match text.trim() {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    };
    let mounts = read("/proc/self/mounts");
    Machine {
        processor: processor(&read("/proc/cpuinfo"))
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        load: word_or_unknown(&first_words(&read("/proc/loadavg"), 3)),
        kernel: word_or_unknown(&read("/proc/sys/kernel/osrelease")),
        memory_bytes: memory(&read("/proc/meminfo")),
        file_system: file_system(&mounts, folder).unwrap_or("unknown").to_owned(),
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
    }
}

impl Machine {
    /// For people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let memory = self
            .memory_bytes
            .map_or_else(String::new, |bytes| format!(", {} of memory", acre_types::Bytes(bytes)));
        let mut lines = vec![format!(
            "{}, {} cores{memory}; load {}; Linux {}; {}; {} build",
            self.processor, self.cores, self.load, self.kernel, self.file_system, self.build
        )];
        if self.build == "debug" {
            lines.push("A debug build: its figures say little. cargo build --release".to_owned());
        }
        lines
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        json!({
            "processor": self.processor, "cores": self.cores, "load": self.load, "kernel": self.kernel,
            "memory_bytes": self.memory_bytes, "file_system": self.file_system, "build": self.build,
        })
    }
}

fn first_words(text: &str, count: usize) -> String {
    text.split_ascii_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The type of the file system mounted nearest above a folder.
fn file_system<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        Some((words.next()?, words.next()?))
    };
    (mounts.lines().filter_map(mount))
        .filter(|(point, _)| folder.starts_with(point))
        // The last of equals hides those before it.
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_mount_decides_the_file_system() {
        let mounts = "a / ext4 rw 0 0\nb /tmp tmpfs rw 0 0\nc /tmp/in xfs rw 0 0\n";
        for (folder, kind) in
            [("/home/x", "ext4"), ("/tmp/x", "tmpfs"), ("/tmp/in/x", "xfs"), ("/tmpx", "ext4")]
        {
            assert_eq!(file_system(mounts, Path::new(folder)), Some(kind), "{folder}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }

    #[test]
    fn machine_is_described_in_one_line() {
        let line = describe(Path::new("/")).lines().remove(0);
        assert!(line.contains("cores") && line.contains("Linux"), "{line}");
    }
}
