//! A little of everything that can happen, in several organisations.

use events::audit::ledger::{Archive, Event as LedgerEvent, Ledger};
use events::audit::security_log::{AccessDenied, CommandRefused, Event as Refusal, SecurityLog};
use events::backups::backup::{Backup, Event as BackupEvent, Scope};
use events::collaboration::thread::{Event as CommentEvent, Thread};
use events::exports::batch::{Batch, Event as BatchEvent, Item};
use events::exports::export::{Event as ExportEvent, Export, Format};
use events::exports::template::{Event as TemplateEvent, Template};
use events::exports::{Layout, Report};
use events::files::Purpose;
use events::files::file::{Content, Event as FileEvent, File};
use events::identity::api_key::{ApiKey, Event as KeyEvent, RevocationReason as KeyReason};
use events::identity::invitation::{Event as InvitationEvent, Invitation};
use events::identity::issuer::{Algorithm, Event as IssuerEvent, Issuer, Mapping, Terms};
use events::identity::organization::{Event as OrganizationEvent, Organization, UnitKind};
use events::identity::session::{Event as SessionEvent, RevocationReason, Session};
use events::identity::user::{Event as UserEvent, User};
use events::notifications::notification::{
    Event as NotificationEvent, Kind, Notification, Priority,
};
use events::rbac::Assignment;
use events::rbac::policy::{Event as PolicyEvent, Policy, RoleCreated};
use events::rbac::unit_access::Level;
use events::rbac::user_access::{Event as AccessEvent, UserAccess};
use events::scheduling::blackout_calendar::{BlackoutCalendar, Event as CalendarEvent};
use events::scheduling::trigger::{self, Event as TriggerEvent, Target, Trigger};
use events::scheduling::{Blackout, Modifiers, Recurring, Spec};
use events::settings::configuration::{Configuration, Event as ConfigurationEvent};
use events::settings::{Flag, Key, Value};
use events::subject::{Subject, SubjectKind};
use events::testing::{at, id};
use events::{
    ApiKeyId, BackupId, BatchId, BlackoutCalendarId, CommentId, ExportId, FileId, InvitationId,
    IssuerId, NotificationId, SessionId, TemplateId, TenantId, TriggerId, UnitId, UserId,
};
use jiff::civil::date;

use crate::hooks::hooked;
use crate::support::Place;
use crate::upkeep::{kept_up, planned, to_do};

/// A tenant of its own for each number.
pub(crate) fn tenant(number: u128) -> TenantId {
    id(1_000_000 + number)
}

/// What begins an organisation: two units, an owner role and a clerk role that inherits, one permission of its own.
pub(crate) async fn found(place: &Place, tenant: TenantId) -> i64 {
    let unit = |unit: u128, parent: Option<u128>| OrganizationEvent::UnitAdded {
        unit_id: id(unit),
        kind: UnitKind::Site,
        code: format!("U{unit}"),
        name: format!("Unit {unit}"),
        parent_id: parent.map(id),
        time_zone: None,
    };
    let created = OrganizationEvent::Created {
        name: "Acme".into(),
        slug: format!("acme-{tenant}"),
        time_zone: "UTC".into(),
        locale: "en".into(),
        currency: "EUR".into(),
    };
    place
        .append::<Organization>(tenant, tenant, [created, unit(701, None), unit(702, Some(701))])
        .await;
    let role = |role: u128, level| {
        PolicyEvent::RoleCreated(RoleCreated {
            role_id: id(role),
            name: format!("Role {role}"),
            code: format!("R{role}"),
            description: None,
            level,
            unit_id: None,
            system: false,
            protected: role == 801,
        })
    };
    let permission = PolicyEvent::PermissionCreated {
        permission_id: id(901),
        name: "shop.orders:read".into(),
        description: None,
        implies: vec![],
    };
    let granted = |role: u128, permission: &str| PolicyEvent::PermissionGranted {
        role_id: id(role),
        permission: permission.into(),
    };
    place
        .append::<Policy>(
            tenant,
            tenant,
            [
                PolicyEvent::Initialized { owner_role_id: id(801) },
                role(801, 100),
                role(802, 50),
                role(803, 10),
                permission,
                granted(801, "*:*"),
                granted(803, "shop.orders:read"),
                PolicyEvent::InheritanceAdded { senior_id: id(802), junior_id: id(803) },
                PolicyEvent::ExclusiveRolesDefined {
                    set_id: id(950),
                    name: "Owners and clerks".into(),
                    roles: vec![id(801), id(803)],
                    cardinality: 2,
                },
            ],
        )
        .await
}

