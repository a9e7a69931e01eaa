//! A file below the directory, and no way out of it.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Reading only; a FIFO or device that somebody put there must not hold up the thread that opens it.
const FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// A directory whose files are served.
#[derive(Debug)]
pub(crate) struct Directory {
    root: OwnedFd,
    /// Without symbolic links, to compare with.
    path: PathBuf,
}

/// What a request path leads to.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file, and its name for the media type.
    File(File, Box<Metadata>, PathBuf),
    /// A directory, asked for without the final `/`.
    DirectoryWithoutSlash,
    /// Nothing there, nothing that can be served, or a way out of the directory: all the same to the client.
    Nothing,
    /// It is there, and this process may not read it.
    Forbidden,
    /// The system failed (no descriptors left, a broken disk).
    Failure,
}

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let root = rustix::fs::open(&path, FLAGS | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Self { root, path })
    }

    /// Looks up the path of a request target, percent-encoded as it was sent. It blocks on the file system.
    pub(crate) fn find(&self, target_path: &str) -> Found {
        let Some(relative) = decode(target_path) else { return Found::Nothing };
        let wants_directory = target_path.ends_with('/');
        match self.open_below(&relative) {
            Ok((_, metadata)) if metadata.is_dir() && !wants_directory => {
                Found::DirectoryWithoutSlash
            }
            Ok((_, metadata)) if metadata.is_dir() => {
                let index = relative.join("index.html");
                match self.open_below(&index) {
                    Ok((file, metadata)) if metadata.is_file() => {
                        Found::File(file, metadata, index)
                    }
                    Ok(_) => Found::Nothing,
                    Err(error) => classify(error),
                }
            }
            Ok((file, metadata)) if metadata.is_file() && !wants_directory => {
                Found::File(file, metadata, relative)
            }
            Ok(_) => Found::Nothing,
            Err(error) => classify(error),
        }
    }

    fn open_below(&self, relative: &Path) -> Result<(File, Box<Metadata>), Errno> {
        let file = File::from(self.open_beneath(relative)?);
        let metadata = file.metadata().map_err(|error| errno(&error))?;
        Ok((file, Box::new(metadata)))
    }

    /// The kernel refuses every `..` and every symbolic link that leads out, however the tree changes meanwhile.
    fn open_beneath(&self, relative: &Path) -> Result<OwnedFd, Errno> {
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let openat2 =
            |path: &Path| rustix::fs::openat2(&self.root, path, FLAGS, Mode::empty(), beneath);
        match openat2(relative) {
            // An absolute link, perhaps one that leads back inside: what it means is opened under the same rule.
            Err(Errno::XDEV) => openat2(&self.resolve(relative)?),
            // No openat2 (before Linux 5.6), or forbidden in this container: resolve first, open then. Somebody who
            // can change the directory between the two can have another file served.
            Err(Errno::NOSYS | Errno::PERM) => {
                let path = self.path.join(self.resolve(relative)?);
                rustix::fs::open(path, FLAGS | OFlags::NOFOLLOW, Mode::empty())
            }
            other => other,
        }
    }

    /// The path below the directory without symbolic links.
    fn resolve(&self, relative: &Path) -> Result<PathBuf, Errno> {
        let path = self.path.join(relative).canonicalize().map_err(|error| errno(&error))?;
        let below = path.strip_prefix(&self.path).map_err(|_| Errno::XDEV)?;
        Ok(if below.as_os_str().is_empty() { PathBuf::from(".") } else { below.to_path_buf() })
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn classify(error: Errno) -> Found {
    match error {
        Errno::ACCESS => Found::Forbidden,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO => Found::Failure,
        // Missing, a file where a directory should be, a name too long, a loop of links, a way out.
        _ => Found::Nothing,
    }
}

/// The path relative to the directory; `None` for what no file can be called: NUL, a `/` within a name, `..`, an
/// encoding that is none. Empty segments and `.` mean nothing to a file system and are left out.
fn decode(target_path: &str) -> Option<PathBuf> {
    let mut relative = PathBuf::from(".");
    for segment in target_path.strip_prefix('/')?.split('/') {
        let name = percent_decode(segment)?;
        match name.as_slice() {
            b"" | b"." => {}
            b".." => return None,
            name if name.contains(&0) || name.contains(&b'/') => return None,
            _ => relative.push(OsString::from_vec(name)),
        }
    }
    Some(relative)
}

/// RFC 3986 §2.1; `None` when a `%` is not followed by two hexadecimal digits.
pub(crate) fn percent_decode(encoded: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut octets = encoded.bytes();
    while let Some(octet) = octets.next() {
        if octet == b'%' {
            let mut digit = || char::from(octets.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(octet);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_decode_to_names_below_the_directory() {
        let rows: &[(&str, Option<&str>, &str)] = &[
            ("/", Some("."), "the directory itself"),
            ("/a/b.txt", Some("./a/b.txt"), "plain"),
            ("/a%20b/%C3%A9", Some("./a b/é"), "spaces and UTF-8"),
            ("//a//./b/", Some("./a/b"), "empty segments and dots mean nothing"),
            (
                "/a/../b",
                None,
                "RFC 3986 §5.2.4 would be the client's work; here it may only be an attack",
            ),
            ("/%2e%2E/etc/passwd", None, "the same, encoded"),
            ("/a%2fb", None, "no file name has a slash"),
            ("/a%00b", None, "no file name has a NUL"),
            ("/100%", None, "no two digits follow"),
            ("/%+1", None, "a sign is not a digit"),
            ("*", None, "OPTIONS *"),
            ("/..a", Some("./..a"), "a name may begin with dots"),
        ];
        for (target, expected, why) in rows {
            assert_eq!(decode(target), expected.map(PathBuf::from), "{target}: {why}");
        }
    }
}
