//! The closed list of the codes that a problem can have; the reference of problems is made from it.

use std::collections::BTreeMap;

use events::aggregate::Class;
use events::catalogue;

/// One code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// `UPPER_SNAKE`, stable.
    pub code: &'static str,
    /// The HTTP status, or from 4000 on the close code of a WebSocket.
    pub status: u16,
    /// What it means.
    pub meaning: String,
    /// What to do about it; of a rule, what it says, with examples for values.
    pub remedy: String,
}

type Row = (u16, &'static str, &'static str, &'static str);

/// Codes that requests are refused with before, beside and after the rules of a module.
const OF_THE_DOORS: &[Row] = &[
    (
        422,
        "FORM_INVALID",
        "A form has a field that is unknown, missing, twice there or not what it should be.",
        "Correct the field that `errors` points to.",
    ),
    (408, "BODY_SILENT", "Nothing came of a body for a while.", "Send it without pauses."),
    (423, "UPLOAD_BUSY", "Another part of the same file is being sent.", "Wait for its end."),
    (
        409,
        "UPLOAD_OFFSET_WRONG",
        "A part does not begin where the one before ended.",
        "Go on at `offset`.",
    ),
    (
        400,
        "UPLOAD_OFFSET_INVALID",
        "A part of a file comes without the place where it belongs.",
        "Send `Upload-Offset` with the number of bytes sent before.",
    ),
    (
        400,
        "UPLOAD_CHECKSUM_INVALID",
        "The checksum of a part is not one that is understood.",
        "Send `sha256` and the digest in base64, or leave it out.",
    ),
    (460, "UPLOAD_CHECKSUM_WRONG", "A part arrived otherwise than it was sent.", "Send it again."),
    (
        412,
        "UPLOAD_VERSION_UNKNOWN",
        "The client speaks another version of the tus protocol.",
        "Speak version 1.0.0.",
    ),
    (
        400,
        "AS_OF_INVALID",
        "The moment asked for is neither a position of the log nor a time that has passed.",
        "Give a position up to the present one, or an RFC 3339 time.",
    ),
    (
        412,
        "POSITION_NOT_HELD",
        "The read models do not stand at the position that `exact` names, and keep no history.",
        "Ask without `exact`, or for `position`; wait where it lies before that of `exact`.",
    ),
    (
        400,
        "VERSION_UNKNOWN",
        "The record never had the version asked for.",
        "Ask for a version from 1 to `current_version`.",
    ),
    (
        422,
        "HISTORY_TOO_LONG",
        "The answer would take more of the log than one answer may.",
        "Ask for a shorter time or fewer records, or replay the events.",
    ),
    (
        422,
        "COMMAND_UNKNOWN",
        "No command of that operation id can be kept for later.",
        "Use one of the reference that takes a permission, other than of sessions, API keys, issuers and triggers.",
    ),
    (
        422,
        "SUBJECT_INVALID",
        "What an issuer calls somebody is empty or too long.",
        "Copy it from the `sub` of the issuer's tokens about them.",
    ),
    (
        422,
        "TEXT_NUL",
        "A text holds the character NUL, which no record can keep.",
        "Leave it out at the place that `errors` points to.",
    ),
    (
        400,
        "BODY_SYNTAX",
        "The body is not JSON.",
        "Correct the body at the place that `errors` points to.",
    ),
    (400, "BODY_UNREADABLE", "The body broke off or could not be read.", "Send the request again."),
    (
        400,
        "IDEMPOTENCY_KEY_MISSING",
        "The organisation wants every command to come with an `Idempotency-Key`, and this one came without.",
        "Send one; a UUIDv7 is a good key.",
    ),
    (
        400,
        "CONSISTENCY_TOKEN_INVALID",
        "The consistency token was not given out by us to this organisation.",
        "Leave the token out and read again.",
    ),
    (
        401,
        "EXCHANGE_REFUSED",
        "The issuer's token was not accepted; why is in the trail of the organisation, where it concerns one.",
        "Get a new token from the issuer, or sign in otherwise.",
    ),
    (
        400,
        "CURSOR_INVALID",
        "The cursor was not given out by a page or a stream of ours.",
        "Start without a cursor.",
    ),
    (
        400,
        "CURSOR_MISMATCH",
        "The cursor belongs to a list with another filter or order.",
        "Start the new list without a cursor.",
    ),
    (
        400,
        "FIELDS_INVALID",
        "A column in `fields` is not one of the list.",
        "Name columns of the list.",
    ),
    (
        400,
        "FILTER_INVALID",
        "The filter does not follow the grammar or names an unknown column.",
        "Correct it at the column told.",
    ),
    (
        400,
        "FILTER_MIXED",
        "`AND` and `OR` stand side by side without parentheses.",
        "Write it as `suggestion` has it.",
    ),
    (400, "FILTER_TOO_DEEP", "The filter is nested too deeply.", "Use fewer parentheses."),
    (400, "FILTER_TOO_LONG", "The filter is too long.", "Shorten it."),
    (400, "FILTER_TOO_MANY_TERMS", "The filter has too many terms.", "Ask in several requests."),
    (
        400,
        "IDEMPOTENCY_KEY_INVALID",
        "The idempotency key is not 1 to 255 printable ASCII characters.",
        "Send a UUIDv7.",
    ),
    (
        400,
        "IF_MATCH_INVALID",
        "`If-Match` is not a version in quotes.",
        "Send `Aggregate-Version` of an answer in quotes, as in `\"13\"`.",
    ),
    (
        400,
        "MODE_UNKNOWN",
        "The stream does not know the mode of the subscription.",
        "Use the mode `events`.",
    ),
    (
        400,
        "NOT_DURABLE",
        "The subscription stores no place of its own.",
        "Keep the cursor yourself.",
    ),
    (
        400,
        "PARAMETER_INVALID",
        "A query parameter has a value that it cannot have.",
        "Correct the parameter.",
    ),
    (
        400,
        "PARAMETER_UNKNOWN",
        "There is no such query parameter.",
        "Correct its name or leave it out.",
    ),
    (
        400,
        "PATH_INVALID",
        "A part of the path is not of the right form.",
        "Use an id as it was given out.",
    ),
    (
        400,
        "SORT_INVALID",
        "A column in `sort` is not one that can be sorted by.",
        "Name sortable columns of the list.",
    ),
    (
        400,
        "SUBPROTOCOL_EXPECTED",
        "The WebSocket came without our sub-protocol.",
        "Ask for `annals.events.v1`.",
    ),
    (
        400,
        "UPGRADE_EXPECTED",
        "The address speaks WebSocket alone.",
        "Connect with a WebSocket client.",
    ),
    (
        401,
        "CREDENTIALS_WRONG",
        "Organisation, login or password is wrong.",
        "Correct them, or have the password reset.",
    ),
    (
        401,
        "REFRESH_TOKEN_REUSED",
        "The refresh token was exchanged before, so its session was ended.",
        "Sign in again.",
    ),
    (
        401,
        "UNAUTHENTICATED",
        "No valid access token came with the request.",
        "Sign in, or refresh the access token.",
    ),
    (
        403,
        "FEATURE_OFF",
        "The feature that the request needs is not on for the caller: for nobody, or for others in their share of users or units.",
        "Have whoever manages settings switch on the feature flag in `params`, or do without the feature.",
    ),
    (
        403,
        "IN_PERSON_ONLY",
        "A program with an API key, or a trigger, asked for what people do themselves.",
        "Sign in, and do it yourself.",
    ),
    (
        403,
        "OWNER_INACTIVE",
        "What is done for somebody was not done, because their account is not active any more.",
        "Reactivate the account, or let somebody else make a trigger of their own.",
    ),
    (
        403,
        "FORBIDDEN",
        "The caller may not do this.",
        "Ask an administrator for the permission in `params`.",
    ),
    (
        404,
        "NOT_FOUND",
        "There is no such thing, or it is not the caller's to see.",
        "Correct the address.",
    ),
    (
        404,
        "UNSUBSCRIBE_TOKEN_UNKNOWN",
        "The token is of no letter of ours, or of one to somebody who is not here any more.",
        "Use the whole link of the letter, or sign in and choose in your settings.",
    ),
    (
        405,
        "METHOD_NOT_ALLOWED",
        "The path exists, but not with this method.",
        "Look the method up in `/openapi.json`.",
    ),
    (409, "BUSY", "Others kept changing the same record.", "Send the same request again."),
    (409, "CLAIMED", "The value is taken by another record.", "Choose another value."),
    (
        409,
        "ORGANIZATION_EXISTS",
        "An organisation or user with this id exists.",
        "Choose another id, or leave it out.",
    ),
    (
        410,
        "CURSOR_EXPIRED",
        "The cursor is too old, or its rows were built anew.",
        "Start without a cursor.",
    ),
    (410, "CURSOR_GONE", "The log does not reach as far as the cursor.", "Start without a cursor."),
    (
        410,
        "EPOCH_CHANGED",
        "The log was restored since the token or cursor was given out.",
        "Drop tokens and cursors and read again.",
    ),
    (
        412,
        "VERSION_CONFLICT",
        "The record is at another version than `If-Match` names.",
        "Read `since`, read the record again and decide anew.",
    ),
    (413, "BODY_TOO_LARGE", "The body is larger than this API takes.", "Send less at once."),
    (
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        "The body is of another media type.",
        "Send `application/json`.",
    ),
    (
        416,
        "RANGE_INVALID",
        "The file is shorter than the range asked for.",
        "Ask for a part of the file.",
    ),
    (
        422,
        "BODY_INVALID",
        "A member of the body is missing, unknown or of the wrong kind.",
        "Correct the member that `errors` points to.",
    ),
    (
        422,
        "CHECK_INVALID",
        "The question is neither one permission nor several checks.",
        "Send one of both.",
    ),
    (
        422,
        "DATASET_UNKNOWN",
        "There is no such dataset, or it cannot be exported.",
        "Name one of `GET /api/v1/exports/datasets`.",
    ),
    (
        422,
        "IDEMPOTENCY_KEY_REUSED",
        "The idempotency key came with another request before.",
        "Use a new key for a new command.",
    ),
    (
        422,
        "PASSWORD_LENGTH",
        "The password is too short or too long.",
        "Choose one of 12 characters or more.",
    ),
    (
        422,
        "PASSWORD_WRONG",
        "The current password is wrong.",
        "Correct it, or have the password reset.",
    ),
    (
        422,
        "TOTALS_NOT_NUMBERS",
        "A column whose sum is wished has no numbers.",
        "Name columns of the kind `integer` in `options.totals`.",
    ),
    (422, "TOO_MANY_CHECKS", "Too many checks came at once.", "Send fewer."),
    (
        422,
        "TEMPLATE_OF_ANOTHER_DATASET",
        "The template makes files of another dataset than the request names.",
        "Leave `dataset` out, or name a template of that dataset.",
    ),
    (
        422,
        "RECIPIENT_MAY_NOT_SEE",
        "A file is for somebody who is no active user or may not see all that is in it.",
        "Leave out whom `errors` points to, or have them given the rights to files and to the dataset where its rows are.",
    ),
    (
        409,
        "BATCH_FILES_GONE",
        "The files of the batch have expired or were deleted.",
        "Request the batch again.",
    ),
    (
        422,
        "CHANGES_NEED_KEY",
        "Only changes are asked for, and a column of the key by which they are told is missing.",
        "Take the column that is named among the columns.",
    ),
    (
        422,
        "SINCE_UNKNOWN",
        "Changes are asked for since an export that has no such file.",
        "Name an export of yours of the same dataset whose file is there and was made with `changes`, or leave `since` out.",
    ),
    (
        406,
        "NOT_ACCEPTABLE",
        "The file is of another kind than `Accept` or `format` names.",
        "Name the kind that is said; `application/octet-stream` is every kind.",
    ),
    (422, "TOO_MANY_PERMISSIONS", "Too many permissions came at once.", "Send fewer."),
    (
        428,
        "PRECONDITION_REQUIRED",
        "The command is refused without the version it was decided on.",
        "Send `If-Match` with the version.",
    ),
    (
        429,
        "QUOTA_EXCEEDED",
        "More requests came than the policies in `violated-policies` allow.",
        "Wait as `Retry-After` says.",
    ),
    (
        429,
        "TOO_MANY_WAITING",
        "Too many requests of this process wait for a change.",
        "Ask without `Prefer: wait`, or later.",
    ),
    (500, "INTERNAL", "The request failed on our side.", "Tell the operator the `instance`."),
    (
        503,
        "UNAVAILABLE",
        "Something that is needed does not answer now.",
        "Send the same request again as `Retry-After` says.",
    ),
    (
        504,
        "PROJECTION_BEHIND",
        "The read model has not reached what the consistency token stands for.",
        "Ask again, or with `Prefer: handling=lenient`.",
    ),
];

/// Codes that a WebSocket is closed with, besides those above.
const OF_STREAMS: &[Row] = &[
    (4400, "FRAME_INVALID", "The frame is not one of the sub-protocol.", "Correct the frame."),
    (4400, "INIT_EXPECTED", "The first frame was not `init`.", "Send `init` first."),
    (4400, "INIT_REPEATED", "A second `init` came.", "Send `auth` to bring a new token."),
    (4403, "OTHER_CALLER", "The new token is another caller's.", "Open another connection."),
    (4408, "INIT_TIMEOUT", "No `init` came in time.", "Send `init` at once."),
    (
        4409,
        "SUBSCRIPTION_EXISTS",
        "The id is that of a running subscription.",
        "Choose another id.",
    ),
    (
        4429,
        "TOO_MANY_CONNECTIONS",
        "The process holds as many connections as it can.",
        "Connect later.",
    ),
    (
        4429,
        "TOO_MANY_SUBSCRIPTIONS",
        "The connection holds as many subscriptions as it can.",
        "Open another connection.",
    ),
    (4503, "DRAINING", "The process is ending.", "Reconnect."),
    (4508, "NO_HEARTBEAT", "Nothing was heard of the client for too long.", "Reconnect."),
    (4508, "SLOW_CONSUMER", "The client took nothing for too long.", "Reconnect and read faster."),
    (4510, "TOKEN_EXPIRED", "The access token ended.", "Reconnect with a new one."),
    (4510, "REVOKED", "The right to follow the stream was taken away.", "Ask an administrator."),
];

/// Every code, in alphabetical order. What two aggregates refuse alike is one code.
pub fn all() -> Vec<Code> {
    let doors = OF_THE_DOORS.iter().chain(OF_STREAMS).map(|(status, code, meaning, remedy)| Code {
        code,
        status: *status,
        meaning: (*meaning).to_owned(),
        remedy: (*remedy).to_owned(),
    });
    let rules = catalogue::refusals().into_iter().map(|(_, refusal)| Code {
        code: refusal.code,
        status: status(refusal.class),
        meaning: refusal.meaning,
        remedy: format!("It says: \u{201c}{}\u{201d}.", refusal.example),
    });
    let claims = catalogue::claims().map(|(_, code, detail)| Code {
        code,
        status: 409,
        meaning: "Another record holds this value.".to_owned(),
        remedy: format!("It says: \u{201c}{detail}\u{201d}."),
    });
    let mut codes = BTreeMap::new();
    for code in doors.chain(rules).chain(claims) {
        codes.entry(code.code).or_insert(code);
    }
    codes.into_values().collect()
}

/// The status that a rule's refusal is answered with.
pub fn status(class: Class) -> u16 {
    match class {
        Class::Invalid => 422,
        Class::Conflict => 409,
        Class::Forbidden => 403,
        Class::Absent => 404,
        Class::Unauthenticated => 401,
    }
}
