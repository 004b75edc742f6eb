//! Passwords, hashed with argon2id (19 MiB, 2 rounds, one lane: <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking};
use zeroize::Zeroizing;

const MEMORY_KIB: u32 = 19 * 1024;
const ROUNDS: u32 = 2;
const LANES: u32 = 1;

/// Each takes 19 MiB and a core: a flood of logins must take neither.
const AT_ONCE: usize = 2;

/// Hashes and compares passwords, at most two at once.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// What is compared where there is no such operator: it takes as long.
    nobody: Arc<str>,
}

/// argon2 did not do it.
#[derive(Debug, thiserror::Error)]
#[error("a password cannot be hashed: {0}")]
pub(crate) struct PasswordError(String);

impl Passwords {
    pub(crate) fn new() -> Result<Self, PasswordError> {
        let nobody = hash_now("nobody's password")?;
        Ok(Self { turns: Arc::new(Semaphore::new(AT_ONCE)), nobody: nobody.into() })
    }

    /// Whether the password is the one of the hash. Without a hash it is not, after as long a time.
    pub(crate) async fn is_right(
        &self,
        password: Zeroizing<String>,
        hash: Option<&str>,
    ) -> Result<bool, PasswordError> {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let is_right = self
            .in_turn(move || {
                let hash =
                    PasswordHash::new(&hash).map_err(|error| PasswordError(error.to_string()))?;
                Ok(argon2()?.verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(is_right && is_somebody)
    }

    /// The hash to keep.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<String, PasswordError> {
        self.in_turn(move || hash_now(&password)).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let failed = |error: &dyn std::fmt::Display| PasswordError(error.to_string());
        // The permit goes with the work: it goes on when nobody waits for it any more.
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| failed(&error))?;
        spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        })
        .await
        .map_err(|error| failed(&error))?
    }
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, ROUNDS, LANES, None)
        .map_err(|error| PasswordError(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    let hash = argon2()?
        .hash_password(password.as_bytes())
        .map_err(|error| PasswordError(error.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_for_its_own_hash_alone() {
        let passwords = Passwords::new().unwrap();
        let password = || Zeroizing::new("kuda laut ungu".to_owned());
        let hash = passwords.hash(password()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.is_right(password(), Some(&hash)).await.unwrap());
        let other = Zeroizing::new("kuda laut biru".to_owned());
        assert!(!passwords.is_right(other, Some(&hash)).await.unwrap());
        let nobodys = Zeroizing::new("nobody's password".to_owned());
        assert!(!passwords.is_right(nobodys, None).await.unwrap());
    }
}
