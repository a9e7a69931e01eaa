//! The small site that `lastmile up` serves when no directory is given: pages about what a CDN does,
//! with drawn pictures and a drawn film, the same octets at every start.

mod canvas;
mod film;
mod pictures;

use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What is written by hand, in `deploy/site/`.
const FILES: &[(&str, &[u8])] = &[
    ("index.html", include_bytes!("../site/index.html")),
    ("steering.html", include_bytes!("../site/steering.html")),
    ("caching.html", include_bytes!("../site/caching.html")),
    ("transport.html", include_bytes!("../site/transport.html")),
    ("film.html", include_bytes!("../site/film.html")),
    ("style.css", include_bytes!("../site/style.css")),
    ("img/path.svg", include_bytes!("../site/img/path.svg")),
    ("img/flights.svg", include_bytes!("../site/img/flights.svg")),
    ("img/icon.svg", include_bytes!("../site/img/icon.svg")),
];

/// A directory whose files an origin serves.
#[derive(Debug)]
pub struct Site {
    path: PathBuf,
    /// Removes the directory when the site is dropped; `None` for a user's own.
    _temporary: Option<TempDir>,
}

impl Site {
    /// A user's own directory.
    #[must_use]
    pub fn own(path: &Path) -> Self {
        Self { path: path.to_owned(), _temporary: None }
    }

    /// The shipped site, written to a new temporary directory.
    ///
    /// # Errors
    /// When the temporary directory can't be written to.
    pub fn shipped() -> io::Result<Self> {
        let temporary = tempfile::Builder::new().prefix("lastmile-site-").tempdir()?;
        let path = temporary.path().to_owned();
        std::fs::create_dir(path.join("img"))?;
        for (name, content) in FILES {
            std::fs::write(path.join(name), content)?;
        }
        std::fs::write(path.join("img/regions.png"), pictures::regions()?)?;
        std::fs::write(path.join("img/popularity.png"), pictures::popularity()?)?;
        std::fs::write(path.join("film.gif"), film::film()?)?;
        Ok(Self { path, _temporary: Some(temporary) })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `href="..."` and `src="..."` that stay within the site.
    fn links(page: &str) -> Vec<&str> {
        ["href=\"", "src=\""]
            .iter()
            .flat_map(|attribute| page.split(attribute).skip(1))
            .filter_map(|rest| rest.split('"').next())
            .filter(|link| !link.contains("://"))
            .collect()
    }

    #[test]
    fn every_link_leads_to_a_file_and_the_directory_goes_away() {
        let site = Site::shipped().unwrap();
        for (name, content) in FILES.iter().filter(|(name, _)| name.ends_with(".html")) {
            let page = std::str::from_utf8(content).unwrap();
            let links = links(page);
            assert!(links.len() > 4, "{name} links to the other pages");
            for link in links {
                let file = link.split('#').next().unwrap();
                assert!(site.path().join(file).is_file(), "{name}: {link}");
            }
        }
        let path = site.path().to_owned();
        drop(site);
        assert!(!path.exists());
    }
}
