//! A cloud behind TLS with certificates of its own: what `cacert` and `verify` are for. The server is a
//! real one in front of the recorded answers.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::faults::{TOKENS, stacks};
use super::recorded::{Recorded, say, token};
use crate::cloud::{Cloud, CloudError};

/// An authority that nobody knows.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a server shows: a certificate of this authority for these names, and its key.
fn shown(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

/// A cloud at an https:// address; `certificate_for` is what its certificate says.
struct Secured {
    server: Recorded,
    url: String,
    cacert: String,
}

async fn secured(certificate_for: &str) -> Secured {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let own = url.clone();
    let server = Recorded::start(move |asked, before| match asked.line.as_str() {
        TOKENS => token(&own, &format!("t{before}"), 3600),
        _ => say(200, r#"{"stacks":[]}"#),
    })
    .await;
    let authority = authority();
    let acceptor = shown(&authority, certificate_for);
    let plain = server.url.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, plain) = (acceptor.clone(), plain.clone());
            tokio::spawn(async move {
                // Who does not trust the certificate hangs up here.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut plain = TcpStream::connect(plain).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut plain).await;
            });
        }
    });
    let file = server.home.path().join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let cacert = file.display().to_string();
    Secured {
        server,
        url,
        cacert,
    }
}

impl Secured {
    /// Asks with these further keys of the cloud's entry.
    async fn ask(&self, keys: &str) -> Result<(), CloudError> {
        let more = format!(
            "clouds: {{rec: {{auth: {{auth_url: '{}'}}{keys}}}}}",
            self.url
        );
        let cloud = self.server.try_cloud(5.0, &more)?;
        cloud.request(stacks()).await.map(drop)
    }
}

#[tokio::test]
async fn a_cloud_of_a_private_authority_is_trusted_by_its_cacert_alone() {
    let cloud = secured("127.0.0.1").await;
    let trusting = format!(", cacert: '{}'", cloud.cacert);
    cloud.ask(&trusting).await.unwrap();
    assert_eq!(cloud.server.asked().len(), 2);
    let error = cloud.ask("").await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(cloud.server.asked().len(), 2, "no password was sent");
    cloud.ask(", verify: false").await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let cloud = secured("somewhere.example").await;
    let trusting = format!(", cacert: '{}'", cloud.cacert);
    let error = cloud.ask(&trusting).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(cloud.server.asked().is_empty(), "no password was sent");
}

#[tokio::test]
async fn a_cacert_that_is_none_is_named() {
    let cloud = secured("127.0.0.1").await;
    let missing = cloud.ask(", cacert: /nowhere/ca.pem").await.unwrap_err();
    assert!(missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
}
