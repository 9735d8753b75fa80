//! From what was found to rows: many folders in one transaction.

use super::{keys::Keys, state::Batch};
use crate::catalog::{Catalog, CatalogError, FileChanges};

/// How often other keys are tried when somebody else takes the same ones at the same time.
const TRIES: usize = 5;

/// The ids of the new nodes of each batch, or why it is not in the catalog. What one cannot do stops no other.
pub(super) fn commit(
    catalog: &Catalog,
    batches: &mut [Batch],
    keep_ext: bool,
) -> Vec<Result<Vec<i64>, String>> {
    let changes: Vec<FileChanges> =
        batches.iter_mut().map(|batch| std::mem::take(&mut batch.found.changes)).collect();
    let all = catalog.apply_files(&changes);
    for (batch, changes) in batches.iter_mut().zip(changes) {
        batch.found.changes = changes;
    }
    match all {
        Ok(made) => made.into_iter().map(Ok).collect(),
        Err(CatalogError::Collision { .. } | CatalogError::NoNode { .. } | CatalogError::Damaged { .. }) => {
            batches.iter_mut().map(|batch| alone(catalog, batch, keep_ext)).collect()
        }
        Err(error) => batches.iter().map(|_| Err(error.to_string())).collect(),
    }
}

/// One batch, with other keys where somebody else has taken them meanwhile.
fn alone(catalog: &Catalog, batch: &mut Batch, keep_ext: bool) -> Result<Vec<i64>, String> {
    let mut tries = 0;
    loop {
        match catalog.apply_files(std::slice::from_ref(&batch.found.changes)) {
            Ok(mut made) => return Ok(made.pop().unwrap_or_default()),
            Err(CatalogError::Collision { .. }) if tries < TRIES => {
                tries += 1;
                other_keys(catalog, batch, keep_ext).map_err(|error| error.to_string())?;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn other_keys(catalog: &Catalog, batch: &mut Batch, keep_ext: bool) -> crate::catalog::Result<()> {
    let found = &mut batch.found;
    let mut keys = Keys::new(keep_ext, Some((catalog, found.changes.parent)));
    keys.prepare(found.names.iter().map(|(name, extension)| (name.as_str(), extension.as_str())))?;
    for (at, (name, extension)) in found.names.iter().enumerate() {
        let Some(node) = found.changes.new.get_mut(at) else { continue };
        node.key = keys.give(name, extension)?;
        for folder in found.folders.iter_mut().filter(|folder| folder.node == Err(at)) {
            folder.key.clone_from(&node.key);
        }
    }
    Ok(())
}
