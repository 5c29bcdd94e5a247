//! What the names of an access matrix become: handles of users, and permissions of the form `resource.path:action`.

use events::Permission;
use events::identity::user::HANDLE_MAX_CHARS;
use events::rbac::name::{self, Form, MAX_BYTES};
use events::text;

/// The permission that a name of the matrix stands for. A name of the form `resource.path:action`
/// stands for itself. Any other becomes `access.<name>:use`, in which every byte other than a-z, 0-9
/// and `-` is written `_` and two hexadecimal digits, with `x__` before a name that does not begin
/// with a-z or 0-9; so no two names become one, and a name such as `*:*` grants nothing but itself.
pub(super) fn permission(name: &str) -> Result<String, String> {
    if name::form(name) == Some(Form::Exact) {
        let ours = || Permission::ALL.iter().any(|permission| permission.name() == name);
        if name::is_reserved(name) && !ours() {
            return Err(format!(
                "there is no permission \"{name}\" in the catalogue of its module"
            ));
        }
        return Ok(name.to_owned());
    }
    let written = format!("access.{}:use", segment(name));
    if written.len() > MAX_BYTES {
        return Err(format!("the permission is longer than {MAX_BYTES} characters as {written}"));
    }
    Ok(written)
}

fn segment(name: &str) -> String {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut segment = String::with_capacity(name.len());
    if !name.bytes().next().is_some_and(is_letter) {
        segment.push_str("x__");
    }
    for byte in name.bytes() {
        if is_letter(byte) || byte == b'-' {
            segment.push(char::from(byte));
        } else {
            segment.push('_');
            segment.push_str(&hex::encode([byte]));
        }
    }
    segment
}

/// The handle that a name of the matrix is, if it can be one.
pub(super) fn handle(name: &str) -> Result<&str, String> {
    text::line(name, HANDLE_MAX_CHARS).map_err(|fault| format!("the user {fault}"))?;
    if name.chars().any(text::is_zero_width) {
        return Err("the user holds an invisible character: remove it".into());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_well_formed_name_is_used_as_it_is() {
        for name in ["shop.orders:read", "a:b", "rbac.roles:read"] {
            assert_eq!(permission(name).as_deref(), Ok(name));
        }
        let error = permission("rbac.rolls:read").unwrap_err();
        assert!(error.contains("catalogue"), "{error}");
    }

    #[test]
    fn any_other_name_is_written_out_below_access() {
        for (name, written) in [
            ("17", "access.17:use"),
            ("read-all", "access.read-all:use"),
            ("Read", "access.x___52ead:use"),
            ("a_b", "access.a_5fb:use"),
            ("a.b", "access.a_2eb:use"),
            ("*:*", "access.x___2a_3a_2a:use"),
            ("ä", "access.x___c3_a4:use"),
            ("-a", "access.x__-a:use"),
        ] {
            assert_eq!(permission(name).as_deref(), Ok(written), "{name}");
        }
        assert!(permission(&"a".repeat(MAX_BYTES)).is_err());
    }

    proptest! {
        #[test]
        fn what_a_name_becomes_is_always_one_permission(name in "\\PC{1,40}") {
            if let Ok(written) = permission(&name) {
                prop_assert_eq!(name::form(&written), Some(Form::Exact));
            }
        }

        #[test]
        fn no_two_names_become_one(names in prop::collection::btree_set("[a-cA-C0_.*-]{1,6}", 2..60)) {
            let written: BTreeMap<String, &String> =
                names.iter().map(|name| (permission(name).unwrap(), name)).collect();
            prop_assert_eq!(written.len(), names.len());
        }
    }
}
