//! Figures, for whoever changes something here: run with `--ignored --nocapture`.

use std::time::Instant;

use super::*;

fn each_us(times: u32, mut work: impl FnMut(u32)) -> f64 {
    let start = Instant::now();
    (0..times).for_each(&mut work);
    start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
}

/// Creates nodes from so many threads at once, and gives how many a second.
fn writes(catalog: &Catalog, threads: usize, each: usize) -> f64 {
    let parent = catalog.create_path(&[&format!("by {threads}")]).unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for at in 0..each {
                    catalog.create(parent, &NewNode::container(&format!("{thread}-{at}"))).unwrap();
                }
            });
        }
    });
    (threads * each) as f64 / start.elapsed().as_secs_f64()
}

#[test]
#[ignore = "prints figures"]
fn how_long_things_take() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut uris = vec![format!("sqlite:///{}", directory.path().join("catalog.db").display())];
    uris.extend(server::shared().map(server::Server::database));
    for uri in &uris {
        let catalog = Catalog::open(uri, true).unwrap();
        println!("{}", uri.split(':').next().unwrap());
        println!(
            "  writes/s by 1 thread {:.0}, by 16 {:.0}",
            writes(&catalog, 1, 300),
            writes(&catalog, 16, 100)
        );
        let path = ["by 16", "3-7"];
        println!("  generation {:.1} µs", each_us(2000, |_| _ = std::hint::black_box(catalog.generation())));
        println!("  lookup {:.1} µs", each_us(2000, |_| drop(catalog.lookup(&path).unwrap())));
        let parent = catalog.lookup(&path[..1]).unwrap().unwrap().0.id;
        let request = PageRequest { counting: Counting::UpTo(500), ..PageRequest::default() };
        println!("  page of 100 {:.1} µs", each_us(500, |_| drop(catalog.page(parent, &request).unwrap())));
        let node = catalog.lookup(&path).unwrap().unwrap().0.id;
        let change = |_: &NodeRow| -> Result<MetadataUpdate> {
            Ok(MetadataUpdate { metadata: Some(json!({"n": 1})), ..MetadataUpdate::default() })
        };
        println!(
            "  update {:.1} µs",
            each_us(200, |_| drop(catalog.update(node, true, &mut { change }).unwrap()))
        );
    }
}
