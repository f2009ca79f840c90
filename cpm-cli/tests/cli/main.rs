//! The real program over real sockets.

mod edges;
mod processes;
mod story;
