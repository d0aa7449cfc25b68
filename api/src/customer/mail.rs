//! Letters to people, by SMTP. Never awaited inside a transaction or a request.

use std::net::IpAddr;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("the mail server's URL must be smtp://HOST or smtps://HOST: {0}")]
    Url(String),
    #[error(transparent)]
    Address(#[from] lettre::address::AddressError),
    #[error(transparent)]
    Message(#[from] lettre::error::Error),
    #[error(transparent)]
    Smtp(#[from] lettre::transport::smtp::Error),
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Mailer {
    pub fn new(url: &SecretString, from: &str) -> Result<Self, MailError> {
        let url = with_encryption(url.expose_secret())?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())
            .map_err(|error| MailError::Url(error.to_string()))?;
        Ok(Mailer { transport: transport.timeout(Some(TIMEOUT)).build(), from: from.parse()? })
    }

    /// Sends the link with which somebody chooses a new password.
    pub async fn send_reset(&self, to: &str, link: &SecretString) -> Result<(), MailError> {
        let text = format!(
            "Somebody, probably you, asked for a new password for your Reelmeter account.\n\n\
             Choose it here within an hour; the link works once:\n\n{}\n\n\
             If it was not you, ignore this letter: your password stays as it is.\n",
            link.expose_secret()
        );
        let letter = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.parse()?))
            .subject("Choose a new password")
            .header(ContentType::TEXT_PLAIN)
            .body(text)?;
        self.transport.send(letter).await?;
        Ok(())
    }
}

/// A letter holds a link that opens an account: beyond this machine it travels encrypted or not at all.
fn with_encryption(url: &str) -> Result<Url, MailError> {
    // The error names no part of the URL, which holds a password.
    let mut url = Url::parse(url).map_err(|error| MailError::Url(error.to_string()))?;
    let is_local = match url.host() {
        // In a scheme that is not the web's an IPv4 address is a name like others.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "smtp" && !is_local {
        url.set_query(Some("tls=required"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_this_machine_mail_is_encrypted() {
        for (url, used) in [
            ("smtp://mail.example.com:587", "smtp://mail.example.com:587?tls=required"),
            ("smtp://mail.example.com?tls=opportunistic", "smtp://mail.example.com?tls=required"),
            ("smtps://mail.example.com", "smtps://mail.example.com"),
            ("smtp://127.0.0.1:1025", "smtp://127.0.0.1:1025"),
            ("smtp://[::1]:1025", "smtp://[::1]:1025"),
            ("smtp://localhost:1025", "smtp://localhost:1025"),
        ] {
            assert_eq!(with_encryption(url).unwrap().as_str(), used);
        }
    }

    #[test]
    fn a_mailer_needs_a_server_and_a_sender_and_shows_no_password() {
        let url = |text: &str| SecretString::from(text);
        let mailer = Mailer::new(&url("smtp://me:secret@127.0.0.1:1025"), "Reelmeter <noreply@example.com>");
        assert!(!format!("{:?}", mailer.unwrap()).contains("secret"));
        assert!(Mailer::new(&url("http://mail.example.com"), "a@example.com").is_err());
        assert!(Mailer::new(&url("smtp://127.0.0.1:1025"), "nobody").is_err());
    }
}
