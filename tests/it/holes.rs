//! Holes through which money leaks elsewhere. `docs/MONEY.md` lists them; here are the tests that had no other home, and the
//! one that holds the list to the truth.

mod hang_up;
mod meanwhile;
mod priced;
mod rights;
mod twin;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a test waits for something that is certain to happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// How many holes we know.
const HOLES: usize = 30;

/// A row of the list.
struct Hole {
    number: String,
    protection: String,
    tests: Vec<String>,
}

impl Hole {
    fn read(line: &str) -> Hole {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, protection, tests] = cells[..] else { panic!("not four cells: {line}") };
        let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Hole { number: number.to_owned(), protection: protection.to_owned(), tests }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn holes() -> Vec<Hole> {
    let text = fs::read_to_string(root().join("docs/MONEY.md")).unwrap();
    let (_, list) = text.split_once("\n## Holes\n").expect("a list of holes");
    let list = list.split("\n## ").next().unwrap();
    list.lines().filter(|line| line.starts_with('|')).skip(2).map(Hole::read).collect()
}

/// Whether there is such a test: a scenario here, or a unit test beside the code, perhaps in the file of what it tests.
fn exists(test: &str) -> bool {
    let (module, name) = test.rsplit_once("::").unwrap_or(("", test));
    let file =
        |folder: &str, module: &str| root().join(folder).join(module.replace("::", "/")).with_extension("rs");
    let inside = module.strip_suffix("::tests").unwrap_or(module);
    let homes = [file("tests/it", module), file("api/src", module), file("api/src", inside)];
    let signature = format!("fn {name}(");
    homes.iter().any(|home| fs::read_to_string(home).is_ok_and(|text| text.contains(&signature)))
}

#[test]
fn every_hole_is_closed_by_tests_that_exist() {
    let holes = holes();
    let numbers: Vec<&str> = holes.iter().map(|hole| hole.number.as_str()).collect();
    assert_eq!(numbers, (1..=HOLES).map(|number| number.to_string()).collect::<Vec<_>>());
    for Hole { number, protection, tests } in &holes {
        assert!(
            protection.starts_with("Can't happen: ") == tests.is_empty(),
            "{number} has no test, or needs none"
        );
        let missing: Vec<&String> = tests.iter().filter(|test| !exists(test)).collect();
        assert!(missing.is_empty(), "{number} names tests that are not there: {missing:?}");
    }
}
