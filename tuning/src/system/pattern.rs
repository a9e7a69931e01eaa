//! Files by a pattern: each `*` stands for one component of a path, or for a part of one.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

/// More files of one pattern than this are not looked at: 8,192 CPUs, the most that Linux can be built for, or as many
/// queues.
const FILES_MAX: usize = 8_192;

/// What the files of `pattern` were matched by, `/` between several `*`; sorted, numbers by their value. Only devices
/// with hardware behind them count: a loop or a virtual Ethernet device has no queue of its own.
pub(super) fn instances(pattern: &str) -> Vec<String> {
    let mut found = vec![(PathBuf::from("/"), String::new())];
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        found = found
            .into_iter()
            .flat_map(|(path, instance)| step(&path, &instance, component))
            .take(FILES_MAX)
            .collect();
    }
    let mut instances: Vec<String> =
        found.into_iter().filter(|(path, _)| path.exists()).map(|(_, instance)| instance).collect();
    instances.sort_by(|one, other| natural(one, other));
    instances
}

fn step(path: &Path, instance: &str, component: &str) -> Vec<(PathBuf, String)> {
    let Some((before, after)) = component.split_once('*') else {
        return vec![(path.join(component), instance.to_owned())];
    };
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let is_device = ["/sys/block", "/sys/class/net"].iter().any(|it| path == Path::new(it));
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let fits = name.starts_with(before) && name.ends_with(after);
            fits && name.len() >= before.len() + after.len()
        })
        .filter(|name| !is_device || path.join(name).join("device").exists())
        .map(|name| {
            let instance =
                if instance.is_empty() { name.clone() } else { format!("{instance}/{name}") };
            (path.join(name), instance)
        })
        .collect()
}

/// The file of `pattern` that was matched by `instance`.
pub(super) fn file(pattern: &str, instance: &str) -> PathBuf {
    let mut parts = instance.split('/');
    let components = pattern.split('/').map(|component| {
        if component.contains('*') { parts.next().unwrap_or_default() } else { component }
    });
    PathBuf::from(components.collect::<Vec<_>>().join("/"))
}

/// Text by its octets, but runs of digits by their value, so that `rx-10` comes after `rx-9`.
fn natural(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| {
        let mut parts: Vec<(String, u64)> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (word, tail) = rest.split_at(word);
            let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            let (number, tail) = tail.split_at(digits);
            parts.push((word.to_owned(), number.parse().unwrap_or(u64::MAX)));
            rest = tail;
        }
        parts
    };
    parts(one).cmp(&parts(other)).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_by_value() {
        let mut names = ["eth0/rx-10", "eth0/rx-9", "cpu2", "cpu10", "eth0", "cpu1"];
        names.sort_by(|one, other| natural(one, other));
        assert_eq!(names, ["cpu1", "cpu2", "cpu10", "eth0", "eth0/rx-9", "eth0/rx-10"]);
    }

    #[test]
    fn an_instance_leads_back_to_its_file() {
        let pattern = "/sys/class/net/*/queues/rx-*/rps_cpus";
        assert_eq!(
            file(pattern, "eth0/rx-3"),
            Path::new("/sys/class/net/eth0/queues/rx-3/rps_cpus")
        );
        let folder = tempfile::tempdir().unwrap();
        for name in ["a10/x", "a9/x", "a9/y", "b1/x"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let pattern = format!("{}/a*/x", folder.path().display());
        assert_eq!(instances(&pattern), ["a9", "a10"]);
        for instance in instances(&pattern) {
            assert!(file(&pattern, &instance).exists(), "{instance}");
        }
        assert_eq!(instances("/no/such/*/thing"), Vec::<String>::new());
    }
}
