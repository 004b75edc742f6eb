//! TLS on the public port, with a certificate that may be renewed while the gateway runs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use runtime::{SettingError, Settings, variables};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at. Looking at their bytes, not their dates: renewals by
/// symbolic link or with a preserved date are seen too.
const POLL: Duration = Duration::from_secs(5);

/// A certificate that cannot be served.
#[derive(Debug, thiserror::Error)]
enum TlsError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the certificates are not PEM: {0}")]
    Certificates(rustls::pki_types::pem::Error),
    #[error("there is no certificate")]
    NoCertificate,
    #[error("the key is no PEM private key: {0}")]
    Key(rustls::pki_types::pem::Error),
    #[error("certificate and key cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The bytes of both files, as last looked at.
#[derive(PartialEq, Eq)]
struct Files {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

/// What the public port shows to those who connect.
pub(crate) struct Tls {
    certificate_path: PathBuf,
    key_path: PathBuf,
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads `TLS_CERT_FILE` and `TLS_KEY_FILE`; none where neither is set.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Option<Self>, SettingError> {
        let certificate = settings.optional(variables::TLS_CERT_FILE);
        let key = settings.optional(variables::TLS_KEY_FILE);
        let (certificate, key) = match (certificate, key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (PathBuf::from(certificate), PathBuf::from(key)),
            (Some(_), None) => return Err(alone(variables::TLS_KEY_FILE)),
            (None, Some(_)) => return Err(alone(variables::TLS_CERT_FILE)),
        };
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|source| TlsError::Read { path: path.clone(), source })
        };
        let config = read(&certificate)
            .and_then(|certificates| Ok(Files { certificates, key: read(&key)? }))
            .and_then(|files| files.server_config())
            .map_err(|error| {
                SettingError::new(
                    variables::TLS_CERT_FILE,
                    format!("cannot be used ({error})"),
                    "a PEM certificate chain whose key is in TLS_KEY_FILE",
                )
            })?;
        let current = ArcSwap::from_pointee(config);
        Ok(Some(Self { certificate_path: certificate, key_path: key, current }))
    }

    /// What to greet the next connection with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Takes up renewed certificates until `stop`. What cannot be used, a renewal that is half
    /// written for one, leaves the current certificate in place.
    pub(crate) async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = self.read().await.ok();
        let mut ticks = tokio::time::interval(POLL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            match self.read().await {
                Ok(files) if seen.as_ref() != Some(&files) => {
                    self.renew(&files);
                    seen = Some(files);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the current certificate is kept"),
            }
        }
    }

    fn renew(&self, files: &Files) {
        match files.server_config() {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!("the certificate was renewed");
            }
            Err(error) => tracing::warn!(%error, "the current certificate is kept"),
        }
    }

    async fn read(&self) -> Result<Files, TlsError> {
        let read = async |path: &PathBuf| {
            tokio::fs::read(path)
                .await
                .map_err(|source| TlsError::Read { path: path.clone(), source })
        };
        Ok(Files {
            certificates: read(&self.certificate_path).await?,
            key: read(&self.key_path).await?,
        })
    }
}

impl Files {
    fn server_config(&self) -> Result<ServerConfig, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(&self.certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Certificates)?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(TlsError::Key)?;
        // Settings are read before the process has its provider.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn alone(missing: runtime::Variable) -> SettingError {
    SettingError::new(missing, "is not set", "both TLS_CERT_FILE and TLS_KEY_FILE, or neither")
}
