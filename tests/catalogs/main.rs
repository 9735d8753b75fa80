//! Catalogs that outlive their servers, and that several servers share: with Tiled, with each other, through crashes.

mod bodies;
mod crashes;
mod growing;
mod many_writers;
mod model;
mod with_tiled;

use tempfile::TempDir;
use tiled_tests::{Access, Postgres, Server, configuration};

/// A catalog and storages that no server has yet.
pub(crate) struct Place {
    folder: TempDir,
    /// Its address.
    pub catalog: String,
    /// Where values are kept: files, and tables in a database.
    pub storages: Vec<String>,
    /// Which kind of database.
    pub kind: &'static str,
}

impl Place {
    /// Files only; tables in a database of that kind.
    pub fn files(tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        Place {
            catalog: format!("sqlite:///{path}/catalog.db"),
            storages: vec![format!("file://localhost{path}/data"), format!("{tables}:///{path}/tables.db")],
            kind: "SQLite",
            folder,
        }
    }

    /// Catalog and tables in a database each, the rest in files.
    pub fn database(server: &Postgres) -> Self {
        let mut place = Place::files("sqlite");
        place.catalog = server.uri(&server.new_database());
        place.storages[1] = server.storage(&server.new_database());
        place.kind = "PostgreSQL";
        place
    }

    /// A server on it.
    pub fn serve(&self) -> Server {
        let storages = serde_json::to_string(&self.storages).unwrap();
        let tree = format!(
            r#"
            [[trees]]
            path = "/"
            tree = "catalog"
            [trees.args]
            uri = "{}"
            init_if_not_exists = true
            writable_storage = {storages}
            "#,
            self.catalog
        );
        Server::config(&configuration(Access::Private, &tree))
    }

    /// The folder with the files.
    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// One place on each kind of database.
pub(crate) fn places() -> Vec<Place> {
    let mut places = vec![Place::files("sqlite")];
    places.extend(Postgres::shared().map(Place::database));
    places
}
