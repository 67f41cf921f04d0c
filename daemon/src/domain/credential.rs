//! The secrets that prove who is calling: their form, and the hash that is all
//! the database keeps of them. Nothing here prints one by accident.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 32 bytes in base62.
const BODY: usize = 43;
/// A CRC32 in base62.
const CHECKSUM: usize = 6;

/// What a secret is for, which its prefix says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// A signed-in client.
    Session,
    /// A long-lived token for scripts.
    ApiToken,
    /// A code to sign up with.
    Invite,
}

impl SecretKind {
    const ALL: [Self; 3] = [Self::Session, Self::ApiToken, Self::Invite];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "kiln_s_",
            Self::ApiToken => "kiln_k_",
            Self::Invite => "kiln_i_",
        }
    }
}

/// A secret that is handed out once: prefix, 43 characters of base62 from 32
/// random bytes, 6 characters of checksum over both. Neither `Debug` nor an
/// error shows it.
#[derive(Clone)]
pub struct Token {
    kind: SecretKind,
    text: SecretString,
}

impl Token {
    /// The token that stands for 32 random bytes.
    #[must_use]
    pub fn from_entropy(kind: SecretKind, entropy: [u8; 32]) -> Self {
        let mut text = String::with_capacity(kind.prefix().len() + BODY + CHECKSUM);
        text.push_str(kind.prefix());
        text.push_str(&base62(entropy));
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self {
            kind,
            text: text.into(),
        }
    }

    /// Reads a token. `None` for whatever is not one, which is decided by form
    /// and checksum alone, without asking a database.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let kind = SecretKind::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))?;
        let rest = &text.as_bytes()[kind.prefix().len()..];
        if rest.len() != BODY + CHECKSUM || !rest.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let (body, given) = text.split_at(text.len() - CHECKSUM);
        (checksum(body) == given).then(|| Self {
            kind,
            text: text.into(),
        })
    }

    /// What it is for.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        self.kind
    }

    /// SHA-256 of the whole text: what the database keeps and is asked for. The
    /// secret has 256 random bits, so a plain hash is enough.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.text.expose_secret().as_bytes()).into()
    }

    /// The secret, to be handed to its owner and to nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?}, …)", self.kind)
    }
}

/// The number that the bytes are, most significant first, always 43 digits.
fn base62(mut bytes: [u8; 32]) -> String {
    let mut digits = [b'0'; BODY];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u16;
        for byte in &mut bytes {
            let value = (remainder << 8) | u16::from(*byte);
            *byte = u8::try_from(value / 62).expect("a remainder below 62 keeps this below 256");
            remainder = value % 62;
        }
        *digit = ALPHABET[usize::from(remainder)];
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_has_the_documented_form() {
        let token = Token::from_entropy(SecretKind::Session, [0xff; 32]);
        assert!(token.expose().starts_with("kiln_s_"));
        assert_eq!(token.expose().len(), 7 + 43 + 6);
        let zero = Token::from_entropy(SecretKind::ApiToken, [0; 32]);
        assert!(
            zero.expose()
                .starts_with(&format!("kiln_k_{}", "0".repeat(43)))
        );
    }

    #[test]
    fn what_is_not_a_token_is_refused_by_form_alone() {
        let good = Token::from_entropy(SecretKind::Session, [7; 32]);
        let good = good.expose();
        for bad in [
            "",
            "kiln_s_",
            "garbage",
            &good[..good.len() - 1],
            &format!("{good}0"),
            &good.replacen("kiln_s_", "kiln_k_", 1),
            &good.replacen("kiln_s_", "kiln_x_", 1),
            &good.to_lowercase(),
            &format!(" {good}"),
            &format!("kiln_s_{}", "é".repeat(24)),
            &format!("kiln_s_{}é", "0".repeat(47)),
        ] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let token = Token::from_entropy(SecretKind::Invite, [9; 32]);
        assert_eq!(format!("{token:?}"), "Token(Invite, …)");
    }

    proptest! {
        #[test]
        fn what_was_made_is_read_back(entropy: [u8; 32], other: [u8; 32]) {
            let token = Token::from_entropy(SecretKind::Session, entropy);
            let read = Token::parse(token.expose()).expect("made here");
            prop_assert_eq!(read.hash(), token.hash());
            prop_assert_eq!(read.kind(), SecretKind::Session);
            let second = Token::from_entropy(SecretKind::Session, other);
            prop_assert_eq!(entropy == other, token.expose() == second.expose());
        }

        #[test]
        fn one_changed_character_is_noticed(entropy: [u8; 32], at in 7usize..56, to in "[0-9A-Za-z]") {
            let token = Token::from_entropy(SecretKind::Session, entropy);
            let mut text = token.expose().to_owned();
            prop_assume!(text[at..=at] != *to);
            text.replace_range(at..=at, &to);
            prop_assert!(Token::parse(&text).is_none());
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            let _ = Token::parse(&format!("kiln_s_{text}"));
            prop_assert!(Token::parse(&text).is_none());
        }
    }
}
