//! TEMPORARY
/// x
#[derive(clap::Args)]
pub struct PluginCommand {}
/// x
pub fn run(_c: PluginCommand) -> anyhow::Result<()> { Ok(()) }