/// Something happens: round after round something else, to one after the other; the last position.
pub(crate) async fn happen(place: &Place, tenant: TenantId, round: u128) -> i64 {
    let user: UserId = id(10_000 + round);
    let registered = UserEvent::Registered {
        handle: format!("user{round}"),
        display_name: format!("User \"{round}\" \\ ü\n"),
        email: round.is_multiple_of(2).then(|| format!("u{round}@example.org")),
        locale: "de-CH".into(),
        time_zone: "Europe/Zurich".into(),
    };
    let renamed = UserEvent::Renamed { display_name: format!("Renamed {round}") };
    let (previous, handle) = (format!("user{round}"), format!("known{round}"));
    let known = UserEvent::HandleReplaced { previous, handle };
    let reached = UserEvent::PhoneReplaced { phone: Some(format!("+4144668{round:04}")) };
    let reason = RevocationReason::Password;
    let ended = UserEvent::SessionsEnded { reason, except: Some(id(20_000 + round)) };
    place.append::<User>(tenant, user, [registered, renamed, known, reached, ended]).await;
    session(place, tenant, user, round).await;
    invite(place, tenant, user, round).await;
    let (role_id, unit_id) = (id(802 + round % 2), round.is_multiple_of(3).then(|| id(702)));
    let assigned = AccessEvent::RoleAssigned { role_id, unit_id, expires_at: None };
    let removed = AccessEvent::RoleRemoved { role_id, unit_id, reason: Some("left".into()) };
    let access = if round.is_multiple_of(5) { vec![assigned, removed] } else { vec![assigned] };
    let (unit_id, level) =
        (id(701), [Level::Read, Level::Write][usize::from(round.is_multiple_of(3))]);
    let opened = AccessEvent::UnitAccessGranted { unit_id, level, expires_at: None };
    let closed = AccessEvent::UnitAccessRevoked { unit_id, reason: None };
    let units = if round.is_multiple_of(4) { vec![opened, closed] } else { vec![opened] };
    place.append::<UserAccess>(tenant, user, [access, units].concat()).await;
    let refused = Refusal::CommandRefused(CommandRefused {
        extensions: serde_json::Map::new(),
        command: "rbac_policy_create_role".into(),
        resource_type: "rbac.policy".into(),
        resource_id: Some(tenant.to_string()),
        status: 409,
        code: "CODE_TAKEN".into(),
        detail: "the code is taken".into(),
    });
    let denied = Refusal::AccessDenied(AccessDenied {
        caller: None,
        permission: "rbac.roles:manage".into(),
        unit_id: None,
        method: "POST".into(),
        path_template: "/rbac/roles".into(),
        reason: "NOT_GRANTED".into(),
        repeated: 0,
    });
    place.append::<SecurityLog>(tenant, "2026-01-01", [refused, denied]).await;
    work(place, tenant, user, round).await;
    configure(place, tenant, round).await;
    archive(place, tenant, round).await;
    trust(place, tenant, user, round).await;
    recur(place, tenant, user, round).await;
    uploaded(place, tenant, (round, user)).await;
    kept_up(place, tenant, (round, user)).await;
    to_do(place, tenant, (round, user)).await;
    planned(place, tenant, (round, user)).await;
    commented(place, tenant, (round, user)).await;
    hooked(place, tenant, (round, user)).await;
    let replaced = PolicyEvent::RolePermissionsReplaced {
        role_id: id(803),
        added: vec![format!("shop.item{round}:read")],
        removed: vec![format!("shop.item{}:read", round.saturating_sub(3))],
    };
    place.append::<Policy>(tenant, tenant, [replaced]).await
}

