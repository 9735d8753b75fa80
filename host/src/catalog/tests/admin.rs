//! Making, checking and upgrading databases.

use super::server::shared;
use super::*;

/// The addresses of a new SQLite file and of an empty PostgreSQL database.
fn addresses() -> (tempfile::TempDir, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let mut uris = vec![format!("sqlite:///{}", directory.path().join("new.db").display())];
    uris.extend(shared().map(super::server::Server::database));
    (directory, uris)
}

#[test]
fn a_catalog_is_made_once() {
    let (_directory, uris) = addresses();
    for uri in &uris {
        assert_eq!(Catalog::check(uri).unwrap().standing, Standing::Missing);
        assert!(matches!(Catalog::upgrade(uri), Err(CatalogError::Missing { .. })));
        assert!(Catalog::init(uri).unwrap());
        assert!(!Catalog::init(uri).unwrap());
        let stamp = Catalog::check(uri).unwrap();
        assert_eq!((stamp.revision.as_deref(), stamp.standing), (Some(REQUIRED_REVISION), Standing::Current));
        assert_eq!(Catalog::upgrade(uri).unwrap(), Vec::<&str>::new());
    }
    assert!(matches!(Catalog::init("sqlite://"), Err(CatalogError::Address { .. })));
}

/// Needs `TILED_PYTHON`, a Python with Tiled 0.2.20.
#[test]
fn databases_that_tiled_itself_downgraded_are_upgraded() {
    let Some(python) = std::env::var_os("TILED_PYTHON") else { return };
    let tiled = |arguments: &[&str]| {
        let done =
            std::process::Command::new(&python).args(["-m", "tiled", "catalog"]).args(arguments).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let (_directory, uris) = addresses();
    for uri in &uris {
        let theirs = uri.replace("sqlite:", "sqlite+aiosqlite:");
        tiled(&["init", &theirs]);
        let tagged = NewNode { access_tags: vec!["public".to_owned()], ..NewNode::container("a") };
        Catalog::open(uri, false).unwrap().create(ROOT, &tagged).unwrap();
        tiled(&["downgrade-database", &theirs, "3bc110ce44e9"]);
        assert_eq!(Catalog::check(uri).unwrap().standing, Standing::Upgradable);
        assert!(matches!(Catalog::open(uri, false), Err(CatalogError::Upgradable { .. })));
        assert_eq!(Catalog::upgrade(uri).unwrap(), ["0d4e1f2a3b4c", "3e87cbeb195b", REQUIRED_REVISION]);
        let catalog = Catalog::open(uri, false).unwrap();
        let id = catalog.create(ROOT, &NewNode { key: "b".to_owned(), ..tagged }).unwrap().id;
        let sql = "SELECT count(*) FROM node_access_tags_association WHERE parent_id = 0";
        assert_eq!(catalog.store.read("test", |session| session.integer(sql, &[])).unwrap(), Some(2));
        catalog.delete(id, false, true).unwrap();
        // Tiled can go back and forth over what we did.
        tiled(&["downgrade-database", &theirs, "3bc110ce44e9"]);
        tiled(&["upgrade-database", &theirs]);
        assert_eq!(catalog.count(ROOT).unwrap(), 1);
    }
}
