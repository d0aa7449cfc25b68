//! Holes through which money leaks elsewhere: what closes them here, and that each of them has its test.

mod priced;
