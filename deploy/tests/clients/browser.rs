//! Chromium, twice with one profile.

use crate::nginx::Nginx;
use crate::process::{Started, scratch};
use crate::program;
use crate::world::{start_edge, until};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Below `fresh` a browser need not ask again; below `asked` it has to, and the edge may answer for nginx.
const SERVER: &str = "
    location /fresh/ { alias files/; add_header Cache-Control 'max-age=3600'; }
    location /asked/ { alias files/; add_header Cache-Control 'max-age=0, s-maxage=3600'; }
";

/// It names in its text what has arrived, once everything has. The icon keeps browsers from asking for one.
const PAGE: &str = r#"<!doctype html>
<html><head><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css"><script src="one.js"></script>
<script type="module" src="two.js"></script></head>
<body><img id="drawing" src="drawing.svg"><img id="picture" src="picture.png"><p id="marker">waiting</p>
<script>
addEventListener("load", async () => {
  const text = await (await fetch("text.txt")).text();
  const part = await fetch("film.bin", { headers: { Range: "bytes=1000-1099" } });
  const octets = await part.arrayBuffer();
  const width = (id) => document.getElementById(id).naturalWidth;
  document.getElementById("marker").textContent = [
    "complete", window.one, window.two, getComputedStyle(document.body).color.replaceAll(" ", ""),
    width("drawing"), width("picture"), text.length, part.status, octets.byteLength,
  ].join(" ");
});
</script></body></html>
"#;

const MARKER: &str = "complete 1 2 rgb(1,2,3) 7 2 5000 206 100";

/// Everything that the page needs, itself included.
const NAMES: [&str; 8] = [
    "page.html",
    "style.css",
    "one.js",
    "two.js",
    "drawing.svg",
    "picture.png",
    "text.txt",
    "film.bin",
];

/// Two pixels of gray.
fn picture() -> Vec<u8> {
    let mut octets = Vec::new();
    let mut encoder = png::Encoder::new(&mut octets, 2, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[100, 200]).unwrap();
    octets
}

fn upstream() -> Option<Nginx> {
    let nginx =
        Nginx::start("gzip on; gzip_types text/plain; gzip_proxied any; gzip_vary on;", SERVER)?;
    let drawing = "<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'/>";
    for (name, content) in [
        ("page.html", PAGE.as_bytes()),
        ("style.css", b"body { color: rgb(1, 2, 3) }"),
        ("one.js", b"window.one = 1;"),
        ("two.js", b"window.two = 2;"),
        ("drawing.svg", drawing.as_bytes()),
        ("picture.png", &picture()),
        ("text.txt", &b"text\n".repeat(1000)),
        ("film.bin", &[7; 200_000]),
    ] {
        nginx.write(name, content, 1_700_000_000);
    }
    Some(nginx)
}

/// A browser that loads one page and ends.
struct Browser {
    program: PathBuf,
    profile: tempfile::TempDir,
}

impl Browser {
    /// The page as it is once its scripts have run, and what the browser said.
    fn load(&self, url: &str) -> (String, String) {
        // coreutils' timeout ends the browser's whole group of processes.
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "60"]).arg(&self.program).args([
            "--headless",
            // Its sandbox wants rights that neither root nor a container has; the page is ours.
            "--no-sandbox",
            "--disable-gpu",
            // /dev/shm is small in containers.
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-proxy-server",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            "--enable-logging=stderr",
            // Time that stands still while the network is waited for: no limit to how slow it may be.
            "--virtual-time-budget=20000",
            "--dump-dom",
        ]);
        command.arg(format!("--user-data-dir={}", self.profile.path().display())).arg(url);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {said}", output.status);
        (String::from_utf8(output.stdout).unwrap(), said)
    }
}

/// `TARGET` and the statuses of its answers, once the log has `count` lines.
fn answered(log: &Path, count: usize) -> BTreeMap<String, Vec<u64>> {
    let lines = until("the edge writes of every request", || {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        (text.lines().count() >= count && text.ends_with('\n')).then_some(text)
    });
    let mut answered = BTreeMap::<_, Vec<_>>::new();
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let target = line["target"].as_str().unwrap().to_owned();
        answered.entry(target).or_default().push(line["status"].as_u64().unwrap());
    }
    answered
}

fn edge(nginx: &Nginx, log: &Path) -> (Started, String) {
    start_edge(&format!("http://{}", nginx.address), &["--log", log.to_str().unwrap()])
}

/// The second load asks for nothing, or is told that nothing has changed; nginx is asked once for each.
#[test]
fn a_page_twice() {
    let Some(program) = program::find(&["chromium-headless-shell", "chromium"]) else { return };
    for (place, first, second) in [("fresh", 200, None), ("asked", 200, Some(304))] {
        let Some(nginx) = upstream() else { return };
        let logs = scratch();
        let log = logs.path().join("log");
        let (_edge, address) = edge(&nginx, &log);
        let browser = Browser { program: program.clone(), profile: scratch() };
        for turn in 0..2 {
            let (page, said) = browser.load(&format!("http://{address}/{place}/page.html"));
            assert!(page.contains(MARKER), "{place}, turn {turn}: {page}\n{said}");
            assert!(!said.contains("CONSOLE"), "{place}, turn {turn}: {said}");
        }
        let asks_again = second.iter().count();
        let answered = answered(&log, NAMES.len() * (1 + asks_again));
        for name in NAMES {
            // A part is asked for again as a part: RFC 9110 §13.1.5.
            let whole = if name == "film.bin" { 206 } else { first };
            let mut expected = vec![whole];
            expected.extend(second);
            let statuses = answered.get(&format!("/{place}/{name}"));
            assert_eq!(statuses, Some(&expected), "{place}/{name}: {answered:?}");
        }
        assert_eq!(answered.len(), NAMES.len(), "{answered:?}");
        let upstream = nginx.answered(NAMES.len());
        assert_eq!(upstream.len(), NAMES.len(), "{place}: once each: {upstream:?}");
    }
}
