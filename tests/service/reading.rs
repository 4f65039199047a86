//! Reading back.

mod faults;
mod fetch;
mod foreign;
mod lines;
mod pages;
mod parameters;
mod point;
mod slow;
