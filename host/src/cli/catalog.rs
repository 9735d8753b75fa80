//! `tiled-host catalog`: makes and checks the database of a catalog.

use anyhow::{Result, bail};
use clap::Subcommand;

use super::serve::{self, CatalogOptions};
use crate::catalog::{Catalog, REQUIRED_REVISION};

/// `tiled-host catalog …`.
#[derive(Subcommand)]
pub enum CatalogCommand {
    /// Serve a catalog, as `serve catalog` does.
    Serve(CatalogOptions),
    /// Initialize a database as a catalog.
    Init {
        /// A filepath or database URI: catalog.db, sqlite:////path/to/catalog.db
        #[arg(default_value = "catalog.db")]
        database: String,
        /// Do not fail if the database is initialized already.
        #[arg(long)]
        if_not_exists: bool,
    },
    /// Say whether a database is a catalog that can be served.
    Check {
        /// A filepath or database URI.
        database: String,
    },
    /// Build the search index in a catalog's database, or complete it: it makes searches in metadata fast.
    Index {
        /// A filepath or database URI.
        database: String,
    },
    /// Remove the search index: what is left is as Tiled makes it.
    Unindex {
        /// A filepath or database URI.
        database: String,
    },
    /// Upgrade the catalog database schema to the one this program needs.
    UpgradeDatabase {
        /// A filepath or database URI.
        database_uri: String,
    },
}

/// Runs the sub-command.
///
/// # Errors
/// The database is not as it should be; what to do.
pub fn run(command: CatalogCommand) -> Result<()> {
    match command {
        CatalogCommand::Serve(options) => serve::catalog(&options),
        CatalogCommand::Init { database, if_not_exists } => init(&database, if_not_exists),
        CatalogCommand::Check { database } => {
            Catalog::open(&database, false)?;
            println!("{database} is a catalog of revision {REQUIRED_REVISION}, as this program needs it.");
            Ok(())
        }
        CatalogCommand::Index { database } => {
            Catalog::open(&database, false)?.build_search_index(|_| true)?;
            println!("{database} has a search index.");
            Ok(())
        }
        CatalogCommand::Unindex { database } => {
            Catalog::open(&database, false)?.remove_search_index()?;
            println!(
                "{database} has no search index. A server builds it again, unless without_search_index = true."
            );
            Ok(())
        }
        CatalogCommand::UpgradeDatabase { database_uri } => upgrade(&database_uri),
    }
}

fn init(database: &str, if_not_exists: bool) -> Result<()> {
    if Catalog::init(database)? {
        eprintln!("Database {database} is new. Creating tables.");
        eprintln!("Database initialized.");
    } else if !if_not_exists {
        bail!("the database {database} is already initialized");
    }
    Ok(())
}

fn upgrade(database: &str) -> Result<()> {
    match Catalog::upgrade(database)?.as_slice() {
        [] => println!("{database} has revision {REQUIRED_REVISION} already: nothing to do."),
        steps => println!("{database} was brought up to date: {}.", steps.join(", ")),
    }
    Ok(())
}
