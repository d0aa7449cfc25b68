//! Codes that people copy by hand: invitations and recovery codes. 80 random bits in four groups of four, in letters and
//! digits that can't be mistaken for one another. Only the SHA-256 is stored: a code has too much entropy to be guessed.

use rand::RngExt;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// Crockford's base 32: no I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUPS: usize = 4;
const GROUP_CHARS: usize = 4;

/// A fresh code such as `7Q2K-M4XD-0RTB-9WHC`.
pub fn generate() -> SecretString {
    let mut rng = rand::rng();
    let mut group = || {
        (0..GROUP_CHARS)
            .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
            .collect::<String>()
    };
    SecretString::from((0..GROUPS).map(|_| group()).collect::<Vec<_>>().join("-"))
}

/// What is stored of a code. However it was typed: in lower case, without dashes, with an O for a zero.
pub fn hash(code: &str) -> Vec<u8> {
    Sha256::digest(normalized(code).as_bytes()).to_vec()
}

fn normalized(code: &str) -> String {
    let read = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    code.chars().filter(|c| !c.is_whitespace() && *c != '-').map(read).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        assert_eq!(normalized(" 7q2k-m4xd orib-9whc\n"), "7Q2KM4XD0R1B9WHC");
        assert_eq!(hash("7Q2K-M4XD-0R1B-9WHC"), hash("7q2km4xdoRlb9whc"));
        assert_ne!(hash("7Q2K-M4XD-0R1B-9WHC"), hash("7Q2K-M4XD-0R1B-9WHD"));
    }

    #[test]
    fn a_fresh_code_has_four_groups_of_plain_characters() {
        let code = generate();
        let groups: Vec<&str> = code.expose_secret().split('-').collect();
        assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 4), "{groups:?}");
        assert_eq!(normalized(code.expose_secret()), groups.concat());
        assert_ne!(generate().expose_secret(), code.expose_secret());
    }
}
