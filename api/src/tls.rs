//! TLS for those who do not put a proxy in front: one certificate chain and its key, from PEM files.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// What a listener needs to speak TLS 1.2 and 1.3. Cheap to clone.
#[derive(Clone)]
pub struct Tls(pub(crate) TlsAcceptor);

/// Why PEM texts make no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate file is not PEM, or has no certificate.
    #[error("no certificate chain: {0}")]
    Certificate(String),
    /// The key file is not PEM, or has no private key.
    #[error("no private key: {0}")]
    Key(String),
    /// The key is not that of the certificate, or of a kind that is not known.
    #[error("certificate and key: {0}")]
    Pair(#[from] rustls::Error),
}

impl Tls {
    /// Makes TLS of a certificate chain, the node's own certificate first, and its private key.
    ///
    /// # Errors
    /// When one of the texts is not what it should be, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| TlsError::Certificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(TlsError::Certificate("there is none in the file".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// That a connection came over TLS: links then begin with https.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverTls;
