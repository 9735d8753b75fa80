//! Fills catalogs of growing size and prints what searches cost in each, as rows of a table.
//!
//! `cargo run --release -p tiled-host --example catalog_scale -- 'sqlite:////tmp/scale-{}.db' 10000 100000 1000000`
//!
//! `{}` in the address becomes the number of nodes; databases that are there are filled up. Times are medians of 21 in
//! microseconds, of queries of which few nodes are an answer, whatever the size.

use std::time::Instant;

use serde_json::{Value, json};
use tiled_host::catalog::{Catalog, Counting, DistinctRequest, NewNode, PageRequest, ROOT, Result, Start};
use tiled_host::query::{Operator, Pattern, Query, parse_sort};
use tiled_plugin_api::model::{Spec, StructureFamily};

const COLORS: [&str; 5] = ["red", "green", "blue", "white", "black"];
const KINDS: [&str; 3] = ["film", "crystal", "powder"];
const BATCH: usize = 1000;
const REPEATS: usize = 21;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("give an address with {} in it, and numbers of nodes")?;
    for size in arguments {
        let size: usize = size.parse()?;
        let catalog = Catalog::open(&address.replace("{}", &size.to_string()), true)?;
        let started = Instant::now();
        let parent = fill(&catalog, size)?;
        let filled = started.elapsed().as_secs_f64();
        catalog.build_search_index(|_| true)?;
        let indexed = started.elapsed().as_secs_f64() - filled;
        println!(
            "\n{size} nodes, filled in {filled:.0} s, indexed in {indexed:.0} s\n\n| what | µs |\n|---|---|"
        );
        measure(&catalog, parent, size)?;
    }
    Ok(())
}

/// The node of the number: few have an odd colour, one each its number and name.
fn node(number: usize) -> NewNode {
    let mut node = NewNode::container(&format!("node{number:08}"));
    let rare = number % 100_000 == 77;
    // Scattered, and the same in every run.
    let scatter = number.wrapping_mul(2_654_435_761) % 1_000_003;
    node.metadata = json!({
        "n": number,
        "color": if rare { "vermilion" } else { COLORS[scatter % 5] },
        "temp": f64::from(u32::try_from(scatter).unwrap_or(0)) / 1000.0,
        "sample": {"name": format!("sample-{number:08}"), "kind": KINDS[scatter % 3]},
        "tags": if rare { json!(["odd"]) } else { json!(["even"]) },
        "note": if rare { "scan with tantalum foil" } else { "scan of a film" },
    });
    if rare {
        node.structure_family = StructureFamily::Table;
        node.specs.push(Spec::named("rare"));
        node.metadata["only"] = Value::from(1);
    }
    node
}

fn fill(catalog: &Catalog, size: usize) -> Result<i64> {
    let parent = match catalog.lookup(&["big"])? {
        Some((row, 1)) => row.id,
        _ => catalog.insert(ROOT, &NewNode::container("big"))?,
    };
    let mut done = usize::try_from(catalog.count(parent)?).unwrap_or(usize::MAX);
    while done < size {
        let end = (done + BATCH).min(size);
        let nodes: Vec<NewNode> = (done..end).map(node).collect();
        catalog.insert_many(parent, &nodes)?;
        done = end;
    }
    Ok(parent)
}

fn measure(catalog: &Catalog, parent: i64, size: usize) -> Result<()> {
    let key = |number: usize| format!("node{number:08}");
    let middle = key(size / 2);
    time("look up a path", || catalog.lookup(&["big", &middle]).map(|_| ()))?;
    let first = PageRequest { counting: Counting::UpTo(100), ..PageRequest::default() };
    time("first page", || catalog.page(parent, &first).map(|_| ()))?;
    let last = catalog.lookup(&["big", &key(size - 200)])?.map_or(0, |(row, _)| row.id);
    let cursor = PageRequest { start: Start::Cursor(last), ..first.clone() };
    time("page by cursor, at the end", || catalog.page(parent, &cursor).map(|_| ()))?;
    let offset = PageRequest { start: Start::Offset(size as u64 * 9 / 10), ..first.clone() };
    time("page by offset, at 90%", || catalog.page(parent, &offset).map(|_| ()))?;
    for (what, query) in queries() {
        let request = PageRequest { queries: vec![query], ..first.clone() };
        time(what, || catalog.page(parent, &request).map(|_| ()))?;
    }
    let name = |text: &str| text.to_owned();
    let rare = Query::Eq { key: name("color"), value: json!("vermilion") };
    let request = PageRequest { queries: vec![rare], ..first.clone() };
    time("eq, below the root", || catalog.search_deep(ROOT, 64, &request).map(|_| ()))?;
    let sorted = PageRequest { sorting: parse_sort(&["-temp"]).unwrap_or_default(), ..first.clone() };
    time("sort by a number", || catalog.page(parent, &sorted).map(|_| ()))?;
    let distinct = DistinctRequest { metadata: vec![name("color")], ..DistinctRequest::default() };
    time("distinct (reads all)", || catalog.distinct(parent, &distinct).map(|_| ()))?;
    let mut number = size * 2;
    time("register one more", || {
        number += 1;
        let mut more = node(number);
        more.key = format!("more-{number}-{}", std::process::id());
        catalog.insert(ROOT, &more).map(|_| ())
    })
}

/// Each kind of query, most with few nodes to find.
fn queries() -> Vec<(&'static str, Query)> {
    let (name, key) = (|text: &str| text.to_owned(), |number: usize| format!("node{number:08}"));
    let pattern = Pattern::new("mil", true).unwrap_or_else(|error| panic!("{error}"));
    vec![
        ("fulltext", Query::FullText { text: name("tantalum") }),
        ("lookup", Query::Lookup { key: key(77) }),
        ("keys_filter", Query::KeysFilter { keys: vec![key(77), key(78)] }),
        ("regex", Query::Regex { key: name("color"), pattern }),
        ("like, many texts", Query::Like { key: name("sample.name"), pattern: name("sample-0000007%") }),
        ("like, anywhere in many texts", Query::Like { key: name("sample.name"), pattern: name("%000077") }),
        ("eq", Query::Eq { key: name("n"), value: json!(77) }),
        ("eq, many match", Query::Eq { key: name("color"), value: json!("red") }),
        ("noteq", Query::NotEq { key: name("only"), value: json!(2) }),
        ("comparison", Query::Comparison { operator: Operator::Lt, key: name("n"), value: json!(50) }),
        (
            "comparison, half match",
            Query::Comparison { operator: Operator::Gt, key: name("temp"), value: json!(500) },
        ),
        ("contains", Query::Contains { key: name("tags"), value: json!("odd") }),
        ("in", Query::In { key: name("n"), values: vec![json!(5), json!(77)] }),
        ("notin", Query::NotIn { key: name("only"), values: vec![json!(2), json!(3)] }),
        ("keypresent", Query::KeyPresent { key: name("only"), exists: true }),
        ("like", Query::Like { key: name("color"), pattern: name("verm%") }),
        ("specs", Query::Specs { include: vec![name("rare")], exclude: vec![] }),
        ("structure_family", Query::StructureFamily { family: StructureFamily::Table }),
    ]
}

fn time(what: &str, mut work: impl FnMut() -> Result<()>) -> Result<()> {
    work()?;
    let mut times: Vec<u128> = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed().as_micros());
        if started.elapsed().as_secs() > 2 {
            break;
        }
    }
    times.sort_unstable();
    println!("| {what} | {} |", times[times.len() / 2]);
    Ok(())
}
