use entity::Timestamp;
use poem::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::http::dialect::Dialect;
use crate::ledger::CapWindow;

fn rendered(error: &ApiError) -> (StatusCode, HeaderMap, Value) {
    let response =
        Rendering { request_id: "r1".into(), as_problem: false, dialect: Dialect::Native }.render(error);
    let (parts, body) = response.into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let body = runtime.block_on(body.into_vec()).unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
}

fn credits(whole: i64) -> Credits {
    Credits::from_whole(whole).unwrap()
}

#[test]
fn an_invalid_request_lists_its_errors_as_published() {
    let mut errors = FieldErrors::default();
    errors.push("prompt", "Required");
    let (status, _, body) = rendered(&ApiError::Invalid(errors));
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let expected = json!({
        "error": "Invalid request",
        "code": "invalid_request",
        "retryable": false,
        "requestId": "r1",
        "type": "urn:reelmeter:error:invalid_request",
        "title": "Invalid request",
        "status": 400,
        "detail": "prompt: Required",
        "instance": "/requests/r1",
        "details": { "formErrors": [], "fieldErrors": { "prompt": ["Required"] } },
    });
    assert_eq!(body, expected);
}

#[test]
fn every_400_has_details() {
    let (_, _, body) = rendered(&ApiError::ConflictingCredentials);
    let form_errors = body["details"]["formErrors"].as_array().unwrap();
    assert_eq!(form_errors[..], [body["detail"].clone()]);
    let (_, _, body) = rendered(&ApiError::TaskNotFound);
    assert_eq!(body.get("details"), None);
}

#[test]
fn insufficient_credits_are_numbers() {
    let available = Credits::from_thousandths(7_500);
    let error = ApiError::InsufficientCredits { required: credits(12), available, held: credits(3) };
    let (status, _, body) = rendered(&error);
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(
        (&body["error"], &body["code"]),
        (&json!("Insufficient credits"), &json!("insufficient_credits"))
    );
    assert_eq!((&body["required"], &body["available"], &body["held"]), (&json!(12), &json!(7.5), &json!(3)));
}

#[test]
fn a_key_limit_says_when_it_counts_from_zero_again() {
    let cap = |window, resets_at| Cap { window, limit: credits(100), spent: credits(95), resets_at };
    let (_, _, body) =
        rendered(&ApiError::KeyLimit(cap(CapWindow::Day, Some(Timestamp::from_seconds(86_400)))));
    assert_eq!((&body["scope"], &body["limit"], &body["spent"]), (&json!("day"), &json!(100), &json!(95)));
    assert_eq!(body["resetsAt"], "1970-01-02T00:00:00.000Z");
    let (_, _, body) = rendered(&ApiError::KeyLimit(cap(CapWindow::Lifetime, None)));
    assert_eq!(body.get("resetsAt"), None);
}

#[test]
fn what_broke_inside_is_for_the_log_only() {
    for error in [
        ApiError::internal(anyhow::anyhow!("password=hunter2")),
        ApiError::Unavailable(anyhow::anyhow!("password=hunter2")),
    ] {
        let (_, headers, body) = rendered(&error);
        assert!(!format!("{headers:?}{body}").contains("hunter2"), "{body}");
        assert!(error.to_string().contains("hunter2"));
    }
    let (_, _, body) = rendered(&ApiError::internal(anyhow::anyhow!("x")));
    assert_eq!((&body["error"], body.get("detail")), (&json!("Internal error"), None));
}

#[test]
fn headers_say_what_to_do_next() {
    let header = |error: &ApiError, name: &str| {
        let headers = rendered(error).1;
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header(&ApiError::Unauthorized, "www-authenticate").as_deref(), Some("Bearer"));
    assert_eq!(
        header(&ApiError::MethodNotAllowed { allow: "POST".into() }, "allow").as_deref(),
        Some("POST")
    );
    assert_eq!(header(&ApiError::Busy, "retry-after").as_deref(), Some("1"));
    assert_eq!(header(&ApiError::TooManyRequests, "retry-after").as_deref(), Some("1"));
    assert_eq!(header(&ApiError::NotReady, "retry-after").as_deref(), Some("2"));
    let range = ApiError::RangeNotSatisfiable { len: 10 };
    assert_eq!(header(&range, "content-range").as_deref(), Some("bytes */10"));
    assert_eq!(header(&ApiError::TaskNotFound, "retry-after"), None);
}

#[test]
fn an_unknown_outcome_may_be_retried_with_a_key_only() {
    let unknown = || ApiError::from(crate::ledger::Refusal::OutcomeUnknown);
    assert!(unknown().for_request(true).is_retryable());
    assert!(!unknown().for_request(false).is_retryable());
    assert!(ApiError::Busy.for_request(false).is_retryable());
    assert!(ApiError::TooManyRequests.for_request(false).is_retryable());
}

#[test]
fn problem_json_is_answered_when_it_is_asked_for_by_name() {
    let accepting = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("accept", value.parse().unwrap());
        wants_problem(&headers)
    };
    assert!(accepting("application/problem+json"));
    assert!(accepting("text/html, Application/Problem+JSON;q=0.9"));
    assert!(!accepting("*/*"));
    assert!(!accepting("application/json"));
    let rendering = Rendering { request_id: "r1".into(), as_problem: true, dialect: Dialect::Native };
    let response = rendering.render(&ApiError::TaskNotFound);
    assert_eq!(response.content_type(), Some("application/problem+json"));
}

#[test]
fn errors_of_the_framework_become_ours() {
    let ours = |error: poem::Error| ApiError::from_framework(error, || "GET, HEAD".into());
    assert!(matches!(ours(ApiError::QuoteUsed.into()), ApiError::QuoteUsed));
    assert!(matches!(ours(poem::error::NotFoundError.into()), ApiError::UnknownPath));
    let ApiError::MethodNotAllowed { allow } = ours(poem::error::MethodNotAllowedError.into()) else {
        panic!()
    };
    assert_eq!(allow, "GET, HEAD");
    let reason = "failed to parse \"integer\": Must be 1 to 100".to_owned();
    let error = ours(poem_openapi::error::ParseParamError { name: "limit", reason }.into());
    assert_eq!(error.field_errors().unwrap().of("limit"), ["Must be 1 to 100"]);
    let error = ours(poem::Error::from_string("secret", StatusCode::INTERNAL_SERVER_ERROR));
    assert!(matches!(error, ApiError::Internal(_)));
    assert_eq!(ours(poem::Error::from_status(StatusCode::IM_A_TEAPOT)).status(), StatusCode::IM_A_TEAPOT);
}
