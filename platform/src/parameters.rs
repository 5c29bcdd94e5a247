//! Query parameters, read strictly: one that is misspelt, said twice or has no meaning is refused, not silently without effect.

use axum::extract::Query;
use axum::http::Uri;

use crate::problem::Problem;

/// Names and values, in the order in which they came.
pub type Parameters = Vec<(String, String)>;

/// The query parameters of an address.
pub fn read(uri: &Uri) -> Result<Parameters, Problem> {
    let parameters = Query::<Parameters>::try_from_uri(uri);
    let detail = "the query string is not valid";
    parameters.map(|Query(all)| all).map_err(|_| Problem::bad_request("PARAMETER_INVALID", detail))
}

/// Refuses parameters other than these.
pub fn only(parameters: &[(String, String)], known: &[&str]) -> Result<(), Problem> {
    match parameters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some((name, _)) => {
            let detail = format!("there is no parameter `{name}`; there are {known:?}");
            Err(Problem::bad_request("PARAMETER_UNKNOWN", detail).at(name))
        }
    }
}

/// Whether a parameter that is `true` or `false` is true; false where it is not said.
pub fn flag(parameters: &[(String, String)], name: &str) -> Result<bool, Problem> {
    let mut said = parameters.iter().filter(|(known, _)| known == name).map(|(_, value)| &**value);
    match (said.next(), said.next()) {
        (None | Some("false"), None) => Ok(false),
        (Some("true"), None) => Ok(true),
        (_, _) => Err(Problem::parameter(name, format!("{name} must be `true` or `false`, once"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dry(query: &str) -> Result<bool, String> {
        let parameters = read(&format!("/x?{query}").parse().unwrap()).map_err(|no| no.code)?;
        only(&parameters, &["validate_only"]).map_err(|no| no.code)?;
        flag(&parameters, "validate_only").map_err(|no| no.code)
    }

    #[test]
    fn a_flag_is_true_or_false_however_it_is_encoded() {
        assert_eq!(dry(""), Ok(false));
        assert_eq!(dry("validate_only=false"), Ok(false));
        assert_eq!(dry("validate_only=true"), Ok(true));
        assert_eq!(dry("validate%5Fonly=%74rue"), Ok(true));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for query in ["validate_only=True", "validate_only=1", "validate_only", "validate_only="] {
            assert_eq!(dry(query), Err("PARAMETER_INVALID".into()), "{query}");
        }
        let twice = "validate_only=true&validate_only=false";
        assert_eq!(dry(twice), Err("PARAMETER_INVALID".into()));
        for query in ["validate_onyl=true", "Validate_only=true", "dry"] {
            assert_eq!(dry(query), Err("PARAMETER_UNKNOWN".into()), "{query}");
        }
    }
}