async fn session(place: &Place, tenant: TenantId, user: UserId, round: u128) {
    let expires_at = at("2026-02-01T00:00:00.123456Z");
    let started = SessionEvent::Started {
        user_id: user,
        refresh_sha256: "a1".into(),
        expires_at,
        amr: vec!["pwd".into()],
        ip: Some("2001:db8::1".into()),
        user_agent: Some("curl".into()),
        began_after: 0,
        issuer_id: None,
        issuer_endings: 0,
        token_sha256: None,
    };
    let refreshed =
        SessionEvent::Refreshed { rotation: 1, refresh_sha256: "b2".into(), expires_at };
    let revoked = SessionEvent::Revoked { reason: RevocationReason::Logout };
    let session: SessionId = id(20_000 + round);
    place.append::<Session>(tenant, session, [started, refreshed, revoked]).await;
    key(place, tenant, user, round).await;
}

async fn key(place: &Place, tenant: TenantId, owner_id: UserId, round: u128) {
    let expires_at = at("2026-02-01T00:00:00Z");
    let (name, scope) = (format!("Program {round}"), vec!["exports.files:request".into()]);
    let created =
        KeyEvent::Created { owner_id, name, scope, secret_sha256: "c1".into(), expires_at };
    let overlap_ends_at = Some(expires_at);
    let rotated = KeyEvent::Rotated { secret_sha256: "c2".into(), expires_at, overlap_ends_at };
    let renamed = KeyEvent::Renamed { name: "Robot".into() };
    let revoked = KeyEvent::Revoked { reason: KeyReason::Leaked };
    let key: ApiKeyId = id(80_000 + round);
    place.append::<ApiKey>(tenant, key, [created, rotated, renamed, revoked]).await;
}

async fn invite(place: &Place, tenant: TenantId, user: UserId, round: u128) {
    let email = format!("guest{round}@example.org");
    let expires_at = at("2026-02-01T00:00:00Z");
    let roles = vec![Assignment { role_id: id(803), unit_id: None, expires_at: None }];
    let issued = InvitationEvent::Issued {
        email: email.clone(),
        roles,
        message: Some("Welcome".into()),
        invited_by: user,
        token_sha256: "c3".into(),
        expires_at,
    };
    let token_sha256 = "d4".into();
    let resent =
        InvitationEvent::Resent { invited_by: user, token_sha256, expires_at, email: None };
    let ended = match round % 4 {
        0 => vec![InvitationEvent::Accepted { user_id: id(60_000 + round), email }],
        1 => vec![InvitationEvent::Revoked { email }],
        2 => vec![InvitationEvent::Expired { email }],
        _ => vec![],
    };
    let invitation: InvitationId = id(70_000 + round);
    place.append::<Invitation>(tenant, invitation, [vec![issued, resent], ended].concat()).await;
}

async fn trust(place: &Place, tenant: TenantId, user: UserId, round: u128) {
    let terms = Terms {
        audiences: vec!["annals".into()],
        algorithms: vec![Algorithm::ES256],
        jwks_uri: None,
        mapping: Mapping::VerifiedEmail,
        email_domains: vec![],
        joins: false,
    };
    let address = format!("https://login{round}.example.org");
    let trusted = IssuerEvent::Trusted {
        name: "Login".into(),
        issuer: address.clone(),
        terms: terms.clone(),
    };
    let replaced = IssuerEvent::TermsReplaced { terms: Terms { joins: true, ..terms } };
    let ended = match round % 3 {
        0 => IssuerEvent::Suspended { reason: "breached".into() },
        1 => IssuerEvent::Distrusted { issuer: address },
        _ => IssuerEvent::Renamed { name: "Door".into() },
    };
    let issuer_id: IssuerId = id(90_000 + round);
    place.append::<Issuer>(tenant, issuer_id, [trusted, replaced, ended]).await;
    let linked = UserEvent::IdentityLinked { issuer_id, subject_sha256: "f6".into() };
    place.append::<User>(tenant, user, [UserEvent::EmailConfirmed, linked]).await;
}

