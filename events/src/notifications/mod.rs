//! Messages to people, each in its recipient's inbox.

pub mod notification;
