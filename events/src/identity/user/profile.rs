//! The rules of what a user is called, where they are reached and where they live.

use super::{ChangeEmail, ChangeHandle, ChangePhone, Event, Rejection, Relocate, Rename, User};
use crate::text;

/// Longest handle.
pub const HANDLE_MAX_CHARS: usize = 128;
/// Longest name to show.
pub const DISPLAY_NAME_MAX_CHARS: usize = 200;
/// Longest e-mail address (RFC 5321 with its erratum 1690).
pub const EMAIL_MAX_CHARS: usize = 254;
/// Longest part of an e-mail address before the `@`.
pub const EMAIL_LOCAL_MAX_CHARS: usize = 64;
/// Fewest digits of a telephone number.
pub const PHONE_MIN_DIGITS: usize = 7;
/// Most digits of a telephone number (E.164).
pub const PHONE_MAX_DIGITS: usize = 15;

/// What says how a member is written.
type Checked = fn(&str) -> Result<String, Rejection>;

impl User {
    pub(super) fn rename(&self, rename: &Rename) -> Result<Vec<Event>, Rejection> {
        let display_name = display_name(&rename.display_name)?;
        let same = display_name == self.display_name;
        Ok(if same { vec![] } else { vec![Event::Renamed { display_name }] })
    }

    pub(super) fn relocate(&self, to: &Relocate) -> Result<Vec<Event>, Rejection> {
        let kept = |given: &Option<String>, check: Checked, own: &String| {
            given.as_deref().map_or_else(|| Ok(own.clone()), check)
        };
        let locale = kept(&to.locale, locale, &self.locale)?;
        let time_zone = kept(&to.time_zone, time_zone, &self.time_zone)?;
        let same = locale == self.locale && time_zone == self.time_zone;
        Ok(if same { vec![] } else { vec![Event::Relocated { locale, time_zone }] })
    }

    pub(super) fn change_email(&self, change: &ChangeEmail) -> Result<Vec<Event>, Rejection> {
        let email = change.email.as_deref().map(email).transpose()?;
        if email == self.email {
            return Ok(vec![]);
        }
        Ok(vec![Event::EmailReplaced { previous: self.email.clone(), email }])
    }

    pub(super) fn change_handle(&self, change: &ChangeHandle) -> Result<Vec<Event>, Rejection> {
        let handle = handle(&change.handle)?;
        let previous = self.handle.clone();
        let same = handle == previous;
        Ok(if same { vec![] } else { vec![Event::HandleReplaced { previous, handle }] })
    }

    pub(super) fn change_phone(&self, change: &ChangePhone) -> Result<Vec<Event>, Rejection> {
        let phone = change.phone.as_deref().map(phone).transpose()?;
        let same = phone == self.phone;
        Ok(if same { vec![] } else { vec![Event::PhoneReplaced { phone }] })
    }
}

pub(super) fn handle(text: &str) -> Result<String, Rejection> {
    let handle = text::line(text, HANDLE_MAX_CHARS).map_err(Rejection::HandleInvalid)?;
    if handle.chars().any(|c| c.is_whitespace() || text::is_zero_width(c)) {
        return Err(Rejection::HandleNotPrintable);
    }
    Ok(handle)
}

pub(super) fn display_name(text: &str) -> Result<String, Rejection> {
    text::line(text, DISPLAY_NAME_MAX_CHARS).map_err(Rejection::DisplayNameInvalid)
}

pub(super) fn locale(tag: &str) -> Result<String, Rejection> {
    text::locale(tag).ok_or(Rejection::LocaleInvalid)
}

pub(super) fn time_zone(name: &str) -> Result<String, Rejection> {
    text::time_zone(name).map(str::to_owned).ok_or(Rejection::TimeZoneUnknown)
}

/// A dot-atom, an `@` and a host name: what RFC 5321 allows, without quoted strings and address
/// literals.
pub(in crate::identity) fn email(text: &str) -> Result<String, Rejection> {
    let text = text.trim();
    let is_atom = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
        !part.is_empty() && part.bytes().all(allowed)
    };
    let is_label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let valid = text.len() <= EMAIL_MAX_CHARS
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            local.len() <= EMAIL_LOCAL_MAX_CHARS
                && local.split('.').all(is_atom)
                && domain.split('.').all(is_label)
        });
    if valid { Ok(text.to_owned()) } else { Err(Rejection::EmailInvalid) }
}

/// A number as E.164 has it: `+`, then 7 to 15 digits, the first of them of a country. Spaces around it are not part of it.
fn phone(text: &str) -> Result<String, Rejection> {
    let text = text.trim();
    let valid = text.strip_prefix('+').is_some_and(|digits| {
        (PHONE_MIN_DIGITS..=PHONE_MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    });
    if valid { Ok(text.to_owned()) } else { Err(Rejection::PhoneInvalid) }
}
