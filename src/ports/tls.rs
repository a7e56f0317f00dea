//! Servers that speak TLS: their certificates. It knows no protocol above it.

use crate::ids::Period;
use futures::future::{BoxFuture, FutureExt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A handshake.
#[derive(Debug, Clone)]
pub struct TlsQuestion {
    /// Whom to ask, as `host:port`.
    pub address: String,
    /// Whom the certificate must be for.
    pub server_name: String,
    /// This machine must trust the certificate.
    pub trusted: bool,
    /// Time for all of it.
    pub limit: Duration,
}

/// What a server's own certificate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// When it expires, in seconds since 1970.
    pub good_until: i64,
}

/// Why there was no handshake.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {what}")]
pub struct TlsError {
    /// Who was asked.
    pub address: String,
    /// `connection refused`, `invalid peer certificate: Expired`.
    pub what: String,
}

/// Shakes hands with servers.
pub trait Tls: Send + Sync {
    /// Connects, shakes hands, and closes the connection.
    fn look(&self, question: TlsQuestion) -> BoxFuture<'static, Result<Certificate, TlsError>>;
}

/// The network, with the certificates that this machine trusts.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetworkTls;

impl Tls for NetworkTls {
    fn look(&self, question: TlsQuestion) -> BoxFuture<'static, Result<Certificate, TlsError>> {
        async move {
            let answer = timeout(question.limit, look(&question)).await;
            answer
                .unwrap_or_else(|_| Err(format!("no handshake within {}", Period(question.limit))))
                .map_err(|what| TlsError { address: question.address, what })
        }
        .boxed()
    }
}

/// A client's configuration with this machine's trust.
///
/// # Errors
/// When this machine's certificates cannot be read.
pub(super) fn trusting() -> Result<ClientConfig, String> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let building = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(|error| root(&error))?;
    Ok(building.with_platform_verifier().map_err(|error| root(&error))?.with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

async fn look(question: &TlsQuestion) -> Result<Certificate, String> {
    let config = if question.trusted { trusting()? } else { blind()? };
    let name = ServerName::try_from(question.server_name.clone())
        .map_err(|_| format!("`{}` is no name that a certificate can be for", question.server_name))?;
    let stream = TcpStream::connect(&question.address).await.map_err(|error| root(&error))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| root(&error))?;
    let (_, session) = stream.get_ref();
    let first = session.peer_certificates().and_then(<[_]>::first).ok_or("the server showed no certificate")?;
    let (_, certificate) = X509Certificate::from_der(first).map_err(|_| "its certificate cannot be read")?;
    Ok(Certificate { good_until: certificate.validity().not_after.timestamp() })
}

/// A handshake with anybody, to read what is shown: nothing is sent over it.
fn blind() -> Result<ClientConfig, String> {
    let provider = provider();
    let building =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(|error| root(&error))?;
    Ok(building.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth())
}

/// Takes any certificate; the handshake's signatures are still checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The innermost cause, which says what really happened.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests;
