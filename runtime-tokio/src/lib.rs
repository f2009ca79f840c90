//! CPM on tokio: sockets, timer and tasks around the pure core.