async fn work(place: &Place, tenant: TenantId, user: UserId, round: u128) {
    let requested = ExportEvent::Requested {
        format: Format::Xlsx,
        dataset: "rbac.roles".into(),
        columns: vec!["name".into(), "code".into()],
        filter: Some("name=\"x\"".into()),
        sort: vec![],
        title: None,
        locale: "en".into(),
        time_zone: "UTC".into(),
        requested_by: user,
        wishes: Box::default(),
        options: Box::default(),
    };
    let report = Report {
        dataset: "rbac.roles".into(),
        columns: vec!["name".into()],
        layout: Layout { header: Some("Acme".into()), ..Layout::default() },
        ..Report::default()
    };
    let name = format!("Roles {round}");
    let defined = TemplateEvent::Defined { name: name.clone(), report };
    let template: TemplateId = id(130_000 + round);
    place.append::<Template>(tenant, template, [defined, TemplateEvent::Retired { name }]).await;
    let shown =
        Report { dataset: "rbac.roles".into(), columns: vec!["name".into()], ..Report::default() };
    let items = vec![Item { format: Format::Csv, report: shown, template_id: None }];
    let batch: BatchId = id(140_000 + round);
    let asked = BatchEvent::Requested { title: None, items, run_at: None, requested_by: id(round) };
    place.append::<Batch>(tenant, batch, [asked, BatchEvent::Cancelled]).await;
    let started = ExportEvent::Started { attempt: 1, worker: "w".into() };
    let progressed = ExportEvent::Progressed { rows_done: 5, rows_total: None };
    let export: ExportId = id(30_000 + round);
    place
        .append::<Export>(tenant, export, [requested, started, progressed, ExportEvent::Cancelled])
        .await;
    let created = NotificationEvent::Created {
        user_id: user,
        kind: Kind::ExportFailed,
        title: "No file\u{0}".into(),
        message: "it was cancelled".into(),
        link: None,
        priority: Priority::High,
        dedupe_key: None,
    };
    let events = match round % 4 {
        0 => vec![created],
        1 => vec![created, NotificationEvent::Read],
        _ => vec![created, NotificationEvent::Read, NotificationEvent::Deleted],
    };
    let notification: NotificationId = id(40_000 + round);
    place.append::<Notification>(tenant, notification, events).await;
    let requested = BackupEvent::Requested { name: "nightly".into(), scope: Scope::Tenant };
    let failed = BackupEvent::Failed { code: "DISK_FULL".into(), message: "no room".into() };
    let backup: BackupId = id(50_000 + round);
    place.append::<Backup>(tenant, backup, [requested, failed]).await;
}

/// A month of long ago is archived and dropped.
async fn archive(place: &Place, tenant: TenantId, round: u128) {
    let month = date(i16::try_from(1000 + round % 900).unwrap(), 1, 1);
    let archived = Archive {
        month,
        file_id: id(80_000 + round),
        sha256: "e5".repeat(32),
        size_bytes: 512,
        rows: 1,
        first_seq: 1,
        last_seq: 1,
        checkpoint_size: 1,
        checkpoint_root: "root".into(),
    };
    let requested = LedgerEvent::ArchiveRequested { older_than: date(2000, 1, 1) };
    let dropped = LedgerEvent::MonthDropped { month };
    place
        .append::<Ledger>(tenant, tenant, [requested, LedgerEvent::Archived(archived), dropped])
        .await;
}

async fn configure(place: &Place, tenant: TenantId, round: u128) {
    let key = Key::CalendarFirstDayOfWeek;
    let chosen = ConfigurationEvent::SettingChosen { key, value: Value::Text("friday".into()) };
    let switched = ConfigurationEvent::FlagSwitched {
        flag: Flag::Webhooks,
        enabled: true,
        rollout_pct: u8::try_from(round % 100).unwrap(),
        units: vec![id(702)],
    };
    place.append::<Configuration>(tenant, tenant, [chosen.clone(), switched]).await;
    let unset = ConfigurationEvent::SettingUnset { key };
    let events = if round.is_multiple_of(2) { vec![chosen] } else { vec![chosen, unset] };
    place.append::<Configuration>(tenant, id::<UnitId>(702), events).await;
}

