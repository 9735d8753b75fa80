//! The pages in a real browser (Debian's chromium, headless): scripts run, and nothing is refused or asked elsewhere.

use std::{path::Path, process::Command};

use tiled_tests::{Access, KEY, Server, example_data};

/// Milliseconds of the browser's own clock that a page may take; waits for requests do not count.
const PAGE_MS: u32 = 20_000;

/// `CHROMIUM`, or the one on the path. `None` where there is none; a failure where `CI` is set.
fn browser() -> Option<String> {
    let name = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".into());
    let there = Command::new(&name).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(
        there || std::env::var_os("CI").is_none(),
        "{name} does not start: install chromium or set CHROMIUM"
    );
    there.then_some(name)
}

/// The document after its scripts have run, and what they wrote to the console.
fn open(browser: &str, profile: &Path, url: &str) -> (String, Vec<String>) {
    let output = Command::new(browser)
        // Debian's sandbox needs more rights than containers give.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--enable-logging=stderr", "--dump-dom", "--disable-background-networking"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--virtual-time-budget={PAGE_MS}"))
        .arg(url)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    let console = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console)
}

/// Errors among the lines of a console; hints of the browser are none.
fn errors(console: &[String]) -> Vec<&String> {
    let is_error =
        |line: &&String| ["Uncaught", "Refused", "Failed", "Error"].iter().any(|word| line.contains(word));
    console.iter().filter(is_error).collect()
}

#[test]
fn every_page_fills_itself_without_an_error() {
    let Some(browser) = browser() else { return };
    let data = example_data();
    let server = Server::directory(data.path(), Access::Private);
    let profile = tempfile::tempdir().unwrap();
    for (page, expected) in [
        ("", "/ui/arrays"),
        ("ui/", "href=\"/ui/climate"),
        ("ui/arrays", "href=\"/ui/arrays/wave"),
        ("ui/arrays/wave", "<polyline"),
        ("docs", "/api/v1/array/block/{path}"),
    ] {
        let (document, console) =
            open(&browser, profile.path(), &format!("{}/{page}?api_key={KEY}", server.url()));
        assert!(document.contains(expected), "/{page} lacks {expected}:\n{document}\n{console:?}");
        assert_eq!(errors(&console), Vec::<&String>::new(), "/{page}");
    }
    server.end();
}

#[test]
fn a_stranger_sees_no_values() {
    let Some(browser) = browser() else { return };
    let data = example_data();
    let server = Server::directory(data.path(), Access::Private);
    let profile = tempfile::tempdir().unwrap();
    let (document, _) = open(&browser, profile.path(), &format!("{}/ui/arrays/wave", server.url()));
    assert!(document.contains("<main") && !document.contains("<polyline"), "{document}");
    server.end();
}
