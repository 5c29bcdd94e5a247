//! What a route declares about itself: from this come its guard, its documentation and the tests that visit every route.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use events::{Module, Permission};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::limits::Quota;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; says why in its summary.
    Public,
    /// Anybody signed in, about themselves; a program with an API key too.
    SignedIn,
    /// Whoever holds the permission, a program within the scope of its API key too.
    Needs(Permission),
    /// Whoever holds the permission, be it only in the unit that the request is about or in one above it; a list shows them
    /// what is in such units.
    InUnit(Permission),
    /// Anybody signed in, a program within the scope of its API key: whoever holds the permission as before, and everybody else as far
    /// as records are shared with them.
    Shared(Permission),
    /// Whoever has signed in themselves and holds the permission, where there is one; no program with an API key.
    InPerson(Option<Permission>),
    /// Whoever holds the installation's bootstrap token.
    Bootstrap,
}

impl Access {
    /// The permission that it takes.
    pub fn permission(self) -> Option<Permission> {
        match self {
            Self::Needs(permission) | Self::InUnit(permission) => Some(permission),
            Self::InPerson(permission) => permission,
            Self::Public | Self::SignedIn | Self::Shared(_) | Self::Bootstrap => None,
        }
    }
}

/// A route that will go, and the one that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deprecated {
    /// Since when it should not be used, in seconds since 1970.
    pub since: i64,
    /// When it will be gone, as HTTP writes dates.
    pub sunset: &'static str,
    /// Path below `/api/v1` of the route to use instead.
    pub successor: &'static str,
}

impl Deprecated {
    /// Says so in the header of an answer (RFC 9745, RFC 8594), and counts who still asks. What is to be read about it is our own
    /// documentation, which every process serves.
    pub fn mark(&self, operation: &'static str, headers: &mut HeaderMap) {
        metrics::counter!("annals_deprecated_requests_total", "operation" => operation)
            .increment(1);
        let successor = format!("</api/v1{}>; rel=\"successor-version\"", self.successor);
        let [deprecation, sunset] = ["deprecation", "sunset"]
            .map(|relation| format!("</docs>; rel=\"{relation}\"; type=\"text/html\""));
        for (name, value) in [
            ("deprecation", format!("@{}", self.since)),
            ("sunset", self.sunset.to_owned()),
            ("link", successor),
            ("link", deprecation),
            ("link", sunset),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Another address of a route: the same guard, the same handler, the same answers.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    /// Path below `/api/v1`, with the parameters that the route's own path has.
    pub path: &'static str,
    /// What the route is called there.
    pub operation: &'static str,
    /// Whether the address will go.
    pub deprecated: Option<Deprecated>,
}

impl Alias {
    /// An address that stays.
    pub const fn new(path: &'static str, operation: &'static str) -> Self {
        Self { path, operation, deprecated: None }
    }

    /// An address that goes one day.
    #[must_use]
    pub const fn until(self, deprecated: Deprecated) -> Self {
        Self { deprecated: Some(deprecated), ..self }
    }
}

/// Makes the JSON Schema of a body.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A query or header parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// `query` or `header`.
    pub place: &'static str,
    /// What it does.
    pub description: &'static str,
}

/// One route of one of the APIs.
#[derive(Clone)]
pub struct Route {
    /// HTTP method.
    pub method: Method,
    /// Path below `/api/v1`, parameters in braces.
    pub path: &'static str,
    /// `<module>_<aggregate>_<command>` or `<module>_<question>`; a contract with clients.
    pub operation: &'static str,
    /// The module it belongs to.
    pub module: Module,
    /// One sentence for people.
    pub summary: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Schema of the request body.
    pub request: Option<SchemaOf>,
    /// Media type of the request body.
    pub request_media_type: &'static str,
    /// Status of success.
    pub status: u16,
    /// Media type of the answer.
    pub media_type: &'static str,
    /// Schema of the answer.
    pub response: Option<SchemaOf>,
    /// Parameters besides those of the path.
    pub parameters: &'static [Parameter],
    /// Whether another route should be used instead.
    pub deprecated: Option<Deprecated>,
    /// How often one user may ask, besides the limit of all their requests.
    pub quota: Option<Quota>,
    /// Whether it begins work that goes on below `/jobs`, which `Prefer: respond-async` is told the address of.
    pub works: bool,
    /// Whether the command is refused without `If-Match`.
    pub needs_version: bool,
    /// Where else it answers.
    pub aliases: &'static [Alias],
    /// The path of the route that this is another address of.
    pub alias_of: Option<&'static str>,
}

impl Route {
    /// A route that answers 200 with JSON to whoever is signed in.
    pub fn new(
        method: Method,
        path: &'static str,
        module: Module,
        operation: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            operation,
            module,
            summary: "",
            access: Access::SignedIn,
            request: None,
            request_media_type: "application/json",
            status: 200,
            media_type: "application/json",
            response: None,
            parameters: &[],
            deprecated: None,
            quota: None,
            works: false,
            needs_version: false,
            aliases: &[],
            alias_of: None,
        }
    }

    /// A `GET`.
    pub fn get(path: &'static str, module: Module, operation: &'static str) -> Self {
        Self::new(Method::GET, path, module, operation)
    }

    /// A `POST`.
    pub fn post(path: &'static str, module: Module, operation: &'static str) -> Self {
        Self::new(Method::POST, path, module, operation)
    }