async fn recur(place: &Place, tenant: TenantId, user: UserId, round: u128) {
    let day = date(2026, 12, 25);
    let (label, recurring) = ("Holiday".to_owned(), Recurring::Yearly);
    let blackout = Blackout { from: day, to: day, label, recurring };
    let added = CalendarEvent::BlackoutAdded { blackout_id: id(round), blackout };
    let defined = CalendarEvent::Defined { name: format!("Calendar {round}") };
    let calendar: BlackoutCalendarId = id(110_000 + round);
    place.append::<BlackoutCalendar>(tenant, calendar, [defined, added]).await;
    let modifiers = Modifiers {
        time_zone: "Europe/Zurich".into(),
        blackout_ids: vec![calendar],
        ..Modifiers::default()
    };
    let spec = Spec::Cron { expression: "30 6 * * 1-5".into() };
    let occurrence = at("2026-01-02T05:30:00Z");
    let created = TriggerEvent::Created {
        name: format!("Trigger {round}"),
        owned_by: user,
        target: Target { command: "backups_backup_request".into(), args: serde_json::json!({}) },
        terms: trigger::Terms {
            spec,
            modifiers,
            starts_at: None,
            ends_at: None,
            max_fires: None,
            lead_secs: None,
        },
        counts_from: at("2026-01-01T12:00:00Z"),
        next_at: Some(occurrence),
        managed_by: None,
    };
    let fired = TriggerEvent::Fired {
        occurrence,
        version: 1,
        crossings: None,
        reading: None,
        next_at: Some(at("2026-01-05T05:30:00Z")),
    };
    let ended = match round % 3 {
        0 => TriggerEvent::Paused,
        1 => TriggerEvent::Cancelled,
        _ => TriggerEvent::Renamed { name: "Weekdays".into() },
    };
    let trigger: TriggerId = id(120_000 + round);
    place.append::<Trigger>(tenant, trigger, [created, fired, ended]).await;
}

/// A file that is uploaded, linked to whoever did it, and in every third round unlinked and deleted.
async fn uploaded(place: &Place, tenant: TenantId, (round, user): (u128, UserId)) {
    let initiated = FileEvent::Initiated {
        name: format!("file {round}.txt"),
        media_type: "text/plain".into(),
        size_bytes: Some(7),
        purpose: Purpose::Attachment,
        uploaded_by: user,
        expires_at: at("2026-01-02T12:00:00Z"),
    };
    let content = Content {
        blob_id: id(140_000 + round),
        sha256: "0f".repeat(32),
        size_bytes: 7,
        media_type: "text/plain".into(),
        uploaded_by: user,
    };
    let stored = FileEvent::Stored { content: content.clone(), keep_until: None };
    let subject = Subject { kind: SubjectKind::User, id: user.0 };
    let linked = FileEvent::Linked { subject, role: "photo".into() };
    let mut events = vec![initiated, stored, linked];
    if round % 3 == 0 {
        events.push(FileEvent::Unlinked { subject, keep_until: None });
        events.push(FileEvent::Deleted { content });
    }
    place.append::<File>(tenant, id::<FileId>(130_000 + round), events).await;
}

/// A comment on whoever wrote it, with an answer; it is edited, and in every third round deleted.
async fn commented(place: &Place, tenant: TenantId, (round, user): (u128, UserId)) {
    let subject = Subject { kind: SubjectKind::User, id: user.0 };
    let comment_id: CommentId = id(170_000 + 2 * round);
    let posted = |comment_id, parent_id| CommentEvent::CommentPosted {
        comment_id,
        subject,
        author_id: user,
        body: format!("\"{round}\" \\ \u{fc}\n@anna"),
        mentions: vec![id(10_000)],
        parent_id,
        editable_until: at("2026-01-01T12:15:00Z"),
    };
    let answered = posted(id(170_001 + 2 * round), Some(comment_id));
    let mut events = vec![posted(comment_id, None), answered];
    events.push(CommentEvent::CommentEdited {
        comment_id,
        author_id: user,
        body: "@anna, @bob".into(),
        mentions: vec![id(10_000), id(10_001)],
        mentions_added: vec![id(10_001)],
    });
    if round.is_multiple_of(3) {
        events.push(CommentEvent::CommentDeleted { comment_id });
    }
    place.append::<Thread>(tenant, Thread::of(tenant, &subject), events).await;
}
