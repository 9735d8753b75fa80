//! TEMPORARY
/// x
pub async fn landing() -> &'static str { "tiled-host" }
/// x
pub async fn docs() -> &'static str { "" }
/// x
pub async fn asset() -> &'static str { "" }
/// x
pub async fn favicon() -> &'static str { "" }
