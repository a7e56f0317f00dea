//! A server on this machine with a certificate that nobody trusts.

use super::{NetworkTls, Tls, TlsQuestion};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Its certificate is good until 2030-01-01T00:00:00Z.
const GOOD_UNTIL: i64 = 1_893_456_000;

async fn server() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["api.test".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let _refused = acceptor.accept(stream).await;
        }
    });
    address
}

#[tokio::test]
async fn a_certificate_is_read_and_trusted_only_when_it_is() {
    let address = server().await;
    let question =
        |trusted| TlsQuestion { address: address.clone(), server_name: "api.test".to_owned(), trusted, limit: Duration::from_secs(10) };
    assert_eq!(NetworkTls.look(question(false)).await.unwrap().good_until, GOOD_UNTIL);
    let error = NetworkTls.look(question(true)).await.unwrap_err();
    assert!(error.what.contains("certificate"), "{error}");
}

#[tokio::test]
async fn nobody_shakes_hands_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let question = TlsQuestion { address, server_name: "api.test".to_owned(), trusted: false, limit: Duration::from_secs(10) };
    let error = NetworkTls.look(question).await.unwrap_err();
    assert!(error.what.contains("refused"), "{error}");
}
