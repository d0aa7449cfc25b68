//! Why an upstream does not do what it was asked, by what that means for the task, its money and the upstream's health.

/// Why a clip is not made. What customers are told comes from the code alone: no upstream's words are ever shown to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: FailureCode,
    /// Safe to show to customers.
    pub message: String,
    /// What the upstream said, for operators.
    pub detail: Option<String>,
}

/// The longest text of an upstream's that is kept, in characters.
const DETAIL_MAX: usize = 500;

impl Failure {
    /// A failure in our words, with the upstream's for operators.
    pub fn new(code: FailureCode, detail: impl AsRef<str>) -> Self {
        let detail: String = detail.as_ref().trim().chars().take(DETAIL_MAX).collect();
        Failure { code, message: code.message().to_owned(), detail: (!detail.is_empty()).then_some(detail) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// A parameter, a format or a file was refused; others will refuse it as well.
    InvalidInput,
    /// The prompt or a file was refused for what it is.
    ModerationInput,
    /// Made, and then held back for what it shows.
    ModerationOutput,
    /// Too many requests or tasks at once.
    RateLimited,
    /// Our account there has no money or quota left.
    Balance,
    /// Our key is wrong, or may not do this.
    Auth,
    /// The model is gone there, or not open to us.
    ModelUnavailable,
    /// Overloaded, in maintenance, or an error of theirs.
    Transient,
    /// The route can't express what was asked for.
    Unsupported,
    /// They tried and failed without a reason.
    Internal,
    /// The task or its clip is gone there.
    Expired,
    Timeout,
    InputUnreachable,
    Empty,
    /// What was delivered is no playable video.
    InvalidClip,
    /// Ours: the clip could not be kept.
    Storage,
}

impl FailureCode {
    /// The stable code that customers see.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureCode::InvalidInput => "invalid_input",
            FailureCode::ModerationInput | FailureCode::ModerationOutput => "moderation",
            FailureCode::RateLimited
            | FailureCode::Balance
            | FailureCode::Auth
            | FailureCode::ModelUnavailable
            | FailureCode::Transient
            | FailureCode::Unsupported => "provider_unavailable",
            FailureCode::Internal | FailureCode::Expired => "generation_failed",
            FailureCode::Timeout => "timeout",
            FailureCode::InputUnreachable => "input_unreachable",
            FailureCode::Empty => "empty_result",
            FailureCode::InvalidClip => "invalid_clip",
            FailureCode::Storage => "storage_error",
        }
    }

    const ALL: [FailureCode; 16] = [
        FailureCode::InvalidInput,
        FailureCode::ModerationInput,
        FailureCode::ModerationOutput,
        FailureCode::RateLimited,
        FailureCode::Balance,
        FailureCode::Auth,
        FailureCode::ModelUnavailable,
        FailureCode::Transient,
        FailureCode::Unsupported,
        FailureCode::Internal,
        FailureCode::Expired,
        FailureCode::Timeout,
        FailureCode::InputUnreachable,
        FailureCode::Empty,
        FailureCode::InvalidClip,
        FailureCode::Storage,
    ];

    /// The reverse of [`FailureCode::class`].
    pub fn of_class(class: &str) -> Option<FailureCode> {
        Self::ALL.into_iter().find(|code| code.class() == class)
    }

    /// What operators see: in attempts, metrics and health.
    pub fn class(self) -> &'static str {
        match self {
            FailureCode::ModerationInput => "moderation_input",
            FailureCode::ModerationOutput => "moderation_output",
            FailureCode::RateLimited => "rate_limited",
            FailureCode::Balance => "upstream_balance",
            FailureCode::Auth => "upstream_auth",
            FailureCode::ModelUnavailable => "model_unavailable",
            FailureCode::Transient => "upstream_transient",
            FailureCode::Unsupported => "unsupported",
            FailureCode::Expired => "upstream_expired",
            other => other.as_str(),
        }
    }

    /// Whether it says something about the upstream, and nothing about what the customer asked for.
    pub fn is_upstream_fault(self) -> bool {
        matches!(
            self,
            FailureCode::RateLimited
                | FailureCode::Balance
                | FailureCode::Auth
                | FailureCode::ModelUnavailable
                | FailureCode::Transient
        )
    }

    fn message(self) -> &'static str {
        match self {
            FailureCode::InvalidInput => "The provider refused the input",
            FailureCode::ModerationInput => "The prompt or an input was refused by moderation",
            FailureCode::ModerationOutput => "The finished clip was held back by moderation",
            FailureCode::RateLimited
            | FailureCode::Balance
            | FailureCode::Auth
            | FailureCode::ModelUnavailable
            | FailureCode::Transient => "No provider of the model could take the task",
            FailureCode::Unsupported => "No provider of the model can make this combination now",
            FailureCode::Internal => "The provider could not make the clip",
            FailureCode::Expired => "The provider no longer has the clip",
            FailureCode::Timeout => "The provider took too long",
            FailureCode::InputUnreachable => "An input could not be fetched",
            FailureCode::Empty => "The provider delivered no clip",
            FailureCode::InvalidClip => "The provider delivered no playable video",
            FailureCode::Storage => "The clip could not be stored",
        }
    }
}

/// What is known after a call that did not go well. "Maybe" is an answer of its own: what was sent may be billed.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Refused: nothing runs, nothing will be billed.
    #[error("rejected ({}): {}", .0.code.class(), .0.detail.as_deref().unwrap_or("no reason"))]
    Rejected(Failure),
    /// Not accepted for certain; the same again may work.
    #[error("unavailable ({}): {}", failure.code.class(), failure.detail.as_deref().unwrap_or("no reason"))]
    Unavailable { failure: Failure, retry_after_ms: Option<u64> },
    /// Sent, no answer: it may be running.
    #[error("no answer: {0}")]
    Unknown(String),
    /// An answer that makes no sense.
    #[error("unreadable answer: {0}")]
    Broken(String),
}

impl ProviderError {
    /// Not now, for a reason of theirs that passes.
    pub fn unavailable(detail: impl AsRef<str>) -> Self {
        ProviderError::refused(FailureCode::Transient, detail, None)
    }

    /// How long they want to be left alone, if they say so.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            ProviderError::Unavailable { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }

    /// A refusal in so many words: nothing was accepted. What passes by itself may be tried again.
    pub fn refused(code: FailureCode, detail: impl AsRef<str>, retry_after_ms: Option<u64>) -> Self {
        let failure = Failure::new(code, detail);
        match code {
            FailureCode::RateLimited | FailureCode::Transient => {
                ProviderError::Unavailable { failure, retry_after_ms }
            }
            _ => ProviderError::Rejected(failure),
        }
    }
}
