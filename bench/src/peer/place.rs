//! Where a peer runs, and the words that its configuration needs of it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A directory of its own, the addresses of a peer and of its origin, its core.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) origin: SocketAddr,
    /// The directory with the zone, for name servers.
    pub(super) zone: PathBuf,
    pub(super) core: usize,
}

impl Place {
    /// The files that a server of files serves.
    pub(super) fn files(&self) -> PathBuf {
        files_below(&self.directory)
    }

    /// Writes `name` below the directory: `template` with its `@WORDS@` filled in, those of every place and `more`.
    ///
    /// Comments of a template name its words too: lines that begin with `#` stay as they are.
    pub(super) fn write(
        &self,
        name: &str,
        template: &str,
        more: &[(&str, &str)],
    ) -> io::Result<PathBuf> {
        let words = [
            ("@DIR@", self.directory.display().to_string()),
            ("@FILES@", self.files().display().to_string()),
            ("@LISTEN@", self.listen.to_string()),
            ("@LISTEN_HOST@", self.listen.ip().to_string()),
            ("@LISTEN_AT@", format!("{}@{}", self.listen.ip(), self.listen.port())),
            ("@LISTEN_PORT@", self.listen.port().to_string()),
            ("@ORIGIN@", self.origin.to_string()),
            ("@ORIGIN_HOST@", self.origin.ip().to_string()),
            ("@ORIGIN_PORT@", self.origin.port().to_string()),
            ("@ZONE@", self.zone.display().to_string()),
            ("@CORE@", self.core.to_string()),
        ];
        let more = more.iter().map(|(word, value)| (*word, (*value).to_owned()));
        let words: Vec<_> = words.into_iter().chain(more).collect();
        let fill = |line: &str| match line {
            comment if comment.trim_start().starts_with('#') => comment.to_owned(),
            line => words.iter().fold(line.to_owned(), |line, (word, to)| line.replace(word, to)),
        };
        let path = self.directory.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, template.lines().map(fill).map(|line| line + "\n").collect::<String>())?;
        Ok(path)
    }
}

/// Where the files of a server are that has the directory.
pub(super) fn files_below(directory: &Path) -> PathBuf {
    directory.join("files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in_but_in_comments() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place {
            directory: directory.path().to_path_buf(),
            listen: "127.0.0.1:4711".parse().unwrap(),
            origin: "127.0.0.1:4712".parse().unwrap(),
            zone: PathBuf::new(),
            core: 3,
        };
        let template = "# @LISTEN@ is an address\n  # @X@\nlisten @LISTEN@ @X@ @CORE@;\n\
                        @LISTEN_HOST@ @LISTEN_PORT@ @ORIGIN_PORT@ @FILES@\n";
        let path = place.write("etc/a.conf", template, &[("@X@", "y")]).unwrap();
        let files = directory.path().join("files");
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            format!(
                "# @LISTEN@ is an address\n  # @X@\nlisten 127.0.0.1:4711 y 3;\n\
                 127.0.0.1 4711 4712 {}\n",
                files.display()
            )
        );
    }
}
