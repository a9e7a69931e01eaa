//! What a browser shows of the page: in both modes and on a narrow screen, no text lies on another one or is cut, and
//! every colour stands out from what is behind it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Measures the page and writes into it what is wrong.
const PROBE: &str = include_str!("probe.js");

/// The first of these programs that is installed; `./check` installs one.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let names = ["chromium-headless-shell", "chromium"];
    let files = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = files.into_iter().find(|file| file.is_file());
    if found.is_none() {
        // Past the harness's capture, which shows nothing of a test that passes.
        let line = format!("skipped: none of {names:?} is installed\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    found
}

/// The page as it is once the probe has run.
fn shown(program: &Path, page: &Path, mode: &str, width: u32) -> String {
    let profile = tempfile::tempdir().unwrap();
    // coreutils' timeout ends the browser's whole group of processes.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "120"]).arg(program).args([
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
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--virtual-time-budget=20000",
        "--dump-dom",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("--window-size={width},1000"));
    command.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(mode == "light")));
    let output = command.arg(format!("file://{}", page.display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// What is between the marks that the probe sets.
fn findings(page: &str) -> &str {
    // The script itself has them too, before.
    let (_, rest) = page.rsplit_once("[probe:").expect("the probe has run");
    rest.split_once(":probe]").expect("to its end").0
}

#[test]
fn nothing_lies_on_anything_else() {
    let Some(program) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let page = super::html(&super::fixture::report());
    let probed =
        |page: &str| page.replace("</html>", &format!("<script>\n{PROBE}</script>\n</html>"));
    std::fs::write(&file, probed(&page)).unwrap();
    for (mode, width) in [("light", 1400), ("dark", 1400), ("light", 420)] {
        let shown = shown(&program, &file, mode, width);
        let counts = "26 drawings of links and plots, 36 bars, 7 links";
        assert_eq!(findings(&shown), format!("{mode}: {counts}: nothing"), "{mode}, {width}");
    }
}

/// The probe sees what it is for.
#[test]
fn the_probe_sees_mistakes() {
    let Some(program) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let page = super::html(&super::fixture::report());
    for (from, to, found) in [
        ("--told:#12805c", "--told:#f4f4f4", "stands out"),
        ("class=\"small middle\" x=\"", "class=\"small middle\" x=\"-", "is cut"),
        (".card svg .middle{text-anchor:middle}", "", "lies on"),
        (".wide{overflow-x:auto}", "", "scrolls sideways"),
        ("id=\"f1\"", "id=\"f-1\"", "leads nowhere"),
    ] {
        assert!(page.contains(from), "{from}");
        let page = page
            .replace(from, to)
            .replace("</html>", &format!("<script>\n{PROBE}</script>\n</html>"));
        let width = if found == "scrolls sideways" { 420 } else { 1400 };
        std::fs::write(&file, page).unwrap();
        let shown = shown(&program, &file, "light", width);
        assert!(findings(&shown).contains(found), "{found}: {}", findings(&shown));
    }
}
