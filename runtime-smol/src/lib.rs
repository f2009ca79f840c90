//! CPM on smol: sockets, timer and tasks around the pure core.
