//! `/api/v1/table/full|partition/{path}`: rows of tables.

use axum::{body::Bytes, extract::State, response::Response};
use tiled_plugin_api::model::StructureFamily;

use super::{names, store};
use crate::{
    access::Scope,
    app::App,
    http::{
        HttpError,
        extract::{Ask, Upload},
        respond,
    },
    read::TablePart,
    write::Wish,
};

const TABLES: &[StructureFamily] = &[StructureFamily::Table];

/// `GET table/partition`.
pub async fn partition(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let partition = partition_of(&ask)?;
    let (columns, fields) = (ask.params.list("column"), ask.params.list("field"));
    if columns.is_some() && fields.is_some() {
        return Err(HttpError::bad_request(
            "Cannot accept both 'column' and 'field' query parameters in the same /table/partition request. Include \
             these query values using only the 'column' parameter.",
        ));
    }
    read(&app, &ask, TablePart { partition: Some(partition), columns: columns.or(fields) }).await
}

/// `POST table/partition`: columns in the body, for more of them than a URL holds.
pub async fn partition_post(State(app): State<App>, ask: Ask, body: Bytes) -> Result<Response, HttpError> {
    let partition = partition_of(&ask)?;
    read(&app, &ask, TablePart { partition: Some(partition), columns: names(&body)? }).await
}

/// `GET table/full`.
pub async fn full(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let columns = ask.params.list("column").or_else(|| ask.params.list("field"));
    read(&app, &ask, TablePart { partition: None, columns }).await
}

/// `POST table/full`.
pub async fn full_post(State(app): State<App>, ask: Ask, body: Bytes) -> Result<Response, HttpError> {
    read(&app, &ask, TablePart { partition: None, columns: names(&body)? }).await
}

/// `PUT table/full`, and `PUT node/full`, its former name.
pub async fn put_full(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let node = store::find(&app, &ask).await?.only(TABLES)?;
    store::put(&app, &ask, &node, Wish::Whole, upload).await
}

/// `PUT table/partition`.
pub async fn put_partition(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let wish = Wish::Partition { number: partition_of(&ask)?, append: false };
    let node = store::find(&app, &ask).await?;
    store::put(&app, &ask, &node, wish, upload).await
}

/// `PATCH table/partition`: adds rows.
pub async fn append_partition(
    State(app): State<App>,
    ask: Ask,
    upload: Upload,
) -> Result<Response, HttpError> {
    let wish = Wish::Partition { number: partition_of(&ask)?, append: true };
    let node = store::find(&app, &ask).await?;
    store::put(&app, &ask, &node, wish, upload).await
}

fn partition_of(ask: &Ask) -> Result<u64, HttpError> {
    let number = ask.params.one("partition").ok_or_else(|| HttpError::missing("partition"))?;
    // Tiled takes -1 for the last one by accident; nothing that is counted from 0 has a part before it.
    if number.starts_with('-') && number[1..].bytes().all(|b| b.is_ascii_digit()) {
        return Err(HttpError::bad_request("Partition out of range"));
    }
    Ok(ask.params.number("partition", 0, u64::MAX)?.unwrap_or(0))
}

async fn read(app: &App, ask: &Ask, part: TablePart) -> Result<Response, HttpError> {
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadData).await?;
    let node = node.only(TABLES)?;
    let wanted = ask.wanted();
    Ok(respond::respond(ask, app.readers.table(&ask.reading(&wanted), &node, part).await?).await)
}
