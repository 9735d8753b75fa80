//! `PUT|PATCH|DELETE /api/v1/metadata/{path}`: changes of a node.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use tiled_plugin_api::model::Spec;

use crate::{
    access::Scope::{DeleteNode, DeleteRevision, WriteMetadata},
    app::App,
    http::{
        HttpError,
        extract::{Ask, Upload},
        respond,
    },
    write::{Change, Deletion, PATCH_MEDIA_TYPES, Patch},
};

#[derive(Deserialize)]
struct Replacement {
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    specs: Option<Vec<Spec>>,
    #[serde(default)]
    access_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct PatchDocument {
    #[serde(rename = "content-type")]
    content_type: String,
    #[serde(default)]
    metadata: Option<Value>,
    // Null is "no change", but it must be said.
    #[serde(deserialize_with = "stated")]
    specs: Option<Value>,
    #[serde(default)]
    access_tags: Option<Value>,
}

fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Option::deserialize(deserializer)
}

/// `PUT metadata`.
pub async fn replace(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    change(&app, &ask, upload, |body: Replacement| {
        let Replacement { metadata, specs, access_tags } = body;
        Ok(Change::Replace { metadata, specs, access_tags })
    })
    .await
}

/// `PATCH metadata`.
pub async fn patch(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    change(&app, &ask, upload, |body: PatchDocument| {
        let Some(kind) = Patch::named(&body.content_type) else {
            let text = format!("valid content types: {}", PATCH_MEDIA_TYPES.join(", "));
            return Err(HttpError::new(StatusCode::NOT_ACCEPTABLE, text));
        };
        for (name, part, of_list) in [
            ("metadata", &body.metadata, kind == Patch::Json),
            ("specs", &body.specs, true),
            ("access_tags", &body.access_tags, true),
        ] {
            let fits =
                part.as_ref().is_none_or(|part| if of_list { part.is_array() } else { part.is_object() });
            if !fits {
                let message = if of_list {
                    "Input should be a valid list"
                } else {
                    "Input should be a valid dictionary"
                };
                let input = part.clone().unwrap_or_default();
                return Err(HttpError::validation("body", name, "type_error", message, input));
            }
        }
        let PatchDocument { metadata, specs, access_tags, .. } = body;
        Ok(Change::Patch { kind, metadata, specs, access_tags })
    })
    .await
}

async fn change<T: serde::de::DeserializeOwned + Send + 'static>(
    app: &App,
    ask: &Ask,
    upload: Upload,
    read: impl FnOnce(T) -> Result<Change, HttpError>,
) -> Result<Response, HttpError> {
    let keep_revision = !ask.params.flag("drop_revision", false)?;
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, WriteMetadata).await?;
    let wanted = read(upload.json(app).await?)?;
    let revised = app.writers.revise(&node, wanted, keep_revision).await?;
    let mut answer = json!({"id": revised.key});
    if let Some(tags) = revised.access_tags {
        answer["access_tags"] = tags.into();
    }
    respond::document(ask, &answer).await
}

/// `DELETE metadata`.
pub async fn delete(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    ask.caller.require_all(&[DeleteNode, DeleteRevision])?;
    let deletion = Deletion {
        recursive: ask.params.flag("recursive", false)?,
        external_only: ask.params.flag("external_only", true)?,
    };
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, DeleteNode).await?;
    app.writers.delete(&ask.cx, &node, deletion).await?;
    respond::document(&ask, &Value::Null).await
}
