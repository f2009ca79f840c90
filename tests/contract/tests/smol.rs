//! The contract on smol.

mod rt {
    pub(crate) use cpm_runtime_smol::*;
    use std::time::Duration;

    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }

    pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> F::Output {
        let late = async {
            smol::Timer::after(limit).await;
            panic!("the deadline of the test has passed");
        };
        smol::future::or(future, late).await
    }
}

mod suite;
