//! TEMPORARY
use axum::Json;
/// x
pub async fn document() -> Json<serde_json::Value> { Json(serde_json::json!({})) }
