//! Files that people upload: what they may be called and hold, what they are about, and who may read them.
//!
//! The bytes are kept once per organisation, whatever number of files they are the content of. What a file holds is found out from
//! its beginning, its end and, of an archive, its list of entries alone: nothing is ever unpacked or rendered here.

pub mod archive;
pub mod content;
pub mod file;
pub mod name;
mod purpose;

pub use purpose::Purpose;