    /// A `PUT`.
    pub fn put(path: &'static str, module: Module, operation: &'static str) -> Self {
        Self::new(Method::PUT, path, module, operation)
    }

    /// A `PATCH`.
    pub fn patch(path: &'static str, module: Module, operation: &'static str) -> Self {
        Self::new(Method::PATCH, path, module, operation)
    }

    /// A `DELETE`.
    pub fn delete(path: &'static str, module: Module, operation: &'static str) -> Self {
        Self::new(Method::DELETE, path, module, operation)
    }

    /// One sentence for people.
    #[must_use]
    pub fn summary(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    /// Who may call it.
    #[must_use]
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Whoever holds `permission` may call it.
    #[must_use]
    pub fn needs(self, permission: Permission) -> Self {
        self.access(Access::Needs(permission))
    }

    /// As before, and whoever holds the permission in the unit that the request is about.
    #[must_use]
    pub fn in_unit(self) -> Self {
        match self.access {
            Access::Needs(permission) => self.access(Access::InUnit(permission)),
            Access::Public
            | Access::SignedIn
            | Access::InUnit(_)
            | Access::Shared(_)
            | Access::InPerson(_)
            | Access::Bootstrap => self,
        }
    }

    /// As before, but for no program with an API key.
    #[must_use]
    pub fn in_person(self) -> Self {
        let permission = self.access.permission();
        self.access(Access::InPerson(permission))
    }

    /// Takes a body.
    #[must_use]
    pub fn takes<T: JsonSchema>(self) -> Self {
        Self { request: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// Takes the body as another media type than JSON.
    #[must_use]
    pub fn takes_media(self, request_media_type: &'static str) -> Self {
        Self { request_media_type, ..self }
    }

    /// Answers with a body.
    #[must_use]
    pub fn answers<T: JsonSchema>(self, status: u16) -> Self {
        Self { status, response: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// Takes these parameters.
    #[must_use]
    pub fn parameters(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    /// Answers with another media type.
    #[must_use]
    pub fn media_type(self, media_type: &'static str) -> Self {
        Self { media_type, ..self }
    }

    /// Goes one day; another stays.
    #[must_use]
    pub fn deprecated(self, deprecated: Deprecated) -> Self {
        Self { deprecated: Some(deprecated), ..self }
    }

    /// May be asked so often by one user.
    #[must_use]
    pub fn limited(self, quota: Quota) -> Self {
        Self { quota: Some(quota), ..self }
    }

    /// Begins work that goes on below `/jobs`.
    #[must_use]
    pub fn works(self) -> Self {
        Self { works: true, ..self }
    }

    /// Answers at these addresses as well.
    #[must_use]
    pub fn also(self, aliases: &'static [Alias]) -> Self {
        Self { aliases, ..self }
    }

    /// The route at each of its addresses, its own first.
    pub fn addresses(self) -> Vec<Self> {
        let aliases = self.aliases;
        let own = Self { aliases: &[], ..self };
        let others = aliases.iter().map(|alias| Self {
            path: alias.path,
            operation: alias.operation,
            deprecated: alias.deprecated.or(own.deprecated),
            alias_of: Some(own.path),
            ..own.clone()
        });
        let others: Vec<Self> = others.collect();
        [own].into_iter().chain(others).collect()
    }

    /// The names of its query parameters.
    pub fn queries(&self) -> impl Iterator<Item = &'static str> {
        let of_query = self.parameters.iter().filter(|parameter| parameter.place == "query");
        of_query.map(|parameter| parameter.name)
    }

    /// Is refused without the version that the caller decided on: 428.
    #[must_use]
    pub fn needs_version(self) -> Self {
        Self { needs_version: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_a_route_that_goes_is_told_where_to_read_on() {
        let goes =
            Deprecated { since: 7, sunset: "Fri, 01 Oct 2027 00:00:00 GMT", successor: "/x" };
        let mut headers = HeaderMap::new();
        goes.mark("things", &mut headers);
        let links: Vec<_> = headers.get_all("link").iter().collect();
        let expected = [
            "</api/v1/x>; rel=\"successor-version\"",
            "</docs>; rel=\"deprecation\"; type=\"text/html\"",
            "</docs>; rel=\"sunset\"; type=\"text/html\"",
        ];
        assert_eq!(links, expected);
        assert_eq!(headers["deprecation"], "@7");
        assert_eq!(headers["sunset"], goes.sunset);
    }

    #[test]
    fn an_alias_is_the_same_route_elsewhere() {
        const GOES: Deprecated = Deprecated { since: 0, sunset: "never", successor: "/things" };
        const ALIASES: &[Alias] =
            &[Alias::new("/stuff", "stuff"), Alias::new("/old", "old").until(GOES)];
        let route = Route::get("/things", Module::Rbac, "things").summary("Things").also(ALIASES);
        let addresses = route.needs(Permission::RbacRolesRead).addresses();
        let seen = addresses.iter().map(|at| (at.path, at.operation, at.alias_of, at.deprecated));
        let expected = [
            ("/things", "things", None, None),
            ("/stuff", "stuff", Some("/things"), None),
            ("/old", "old", Some("/things"), Some(GOES)),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        let guarded = |at: &Route| at.access == Access::Needs(Permission::RbacRolesRead);
        assert!(addresses.iter().all(guarded));
    }
}
