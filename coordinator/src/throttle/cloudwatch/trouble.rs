//! What does it mean when CloudWatch does not answer, and what is to be done?

use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::Operation;

/// An error's text is cut off after so many characters.
const WORDS_MAX: usize = 300;

/// An error in words: what is wrong, and what to do next.
pub fn said<E>(operation: Operation, error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let whole = DisplayErrorContext(error).to_string();
    explained(operation, error.as_service_error().and_then(ProvideErrorMetadata::code), &whole)
}

fn explained(operation: Operation, code: Option<&str>, whole: &str) -> String {
    let action = operation.action();
    let words: String = whole.chars().take(WORDS_MAX).collect();
    match code {
        Some("AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthorizationError") => {
            format!(
                "CloudWatch refuses {action} (AccessDenied): allow it in the IAM policy of the coordinator's role (docs/cloudwatch.md)"
            )
        }
        Some("ExpiredToken" | "ExpiredTokenException") => {
            format!(
                "the AWS credentials have expired, so {action} is refused: is the service account's token still renewed?"
            )
        }
        Some(
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "MissingAuthenticationToken"
            | "InvalidAccessKeyId",
        ) => {
            format!(
                "AWS does not know these credentials, or not in this Region, so {action} is refused: check the role and AWS_REGION"
            )
        }
        Some("SignatureDoesNotMatch" | "InvalidSignatureException" | "RequestExpired" | "RequestTimeTooSkewed") => {
            format!("AWS does not accept the signature of {action}: is this node's clock right?")
        }
        Some("Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException") => {
            format!("CloudWatch throttles {action} itself: it is asked again in a minute")
        }
        Some(code) => format!("CloudWatch answers {action} with {code}: {words}"),
        None => unanswered(action, whole, &words),
    }
}

fn unanswered(action: &str, whole: &str, words: &str) -> String {
    let lower = whole.to_lowercase();
    let has = |word: &str| lower.contains(word);
    if has("credential") || has("no providers in chain") {
        format!(
            "no AWS credentials, so {action} cannot be called: give the service account a role (docs/cloudwatch.md): {words}"
        )
    } else if has("region") && (has("missing") || has("not set") || has("must be set")) {
        format!("no AWS Region, so {action} cannot be called: set AWS_REGION")
    } else if has("dns error") || has("failed to lookup address") {
        format!(
            "CloudWatch's name cannot be resolved, so {action} is not answered: is AWS_REGION a Region of AWS? {words}"
        )
    } else {
        format!("CloudWatch does not answer {action}: {words}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_says_what_to_do() {
        for (code, whole, part) in [
            (Some("AccessDenied"), "", "allow it in the IAM policy"),
            (Some("AccessDeniedException"), "", "cloudwatch:GetMetricData"),
            (Some("ExpiredToken"), "", "expired"),
            (Some("InvalidClientTokenId"), "", "AWS_REGION"),
            (Some("SignatureDoesNotMatch"), "", "clock"),
            (Some("ThrottlingException"), "", "asked again in a minute"),
            (Some("InternalServiceFault"), "boom", "InternalServiceFault: boom"),
            (None, "dispatch failure: no providers in chain provided credentials", "no AWS credentials"),
            (None, "A region must be set when sending requests", "set AWS_REGION"),
            (None, "dispatch failure: dns error: failed to lookup address information", "AWS_REGION a Region"),
            (None, "dispatch failure: connection refused", "does not answer"),
        ] {
            let said = explained(Operation::GetMetricData, code, whole);
            assert!(said.contains(part), "{code:?} {whole}: {said}");
        }
        assert!(explained(Operation::GetMetricData, None, &"x".repeat(9_999)).len() < 500);
    }
}
