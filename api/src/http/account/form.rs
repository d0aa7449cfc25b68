//! A body as people fill it in: what is missing or out of bounds is filed under its field, all of it in one answer.

use secrecy::SecretString;
use validator::ValidateEmail;
use web_session::check_password;

use crate::customer::people::normalized;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::video::request::FieldErrors;

/// Longest password or code that is looked at at all, in bytes: those that are too long are wrong.
const SECRET_MAX_BYTES: usize = 4_096;
const EMAIL_MAX_BYTES: usize = 254;

#[derive(Debug)]
pub struct Form {
    fields: Fields,
    errors: FieldErrors,
}

impl Form {
    pub fn new(fields: Fields) -> Self {
        Form { fields, errors: FieldErrors::default() }
    }

    /// An address to write to. What is read before [`Form::finish`] says that all is well may be nonsense.
    pub fn email(&mut self, name: &str) -> String {
        let email = self.optional_email(name);
        email.unwrap_or_else(|| self.missing(name))
    }

    pub fn optional_email(&mut self, name: &str) -> Option<String> {
        let email = normalized(&self.fields.text(name)?);
        if email.len() > EMAIL_MAX_BYTES || !email.validate_email() {
            self.errors.push(name, "Must be an e-mail address such as me@example.com");
        }
        Some(email)
    }

    /// A password or code that is compared with one of ours.
    pub fn secret(&mut self, name: &str) -> SecretString {
        let secret = self.optional_secret(name);
        secret.unwrap_or_else(|| SecretString::from(self.missing(name)))
    }

    pub fn optional_secret(&mut self, name: &str) -> Option<SecretString> {
        let secret = self.fields.text(name).filter(|text| !text.is_empty())?;
        if secret.len() > SECRET_MAX_BYTES {
            self.errors.push(name, format!("May have {SECRET_MAX_BYTES} bytes"));
        }
        Some(SecretString::from(secret))
    }

    /// A password that somebody chooses.
    pub fn new_password(&mut self, name: &str) -> SecretString {
        let Some(password) = self.fields.text(name) else { return SecretString::from(self.missing(name)) };
        if check_password(&password).is_err() {
            self.errors.push(name, "Must have at least 10 characters and at most 1024 bytes");
        }
        SecretString::from(password)
    }

    /// One line of text.
    pub fn line(&mut self, name: &str, max_chars: usize) -> Option<String> {
        let text = self.fields.text(name)?.trim().to_owned();
        if text.chars().count() > max_chars || text.contains(char::is_control) {
            self.errors.push(name, format!("Must be one line of at most {max_chars} characters"));
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// A text that stands for a value; `expected` says which there are.
    pub fn word<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.fields.text(name);
        let value = text.as_deref().and_then(read);
        if value.is_none() {
            self.errors.push(name, format!("Must be {expected}"));
        }
        value
    }

    pub fn require(&mut self, name: &str) {
        self.errors.push(name, "Is required");
    }

    fn missing(&mut self, name: &str) -> String {
        self.require(name);
        String::new()
    }

    /// Everything that was wrong. What could not even be read is not called missing as well.
    pub fn finish(self) -> Result<(), ApiError> {
        let mut errors = self.fields.finish().err().unwrap_or_default();
        let mut more = self.errors;
        more.fields.retain(|field, _| errors.of(field).is_empty());
        errors.merge(more);
        if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn form(value: Value) -> Form {
        Form::new(Fields::parse(value.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn one_answer_names_everything_that_is_wrong() {
        let mut form = form(json!({
            "email": "me at example", "password": "short", "code": 1, "name": "a\nb", "mode": "x", "long": "x".repeat(5_000),
        }));
        form.email("email");
        form.new_password("password");
        form.secret("code");
        form.secret("token");
        form.secret("long");
        form.line("name", 10);
        form.word("mode", "live or test", |_| None::<u8>);
        let error = form.finish().unwrap_err();
        let errors = error.field_errors().unwrap();
        for (field, message) in [
            ("email", "Must be an e-mail address such as me@example.com"),
            ("password", "Must have at least 10 characters and at most 1024 bytes"),
            ("code", "Must be text"),
            ("token", "Is required"),
            ("long", "May have 4096 bytes"),
            ("name", "Must be one line of at most 10 characters"),
            ("mode", "Must be live or test"),
        ] {
            assert_eq!(errors.of(field), [message], "{field}");
        }
    }

    #[test]
    fn an_address_is_read_without_case_and_what_is_optional_may_be_absent() {
        let mut form = form(json!({ "email": " Me@Example.COM ", "name": "  ", "code": "" }));
        assert_eq!(form.email("email"), "me@example.com");
        assert!(form.line("name", 10).is_none() && form.optional_secret("code").is_none());
        assert!(form.optional_email("other").is_none());
        assert!(form.finish().is_ok());
    }
}
