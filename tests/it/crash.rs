//! The program dies: at each point between two steps, and at any moment. It starts again, everything comes to its end, and
//! the books are those of a run in which nobody died.

mod books;
mod kill;
mod point;
mod scratch;
mod site;
mod story;
