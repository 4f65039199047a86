//! Showing results: as text while and after they are measured, and in the documentation.

mod page;
mod plots;
mod table;

pub use page::write_docs;
pub use table::{progress, text};
