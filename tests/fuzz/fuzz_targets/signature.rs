//! A header is right if and only if it is the exact lowercase hex of the body's HMAC.

#![no_main]

use campus::Secret;
use gateway::{Refusal, Signature};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &[u8], bool)| {
    let (header, body, near) = input;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"secret").expect("any key will do");
    mac.update(body);
    let right = hex::encode(mac.finalize().into_bytes()).into_bytes();
    // A header at random is never right: try those that nearly are, too.
    let header = if near { mixed(&right, header) } else { header.to_vec() };
    match Signature::from_header(Some(&header)) {
        Err(refusal) => assert!(header.is_empty() && refusal == Refusal::MissingSignature),
        Ok(signature) => {
            let secrets = [Secret::new("secret")];
            assert_eq!(signature.verify(body, &secrets).is_ok(), header == right);
        }
    }
});

/// `right` with its first byte replaced by the first of `change`, and so on.
fn mixed(right: &[u8], change: &[u8]) -> Vec<u8> {
    let kept = right.get(change.len()..).unwrap_or_default();
    [change, kept].concat()
}
