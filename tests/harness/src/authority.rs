//! A certificate authority of one's own, and servers' certificates under it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use support::servers::{DataFolder, Identity, PrivateServers, write_private};

/// Signs certificates that nobody trusts but those who are given [`Authority::file`].
pub struct Authority {
    file: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority, its certificate the file `name.pem` in `folder`.
    pub fn new(folder: &DataFolder, name: &str) -> anyhow::Result<Self> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().context("cannot make the authority's key")?;
        let certificate =
            parameters.self_signed(&key).context("cannot sign the authority's certificate")?;
        let file = folder.join(&format!("{name}.pem"));
        write_private(&file, &certificate.pem())?;
        Ok(Self { file, issuer: Issuer::new(parameters, key) })
    }

    /// What clients are told to trust.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A server's certificate for `hosts`, in files of `folder` whose names begin with `name`.
    pub fn issue(
        &self,
        folder: &DataFolder,
        name: &str,
        hosts: &[&str],
    ) -> anyhow::Result<Identity> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut parameters =
            CertificateParams::new(hosts).context("cannot name hosts in a certificate")?;
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().context("cannot make a server's key")?;
        let certificate =
            parameters.signed_by(&key, &self.issuer).context("cannot sign a certificate")?;
        let identity = Identity {
            certificate: folder.join(&format!("{name}.certificate.pem")),
            key: folder.join(&format!("{name}.key.pem")),
            authority: self.file.clone(),
        };
        write_private(&identity.certificate, &certificate.pem())?;
        write_private(&identity.key, &key.serialize_pem())?;
        Ok(identity)
    }
}

/// Starts servers that speak TLS beside plain text, with certificates for the name `localhost` and
/// no other.
pub(super) async fn encrypted_servers() -> anyhow::Result<PrivateServers> {
    let folder = DataFolder::temporary()?;
    let authority = Authority::new(&folder, "authority")?;
    let identity = |name| authority.issue(&folder, name, &["localhost"]);
    let (of_postgres, of_rabbitmq) = (identity("postgres")?, identity("rabbitmq")?);
    PrivateServers::start_encrypted(folder, of_postgres, of_rabbitmq).await
}
