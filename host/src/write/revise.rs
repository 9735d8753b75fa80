//! Changes of metadata and specs. Each is computed from the row as it is when its transaction has begun, so that of two
//! changes at a time neither is lost.

use std::sync::Arc;

use serde_json::{Map, Value};
use tiled_plugin_api::model::Spec;

use super::{
    MAX_SPECS, Patch, Writers, blocking, delete::row_of, document::check_specs, not_here, to_the_end,
    unprocessable,
};
use crate::{
    catalog::{MetadataUpdate, NodeRow},
    tree::{Node, TreeError, TreeResult},
};

/// What a node's metadata are to become.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// These; `None` leaves a part as it is.
    Replace {
        /// A JSON object.
        metadata: Option<Map<String, Value>>,
        /// Most specific first.
        specs: Option<Vec<Spec>>,
        /// Names of tags.
        access_tags: Option<Vec<String>>,
    },
    /// What patches make of them; `None` leaves a part as it is.
    Patch {
        /// Of all three.
        kind: Patch,
        /// Of the metadata.
        metadata: Option<Value>,
        /// Of the list of specs.
        specs: Option<Value>,
        /// Of the sorted list of tags.
        access_tags: Option<Value>,
    },
}

/// What has become of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Revised {
    /// The node's key.
    pub key: String,
    /// The tags as they are, where others were asked for: they do not change without an access policy.
    pub access_tags: Option<Vec<String>>,
}

impl Writers {
    /// Changes metadata and specs of a node; the former ones are kept as a revision.
    ///
    /// # Errors
    /// `Unsupported` for what is not a row; `InvalidData` for patches that do not apply, and results that are not allowed.
    pub async fn revise(
        self: &Arc<Self>,
        node: &Node,
        change: Change,
        keep_revision: bool,
    ) -> TreeResult<Revised> {
        const REFUSAL: &str = "This node does not support update of metadata.";
        let (mount, row) = row_of(node, REFUSAL)?;
        // The root of a catalog is described by the configuration.
        if row.parent.is_none() {
            return Err(not_here(REFUSAL));
        }
        let (this, key, id) = (self.clone(), row.key.clone(), row.id);
        to_the_end(async move {
            blocking(move || {
                let mut tags = None;
                let mut apply = |now: &NodeRow| {
                    let (update, refused_tags) = this.changed(now, &change)?;
                    tags = refused_tags;
                    Ok::<_, TreeError>(update)
                };
                mount.catalog.update(id, keep_revision, &mut apply)?;
                Ok(Revised { key, access_tags: tags })
            })
            .await
        })
        .await
    }

    /// Forgets a revision, and says whether there was one.
    ///
    /// # Errors
    /// `Unsupported` for what is not a row.
    pub async fn delete_revision(self: &Arc<Self>, node: &Node, number: u64) -> TreeResult<bool> {
        let (mount, row) = row_of(node, "This node does not support a del request for revisions.")?;
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        blocking(move || Ok(mount.catalog.delete_revision(row.id, number)?)).await
    }

    /// The row after the change, and the tags it has if others were asked for.
    fn changed(&self, now: &NodeRow, change: &Change) -> TreeResult<(MetadataUpdate, Option<Vec<String>>)> {
        let (metadata, specs, tags) = match change {
            Change::Replace { metadata, specs, access_tags } => {
                if let Some(specs) = specs {
                    check_specs(specs)?;
                }
                (metadata.clone().map(Value::Object), specs.clone(), access_tags.clone())
            }
            Change::Patch { kind, metadata, specs, access_tags } => {
                patched(now, *kind, metadata.as_ref(), specs.as_ref(), access_tags.as_ref())?
            }
        };
        if let Some(specs) = &specs {
            self.specs.check(specs)?;
        }
        let mut current = now.access_tags.clone();
        current.sort();
        let refused = tags.map(|mut tags| {
            tags.sort();
            tags.dedup();
            tags
        });
        let refused = refused.filter(|tags| *tags != current).map(|_| current);
        Ok((MetadataUpdate { metadata, specs, access_tags: None }, refused))
    }
}

type Parts = (Option<Value>, Option<Vec<Spec>>, Option<Vec<String>>);

fn patched(
    now: &NodeRow,
    kind: Patch,
    metadata: Option<&Value>,
    specs: Option<&Value>,
    access_tags: Option<&Value>,
) -> TreeResult<Parts> {
    let metadata = metadata.map(|patch| {
        let current = serde_json::from_str(&now.metadata).unwrap_or_else(|_| Value::Object(Map::new()));
        match kind.apply(current, patch)? {
            object @ Value::Object(_) => Ok(object),
            _ => Err(unprocessable("metadata patch must produce an object")),
        }
    });
    let specs = specs.map(|patch| {
        let current = serde_json::to_value(&now.specs).map_err(tiled_plugin_api::author::Error::internal)?;
        specs_of(kind.apply(current, patch)?)
    });
    let access_tags = access_tags.map(|patch| {
        let mut current = now.access_tags.clone();
        current.sort();
        serde_json::from_value(kind.apply(Value::from(current), patch)?)
            .map_err(|_| unprocessable("access_tags patch must produce a list of strings"))
    });
    Ok((metadata.transpose()?, specs.transpose()?, access_tags.transpose()?))
}

/// Names may stand for specs without a version.
fn specs_of(value: Value) -> TreeResult<Vec<Spec>> {
    let refuse = |what: String| unprocessable(format!("specs patch must produce a list of specs: {what}"));
    let Value::Array(items) = value else { return Err(refuse("it is no list".into())) };
    let of = |item: Value| match item {
        Value::String(name) => Ok(Spec::named(name)),
        other => serde_json::from_value(other).map_err(|error| refuse(error.to_string())),
    };
    let specs: Vec<Spec> = items.into_iter().map(of).collect::<TreeResult<_>>()?;
    if specs.len() > MAX_SPECS {
        return Err(unprocessable(format!("Update cannot result in more than {MAX_SPECS} specs")));
    }
    if specs.iter().enumerate().any(|(i, spec)| specs[..i].contains(spec)) {
        return Err(unprocessable("Update cannot result in non-unique specs"));
    }
    check_specs(&specs)?;
    Ok(specs)
}
