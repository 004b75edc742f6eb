//! Why a signature is wrong, as far as that can be guessed: for who runs the gateway. The sender is
//! told nothing of it, and what is found out here lets nothing in.

mod rewritten;

use std::{
    fmt,
    time::{Duration, Instant},
};

use campus::{RateLimit, Secret};

use crate::webhook::{
    limiter::Limiter,
    refused::clue::rewritten::{Escapes, Spaces, rewritten},
    signature::{Oddity, Signature},
};

/// Bodies looked at a second, of all campuses: each costs several times its refusal.
const EXAMINATIONS: u32 = 10;
const BURST: Duration = Duration::from_secs(1);
/// A larger body is not looked at.
const LARGEST: usize = 64 * 1024;

/// What a wrong signature looks like, in sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clue {
    oddity: Option<Oddity>,
    likeness: Option<Likeness>,
}

/// What its digits are the signature of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// These very bytes.
    Body,
    /// The body, with another end of its last line.
    OtherEnd,
    /// The same JSON, with other spaces and escapes.
    Rewritten,
}

impl Clue {
    /// What the form of a wrong signature tells, at no cost.
    pub(crate) fn of_form(signature: Signature) -> Option<Self> {
        signature.oddity().map(|oddity| Self { oddity: Some(oddity), likeness: None })
    }
}

impl fmt::Display for Clue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = self.oddity.map(|oddity| match oddity {
            Oddity::Prefixed => "The signature begins with a prefix `sha256=`, which it must not.",
            Oddity::Uppercase => {
                "The signature has upper case digits, where all must be lowercase."
            }
            Oddity::Other => "The signature is not 64 lowercase hex digits.",
        });
        let body = self.likeness.map(|likeness| match likeness {
            Likeness::Body => "Otherwise it is right.",
            Likeness::OtherEnd => {
                "It is that of the body with another end of line at its end: the body was changed \
                 on the way, or signed in another form than it was sent."
            }
            Likeness::Rewritten => {
                "It is that of the same JSON with other spaces or escapes: the body was changed on \
                 the way, or signed in another form than it was sent."
            }
        });
        let sentences: Vec<&str> = form.into_iter().chain(body).collect();
        formatter.write_str(&sentences.join(" "))
    }
}

/// Looks for clues in bodies, in bounds that no flood exceeds.
pub(crate) struct Examiner {
    limiter: Limiter<()>,
    rate: Option<RateLimit>,
}

impl Examiner {
    pub(crate) fn new() -> Self {
        Self { limiter: Limiter::new(BURST), rate: RateLimit::new(EXAMINATIONS) }
    }

    /// What `signature`, which is wrong for `body`, tells beside its form.
    pub(crate) fn examine(
        &self,
        signature: Signature,
        body: &[u8],
        secrets: &[&Secret],
    ) -> Option<Clue> {
        let oddity = signature.oddity();
        let is_taken = body.len() <= LARGEST
            && self.rate.is_some_and(|rate| self.limiter.take((), rate, Instant::now()).is_ok());
        let likeness = if is_taken { Likeness::find(signature, body, secrets) } else { None };
        (oddity.is_some() || likeness.is_some()).then_some(Clue { oddity, likeness })
    }
}

impl Likeness {
    fn find(signature: Signature, body: &[u8], secrets: &[&Secret]) -> Option<Self> {
        let is_of = |bytes: &[u8]| signature.resembles(bytes, secrets.iter().copied());
        if is_of(body) {
            return Some(Self::Body);
        }
        let line = body.trim_ascii_end();
        if is_of(line) || [&b"\n"[..], b"\r\n"].iter().any(|end| is_of(&[line, end].concat())) {
            return Some(Self::OtherEnd);
        }
        let text = std::str::from_utf8(body).ok()?;
        [Spaces::None, Spaces::AfterPunctuation]
            .into_iter()
            .flat_map(|spaces| [(spaces, Escapes::Few), (spaces, Escapes::Ascii)])
            .filter_map(|(spaces, escapes)| rewritten(text, spaces, escapes))
            .any(|text| is_of(text.as_bytes()))
            .then_some(Self::Rewritten)
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};

    use super::*;

    const BODY: &str = r#"{"church_id":"c","data":{"full_name":"Zoë"}}"#;

    fn sign(secret: &str, body: &str) -> String {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    fn examine(header: &str, body: &str) -> Option<String> {
        let signature = Signature::from_header(Some(header.as_bytes())).unwrap();
        let secrets = [Secret::new("new"), Secret::new("old")];
        assert!(signature.verify(body.as_bytes(), &secrets).is_err());
        let clue = Examiner::new().examine(signature, body.as_bytes(), &secrets.each_ref());
        clue.map(|clue| clue.to_string())
    }

    #[track_caller]
    fn assert_tells(header: &str, body: &str, said: &str) {
        let clue = examine(header, body).unwrap_or_default();
        assert!(clue.contains(said), "{clue:?}");
    }

    #[test]
    fn an_odd_form_is_told_with_what_it_would_be_otherwise() {
        let right = sign("old", BODY);
        let prefixed = format!("sha256={right}");
        assert_tells(
            &prefixed,
            BODY,
            "prefix `sha256=`, which it must not. Otherwise it is right.",
        );
        let other = format!("SHA256={}", sign("another", BODY));
        assert_eq!(
            examine(&other, BODY).unwrap(),
            "The signature begins with a prefix `sha256=`, which it must not."
        );
        assert_tells(&right.to_uppercase(), BODY, "upper case digits, where all must be");
        assert_tells(&right.to_uppercase(), BODY, "Otherwise it is right.");
        assert_tells(&right[..63], BODY, "is not 64 lowercase hex digits.");
    }

    #[test]
    fn a_body_that_was_changed_on_the_way_is_told() {
        let line = format!("{BODY}\n");
        assert_tells(&sign("new", BODY), &line, "another end of line");
        assert_tells(&sign("new", &line), BODY, "another end of line");
        assert_tells(&sign("new", &format!("{BODY}\r\n")), &line, "another end of line");
        let python = r#"{"church_id": "c", "data": {"full_name": "Zo\u00eb"}}"#;
        assert_tells(&sign("new", python), BODY, "other spaces or escapes");
        assert_tells(&sign("new", BODY), python, "other spaces or escapes");
        assert_tells(&format!("sha256={}", sign("new", BODY)), python, "other spaces or escapes");
    }

    #[test]
    fn another_secret_or_another_body_tells_nothing() {
        assert_eq!(examine(&sign("another", BODY), BODY), None);
        assert_eq!(examine(&sign("new", &BODY.replace("Zoë", "Zoe")), BODY), None);
    }

    #[test]
    fn what_costs_much_is_bounded() {
        let secrets = [Secret::new("s")];
        let examiner = Examiner::new();
        let line = format!("{BODY}\n");
        let header = sign("s", BODY);
        let signature = Signature::from_header(Some(header.as_bytes())).unwrap();
        let examine =
            |body: &str| examiner.examine(signature, body.as_bytes(), &secrets.each_ref());
        assert_eq!(examine(&format!("{BODY}{}", " ".repeat(LARGEST))), None);
        let told = (0..1000).filter(|_| examine(&line).is_some()).count();
        assert!((10..100).contains(&told), "{told}");
    }
}
