//! The contract on tokio.

mod rt {
    pub(crate) use cpm_runtime_tokio::*;
    use std::time::Duration;

    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> F::Output {
        tokio::time::timeout(limit, future).await.expect("the deadline of the test has passed")
    }
}

mod suite;
