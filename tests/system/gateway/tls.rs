//! TLS on the public port, and certificates renewed under way.

use std::{fs, time::Duration};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Certificate;
use serde_json::json;
use tests::{
    core_sim::sign,
    harness::{SIGNATURE_HEADER, TestSystem, WEBHOOK_PATH, eventually},
    servers::DataFolder,
};

use super::gateway_alone;

/// The gateway looks at the files every few seconds.
const RENEWED_WITHIN: Duration = Duration::from_secs(20);

/// A certificate and its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        Self { certificate: cert.pem(), key: signing_key.serialize_pem() }
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_half_written_one_is_not() {
    let folder = DataFolder::temporary().unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let (first, second) = (Pair::new(), Pair::new());
    fs::write(&certificate, &first.certificate).unwrap();
    fs::write(&key, &first.key).unwrap();
    let system = gateway_alone()
        .variable("TLS_CERT_FILE", certificate.to_str().unwrap())
        .variable("TLS_KEY_FILE", key.to_str().unwrap())
        .spawn()
        .await;
    assert_eq!(status(&system, &first).await, Some(200));
    assert_eq!(status(&system, &second).await, None, "another certificate is not the gateway's");
    // Whoever speaks plain HTTP gets nowhere, and harms nobody.
    let plain = reqwest::get(format!("{}{WEBHOOK_PATH}", system.gateway_url())).await;
    assert!(plain.is_err());

    fs::write(&certificate, &second.certificate).unwrap();
    eventually("the half-written renewal is seen", RENEWED_WITHIN, async || {
        fs::read_to_string(system.gateway(0).log()).unwrap().contains("certificate is kept")
    })
    .await;
    assert_eq!(status(&system, &first).await, Some(200));

    fs::write(&key, &second.key).unwrap();
    eventually("the renewed certificate is shown", RENEWED_WITHIN, async || {
        status(&system, &second).await == Some(200)
    })
    .await;
    assert_eq!(status(&system, &first).await, None);
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
