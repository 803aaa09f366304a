//! As what does a client want its answer: whole objects, or only their metadata?

use super::request::Verb;
use super::status::ApiError;

/// How objects are rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    #[default]
    Full,
    /// As `PartialObjectMetadata` of meta.k8s.io/v1: what kube's `list_metadata` and `metadata_watcher` ask for.
    Metadata,
}

impl Form {
    /// The first form in an Accept header that this server can give. Tables are passed over: kubectl always names whole objects as well.
    pub fn of(accept: Option<&str>, verb: Verb) -> Result<Self, ApiError> {
        let Some(accept) = accept.filter(|a| !a.trim().is_empty()) else { return Ok(Self::Full) };
        let mut known = false;
        for choice in accept.split(',') {
            let mut parts = choice.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            known |= matches!(media, "application/yaml" | "application/vnd.kubernetes.protobuf" | "application/cbor");
            if !matches!(media, "application/json" | "application/*" | "*/*") {
                continue;
            }
            match parts.find_map(|p| p.strip_prefix("as=")) {
                None => return Ok(Self::Full),
                Some("PartialObjectMetadataList") if verb == Verb::List => return Ok(Self::Metadata),
                Some("PartialObjectMetadata") if verb != Verb::List => return Ok(Self::Metadata),
                Some("PartialObjectMetadata") => {
                    let text = "you requested PartialObjectMetadata, but the requested object is a list";
                    return Err(ApiError::new(406, "NotAcceptable", text));
                }
                Some(_) => known = true,
            }
        }
        if known {
            return Err(ApiError::not_implemented(&format!("answer as {accept:?}; accept application/json")));
        }
        let text = "406: Not Acceptable\n\nAvailable representations: application/json";
        Err(ApiError::new(406, "NotAcceptable", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, verb: Verb, expected: Result<Form, u16>) {
        assert_eq!(Form::of(Some(accept), verb).map_err(|e| e.code), expected, "{accept}");
    }

    #[test]
    fn the_first_form_that_can_be_given_is_taken() {
        check("application/json", Verb::Get, Ok(Form::Full));
        check("*/*", Verb::Get, Ok(Form::Full));
        check("application/vnd.kubernetes.protobuf,application/json", Verb::List, Ok(Form::Full));
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Verb::List, Ok(Form::Full));
        check("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", Verb::Watch, Ok(Form::Metadata));
        check("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Verb::List, Ok(Form::Metadata));
        check("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", Verb::List, Err(406));
        check("application/json;as=Table;v=v1;g=meta.k8s.io", Verb::List, Err(501));
        check("application/yaml", Verb::Get, Err(501));
        check("text/html", Verb::Get, Err(406));
    }
}
