//! Who may do what: scopes and callers. Decides, and never does I/O.

use std::fmt;

/// One permission, by Tiled's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Scope {
    /// See what there is.
    ReadMetadata = 1,
    /// Read values.
    ReadData = 1 << 1,
    /// Change metadata.
    WriteMetadata = 1 << 2,
    /// Write values.
    WriteData = 1 << 3,
    /// Forget old metadata.
    DeleteRevision = 1 << 4,
    /// Remove nodes.
    DeleteNode = 1 << 5,
    /// Make nodes.
    CreateNode = 1 << 6,
    /// Make nodes of files that are there already.
    Register = 1 << 7,
    /// Read the server's figures.
    Metrics = 1 << 8,
}

impl Scope {
    const ALL: [(Scope, &str); 9] = [
        (Scope::CreateNode, "create:node"),
        (Scope::DeleteNode, "delete:node"),
        (Scope::DeleteRevision, "delete:revision"),
        (Scope::Metrics, "metrics"),
        (Scope::ReadData, "read:data"),
        (Scope::ReadMetadata, "read:metadata"),
        (Scope::Register, "register"),
        (Scope::WriteData, "write:data"),
        (Scope::WriteMetadata, "write:metadata"),
    ];
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Scope::ALL.iter().find(|(scope, _)| scope == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u32);

impl Scopes {
    /// What anyone may do on a public server.
    pub const ANONYMOUS: Scopes = Scopes(Scope::ReadMetadata as u32 | Scope::ReadData as u32);

    /// What the single user's key allows: everything there is.
    pub fn all() -> Self {
        Scopes(Scope::ALL.iter().fold(0, |set, (scope, _)| set | *scope as u32))
    }

    /// Whether the scope is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope as u32 != 0
    }

    /// Their names, sorted.
    pub fn names(self) -> Vec<&'static str> {
        Scope::ALL.iter().filter(|(scope, _)| self.contains(*scope)).map(|(_, name)| *name).collect()
    }
}

/// Whoever sends a request, and what that one may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The permissions.
    pub scopes: Scopes,
}

/// The caller lacks a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingScope {
    /// What the route asks for.
    pub required: Vec<Scope>,
    /// What the caller has.
    pub had: Scopes,
}

impl Caller {
    /// Whether this caller may.
    ///
    /// # Errors
    /// What is missing.
    pub fn require(self, scope: Scope) -> Result<(), MissingScope> {
        if self.scopes.contains(scope) {
            Ok(())
        } else {
            Err(MissingScope { required: vec![scope], had: self.scopes })
        }
    }

    /// Whether this caller may do all of these.
    ///
    /// # Errors
    /// All that are asked for, when one is missing.
    pub fn require_all(self, scopes: &[Scope]) -> Result<(), MissingScope> {
        if scopes.iter().all(|scope| self.scopes.contains(*scope)) {
            Ok(())
        } else {
            Err(MissingScope { required: scopes.to_vec(), had: self.scopes })
        }
    }
}

impl std::error::Error for MissingScope {}

impl fmt::Display for MissingScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let had: Vec<String> = self.had.names().iter().map(|name| format!("'{name}'")).collect();
        let required: Vec<String> = self.required.iter().map(|scope| format!("'{scope}'")).collect();
        write!(
            f,
            "Not enough permissions. Requires scopes [{}]. Request had scopes [{}]",
            required.join(", "),
            had.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_scope_is_named_with_what_was_there() {
        let anonymous = Caller { scopes: Scopes::ANONYMOUS };
        assert!(anonymous.require(Scope::ReadData).is_ok());
        assert_eq!(
            anonymous.require(Scope::WriteData).unwrap_err().to_string(),
            "Not enough permissions. Requires scopes ['write:data']. Request had scopes ['read:data', 'read:metadata']"
        );
    }
}
