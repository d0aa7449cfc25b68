//! Password hashes, in the PHC string format.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

/// Memory in KiB, passes and lanes: OWASP's floor for argon2id.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Longer passwords are refused, so that hashing can't be made expensive by its input.
const MAX_BYTES: usize = 1_024;
const MIN_CHARS: usize = 10;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PasswordError {
    #[error("a password has at least {MIN_CHARS} characters")]
    TooShort,
    #[error("a password has at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("the password can't be hashed")]
    Hash,
}

/// Whether a new password is within bounds. What is in it is its owner's business.
pub fn check_password(password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < MIN_CHARS {
        return Err(PasswordError::TooShort);
    }
    if password.len() > MAX_BYTES {
        return Err(PasswordError::TooLong);
    }
    Ok(())
}

/// Hashes a new password with a fresh salt.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    check_password(password)?;
    let hash = hasher()?.hash_password(password.as_bytes()).map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Whether a password is the one that was hashed. A hash that can't be read fits no password.
pub fn verify_password(password: &str, hash: &str) -> bool {
    let (Ok(hasher), Ok(hash)) = (hasher(), PasswordHash::new(hash)) else { return false };
    password.len() <= MAX_BYTES && hasher.verify_password(password.as_bytes(), &hash).is_ok()
}

/// Does the work of [`verify_password`] for nobody: how long a refusal takes must not tell who is registered. Always false.
pub fn verify_nobody(password: &str) -> bool {
    let mut discarded = [0; 32];
    if password.len() <= MAX_BYTES
        && let Ok(hasher) = hasher()
    {
        let _discarded = hasher.hash_password_into(password.as_bytes(), &[0; 16], &mut discarded);
    }
    false
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify_password("correct horse", &hash));
        assert!(!verify_password("correct horsf", &hash));
        assert!(!verify_password("correct horse", "not a hash"));
        assert_ne!(hash, hash_password("correct horse").unwrap());
    }

    #[test]
    fn nobody_has_no_password() {
        assert!(!verify_nobody("correct horse") && !verify_nobody("") && !verify_nobody(&"x".repeat(2_000)));
    }

    #[test]
    fn passwords_have_bounds() {
        assert_eq!(hash_password("short").unwrap_err(), PasswordError::TooShort);
        assert_eq!(hash_password(&"x".repeat(2_000)).unwrap_err(), PasswordError::TooLong);
    }
}
