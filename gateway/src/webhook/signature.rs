//! The proof that a campus's sender wrote a body: lowercase hex HMAC-SHA256 of its raw bytes.

use campus::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::webhook::refusal::Refusal;

const TAG_BYTES: usize = 32;

/// The value of `X-Webhook-Signature`.
///
/// One that cannot be right is remembered as such rather than refused at once: it is answered
/// only after the campus was looked up, like any other wrong signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(Form);

type Tag = [u8; TAG_BYTES];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// 64 lowercase hex digits: the only form that can be right.
    Plain(Tag),
    /// Anything else, with the digits that it seems to stand for.
    Odd(Oddity, Option<Tag>),
}

/// How a value differs from 64 lowercase hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// It begins with `sha256=`.
    Prefixed,
    /// Some of its digits are upper case.
    Uppercase,
    /// It is something else.
    Other,
}

/// Bytes that were signed with a campus's secret. Only [`Signature::verify`] makes one (rule gateway-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'body>(&'body [u8]);

impl Signature {
    /// Reads the header's value: exactly 64 lowercase hex digits can be right, no prefix, no
    /// uppercase. Errs where it is absent or empty.
    pub fn from_header(value: Option<&[u8]>) -> Result<Self, Refusal> {
        match value {
            None | Some([]) => Err(Refusal::MissingSignature),
            Some(text) => Ok(Self(Form::of(text))),
        }
    }

    /// Why it cannot be right under any secret.
    pub(crate) fn oddity(&self) -> Option<Oddity> {
        match self.0 {
            Form::Plain(_) => None,
            Form::Odd(oddity, _) => Some(oddity),
        }
    }

    /// Proves that one of `secrets` signed `body`.
    pub fn verify<'body, 'secret>(
        &self,
        body: &'body [u8],
        secrets: impl IntoIterator<Item = &'secret Secret>,
    ) -> Result<Verified<'body>, Refusal> {
        let Form::Plain(tag) = self.0 else { return Err(Refusal::InvalidSignature) };
        secrets
            .into_iter()
            .any(|secret| signed(secret, body, &tag))
            .then_some(Verified(body))
            .ok_or(Refusal::InvalidSignature)
    }

    /// Whether its digits, in whatever form, are those of `body`: it tells why a signature is wrong,
    /// and proves nothing.
    pub(crate) fn resembles<'secret>(
        &self,
        body: &[u8],
        secrets: impl IntoIterator<Item = &'secret Secret>,
    ) -> bool {
        let (Form::Plain(tag) | Form::Odd(_, Some(tag))) = self.0 else { return false };
        secrets.into_iter().any(|secret| signed(secret, body, &tag))
    }
}

impl<'body> Verified<'body> {
    /// What was signed.
    pub fn bytes(self) -> &'body [u8] {
        self.0
    }
}

impl Form {
    fn of(text: &[u8]) -> Self {
        const PREFIX: &[u8] = b"sha256=";
        let (prefix, digits) = text.split_at(PREFIX.len().min(text.len()));
        if prefix.eq_ignore_ascii_case(PREFIX) {
            return Self::Odd(Oddity::Prefixed, decode(digits));
        }
        // `hex` takes uppercase digits too.
        let is_lowercase = !text.iter().any(u8::is_ascii_uppercase);
        match decode(text) {
            Some(tag) if is_lowercase => Self::Plain(tag),
            Some(tag) => Self::Odd(Oddity::Uppercase, Some(tag)),
            None => Self::Odd(Oddity::Other, None),
        }
    }
}

/// 64 hex digits of either case.
fn decode(text: &[u8]) -> Option<Tag> {
    let mut tag = [0; TAG_BYTES];
    hex::decode_to_slice(text, &mut tag).is_ok().then_some(tag)
}

fn signed(secret: &Secret, body: &[u8], tag: &[u8]) -> bool {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return false;
    };
    mac.update(body);
    // In constant time: how much of a guess is right must not be told by how long we take.
    mac.verify_slice(tag).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{"event_type":"test"}"#;

    fn sign(secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    }

    fn accepts(header: &[u8], secrets: &[&str]) -> bool {
        let secrets: Vec<_> = secrets.iter().copied().map(Secret::new).collect();
        Signature::from_header(Some(header)).unwrap().verify(BODY, &secrets).is_ok()
    }

    #[test]
    fn agrees_with_rfc_4231() {
        // Test case 2: a key shorter than a block.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        let signature = Signature::from_header(Some(expected.as_bytes())).unwrap();
        assert_eq!(signature.verify(body, &[Secret::new("Jefe")]).unwrap().bytes(), body);
    }

    #[test]
    fn any_good_secret_will_do() {
        let header = sign("old", BODY);
        assert!(accepts(header.as_bytes(), &["old"]));
        assert!(accepts(header.as_bytes(), &["new", "old"]));
        assert!(!accepts(header.as_bytes(), &["new"]));
        assert!(!accepts(header.as_bytes(), &[]));
    }

    #[test]
    fn only_the_bare_lowercase_digits_are_right() {
        let good = sign("s", BODY);
        for odd in [
            good.to_uppercase(),
            format!("sha256={good}"),
            format!("{good} "),
            format!("{good}00"),
            good[..62].to_owned(),
            "0".repeat(64),
            "g".repeat(64),
            "é".repeat(32),
        ] {
            assert!(!accepts(odd.as_bytes(), &["s"]), "{odd}");
        }
        assert!(!accepts(b"\xff\xfe", &["s"]));
        assert_eq!(Signature::from_header(None), Err(Refusal::MissingSignature));
        assert_eq!(Signature::from_header(Some(b"")), Err(Refusal::MissingSignature));
    }

    proptest! {
        #[test]
        fn accepted_if_and_only_if_it_is_the_exact_digits(
            secret in ".{0,40}",
            header in prop_oneof![
                proptest::collection::vec(any::<u8>(), 1..80),
                "[0-9a-fA-F]{64}".prop_map(String::into_bytes),
            ],
            change in proptest::option::of((0..64_usize, any::<u8>())),
        ) {
            let right = sign(&secret, BODY).into_bytes();
            let mut near = right.clone();
            if let Some((at, byte)) = change {
                near[at] = byte;
            }
            for header in [near, header] {
                prop_assert_eq!(accepts(&header, &[&secret]), header == right);
            }
        }
    }
}
