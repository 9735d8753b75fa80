//! Who the caller is: from credentials to a [`Caller`]. Knows keys, and nothing of HTTP.

use sha2::{Digest, Sha256};

use crate::access::{Caller, Scopes};

/// What came with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// An API key, from the header, the query or the cookie.
    ApiKey(String),
    /// A bearer token.
    Bearer(String),
    /// An `Authorization` header of no known form.
    Malformed,
}

/// Why the caller was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not the key.
    #[error("Invalid API key")]
    InvalidApiKey,
    /// This server gives out no tokens.
    #[error("Could not validate credentials")]
    InvalidToken,
    /// The header cannot be read.
    #[error(
        "Authorization header must include the authorization type followed by a space and then the secret, as in \
         'Bearer SECRET' or 'Apikey SECRET'. "
    )]
    Malformed,
}

/// The single user's key, and whether strangers may read.
pub struct Authenticator {
    key_digest: [u8; 32],
    public: bool,
}

impl Authenticator {
    /// An authenticator for this key; only its digest is kept.
    pub fn new(api_key: &str, public: bool) -> Self {
        Authenticator { key_digest: Sha256::digest(api_key.as_bytes()).into(), public }
    }

    /// Whether anyone may read without a key.
    pub fn is_public(&self) -> bool {
        self.public
    }

    /// The caller behind these credentials; without any, one who may read what is public.
    ///
    /// # Errors
    /// Wrong credentials are refused, also where none would have done.
    pub fn caller(&self, credentials: &Credentials) -> Result<Caller, AuthError> {
        match credentials {
            Credentials::None if self.public => Ok(Caller { scopes: Scopes::ANONYMOUS }),
            Credentials::None => Ok(Caller { scopes: Scopes::default() }),
            Credentials::ApiKey(key) if self.is_key(key) => Ok(Caller { scopes: Scopes::all() }),
            Credentials::ApiKey(_) => Err(AuthError::InvalidApiKey),
            Credentials::Bearer(_) => Err(AuthError::InvalidToken),
            Credentials::Malformed => Err(AuthError::Malformed),
        }
    }

    /// Compares digests, all bytes of them: the time taken tells nothing of the key.
    fn is_key(&self, key: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        digest.iter().zip(&self.key_digest).fold(0, |different, (a, b)| different | (a ^ b)) == 0
    }
}

/// A key that nobody knows: 32 random bytes in hex.
pub fn random_key() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_opens_a_private_server() {
        let auth = Authenticator::new("secret", false);
        assert_eq!(auth.caller(&Credentials::None).unwrap().scopes, Scopes::default());
        assert_eq!(auth.caller(&Credentials::ApiKey("secret".into())).unwrap().scopes, Scopes::all());
        assert_eq!(auth.caller(&Credentials::ApiKey("secreT".into())), Err(AuthError::InvalidApiKey));
    }

    #[test]
    fn strangers_read_on_a_public_server_but_a_wrong_key_is_refused() {
        let auth = Authenticator::new("secret", true);
        assert_eq!(auth.caller(&Credentials::None).unwrap().scopes, Scopes::ANONYMOUS);
        assert_eq!(auth.caller(&Credentials::ApiKey("wrong".into())), Err(AuthError::InvalidApiKey));
    }
}
