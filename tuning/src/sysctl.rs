//! Kernel parameters below /proc/sys (proc(5)). Those of the network are those of the calling thread's namespace.

use std::io;
use std::path::PathBuf;

/// The value of `name`, such as `net.ipv4.tcp_rmem`, without the line end. Several numbers are separated by tabs or
/// blanks as the kernel writes them.
///
/// # Errors
/// `NotFound` for one that this kernel, or a namespace that is not the first one, has not; `PermissionDenied`.
pub fn read(name: &str) -> io::Result<String> {
    let text = std::fs::read_to_string(path(name)?)?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// Sets `name` to `value`.
///
/// # Errors
/// As for [`read`]; `InvalidInput` for what the kernel refuses.
pub fn write(name: &str, value: &str) -> io::Result<()> {
    std::fs::write(path(name)?, value)
}

/// The file of `name`. A `.` separates components, or a `/` does: then a `.` is part of one, as in the names of VLAN
/// devices (sysctl(8)).
///
/// # Errors
/// `InvalidInput` for a name that would lead elsewhere.
pub fn path(name: &str) -> io::Result<PathBuf> {
    let separator = if name.contains('/') { '/' } else { '.' };
    let mut path = PathBuf::from("/proc/sys");
    for component in name.split(separator) {
        if matches!(component, "" | "." | "..") {
            let why = format!("{name:?} is no name of a kernel parameter");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        path.push(component);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_files() {
        let of = |name| path(name).map(|path| path.to_str().unwrap().to_owned()).ok();
        assert_eq!(of("net.ipv4.tcp_rmem").as_deref(), Some("/proc/sys/net/ipv4/tcp_rmem"));
        assert_eq!(
            of("net/ipv4/conf/eth0.7/rp_filter").as_deref(),
            Some("/proc/sys/net/ipv4/conf/eth0.7/rp_filter")
        );
        for other in ["", "net..ipv4", "../etc/passwd", "net/../x", "/etc/passwd"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn values_have_no_line_end() {
        let range = read("net.ipv4.ip_local_port_range").unwrap();
        let numbers: Vec<u16> = range.split_whitespace().map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 2);
        assert_eq!(read("net.ipv4.none_such").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
