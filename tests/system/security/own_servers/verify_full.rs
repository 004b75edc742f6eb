//! `sslmode=verify-full` with a certificate authority of one's own.

use harness::Role;

use super::{doctor, encrypted_system, reasons, stranger};

#[tokio::test]
async fn postgres_certificate_is_checked_for_its_authority_and_its_name() {
    let system = encrypted_system().await;
    let sessions = "SELECT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                    WHERE usename LIKE 'faith%' AND NOT ssl";
    assert_eq!(system.database.rows(sessions, &[]).await.len(), 0, "nobody speaks in the clear");

    let ask = async |url: &str| doctor(&system, "Postgres", "DATABASE_URL", url).await;
    let url = system.variables(Role::Admin)["DATABASE_URL"].clone();
    assert!(ask(&url).await.starts_with("ok "), "{}", ask(&url).await);
    let trusting = system.servers().authority().unwrap().to_str().unwrap();
    let stranger = stranger(&system);
    let stranger = stranger.file().to_str().unwrap();
    let of_stranger = url.replace(trusting, stranger);
    let said = ask(&of_stranger).await;
    assert!(said.contains("certificate") && said.contains("UnknownIssuer"), "{said}");
    let without = url.split("&sslrootcert").next().unwrap();
    let said = ask(without).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
    let other_name = url.replace("@localhost:", "@127.0.0.1:");
    let said = ask(&other_name).await;
    assert!(said.contains("certificate not valid for name"), "{said}");

    // The lesser modes mean what they mean to libpq.
    let verify_ca = other_name.replace("verify-full", "verify-ca");
    assert!(ask(&verify_ca).await.starts_with("ok "), "{}", ask(&verify_ca).await);
    let said = ask(&verify_ca.replace(trusting, stranger)).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
    let require = without.replace("verify-full", "require");
    assert!(ask(&require).await.starts_with("ok "), "{}", ask(&require).await);

    let of_gateway = system.variables(Role::Gateway)["DATABASE_URL"].replace(trusting, stranger);
    let said = reasons(&system, "DATABASE_URL", &of_gateway).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
}
