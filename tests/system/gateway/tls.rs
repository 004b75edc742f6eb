//! TLS on the public port, and certificates renewed under way.

use std::{fs, time::Duration};

use core_sim::sign;
use harness::{SIGNATURE_HEADER, SystemBuilder, TestSystem, WEBHOOK_PATH, eventually};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Certificate;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;
use support::servers::DataFolder;

use super::{gateway_alone, metric};

/// The gateway looks at the files every few seconds.
const RENEWED_WITHIN: Duration = Duration::from_secs(20);
const FAILING: &str = "gateway_certificate_renewal_failing";

/// A certificate and its key, in PEM.
pub(super) struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    pub(super) fn new() -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        Self { certificate: cert.pem(), key: signing_key.serialize_pem() }
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

/// A pair in files of its own.
pub(super) struct Certified {
    folder: DataFolder,
    pair: Pair,
}

impl Certified {
    pub(super) fn new() -> Self {
        let this = Self { folder: DataFolder::temporary().unwrap(), pair: Pair::new() };
        this.write(Some(&this.pair.certificate), Some(&this.pair.key));
        this
    }

    pub(super) fn pair(&self) -> &Pair {
        &self.pair
    }

    /// Lets the gateway speak TLS with it.
    pub(super) fn set(&self, builder: SystemBuilder) -> SystemBuilder {
        builder
            .variable("TLS_CERT_FILE", self.folder.join("certificate.pem").to_str().unwrap())
            .variable("TLS_KEY_FILE", self.folder.join("key.pem").to_str().unwrap())
    }

    fn write(&self, certificate: Option<&str>, key: Option<&str>) {
        for (name, text) in [("certificate.pem", certificate), ("key.pem", key)] {
            if let Some(text) = text {
                fs::write(self.folder.join(name), text).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_half_written_one_is_not() {
    let certified = Certified::new();
    let (first, second) = (certified.pair(), Pair::new());
    let system = certified.set(gateway_alone()).spawn().await;
    assert_eq!(status(&system, first).await, Some(200));
    assert_eq!(status(&system, &second).await, None, "another certificate is not the gateway's");
    // Whoever speaks plain HTTP gets nowhere, and harms nobody.
    let plain = reqwest::get(format!("{}{WEBHOOK_PATH}", system.gateway_url())).await;
    assert!(plain.is_err());
    assert_eq!(metric(&system, FAILING).await, Some(0.0));
    // The certificates of these tests are good for two thousand years.
    let expires = metric(&system, "gateway_certificate_expiry_timestamp_seconds").await;
    assert!(expires > Some(4e9), "{expires:?}");

    certified.write(Some(&second.certificate), None);
    eventually("the half-written renewal is seen", RENEWED_WITHIN, async || {
        metric(&system, FAILING).await == Some(1.0)
    })
    .await;
    assert!(fs::read_to_string(system.gateway(0).log()).unwrap().contains("certificate is kept"));
    assert_eq!(status(&system, first).await, Some(200));

    certified.write(None, Some(&second.key));
    eventually("the renewed certificate is shown", RENEWED_WITHIN, async || {
        status(&system, &second).await == Some(200)
    })
    .await;
    assert_eq!(status(&system, first).await, None);
    assert_eq!(metric(&system, FAILING).await, Some(0.0));
}

#[tokio::test]
async fn a_certificate_renewed_during_the_start_is_not_missed() {
    let certified = Certified::new();
    let second = Pair::new();
    // The start waits for nobody, but its first look at the files is over once it listens; the
    // files change in the same moment.
    let system = certified.set(gateway_alone()).without_waiting().spawn().await;
    certified.write(Some(&second.certificate), Some(&second.key));
    eventually("the renewed certificate is shown", RENEWED_WITHIN, async || {
        status(&system, &second).await == Some(200)
    })
    .await;
}

/// Posts a test webhook over TLS, trusting one certificate alone; none where that is not shown.
async fn status(system: &TestSystem, trusted: &Pair) -> Option<u16> {
    let trusted = Certificate::from_pem(trusted.certificate.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
    let church = &system.campus.core_church_id;
    let body = json!({"event_type": "test", "church_id": church}).to_string();
    let url = format!("{}{WEBHOOK_PATH}", system.gateway_url().replace("http://", "https://"));
    let signature = sign(&system.campus.secret, body.as_bytes());
    let answer = client.post(url).header(SIGNATURE_HEADER, signature).body(body).send().await;
    answer.ok().map(|answer| answer.status().as_u16())
}
