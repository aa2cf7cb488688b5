//! A cloud that does what it is told and loses the answer, or says 409 for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use kamscale_agent::cloud::{Answer, Cloud, CloudError, Method, Request};

/// Wraps a cloud with faults in changes; reads are left alone.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Cloud>,
    /// So many changes are carried out and their answers lost.
    lose: AtomicU32,
    /// So many changes after those are refused with 409.
    refuse: AtomicU32,
    /// Changes that were carried out.
    pub(crate) done: AtomicU32,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Cloud>, lose: u32, refuse: u32) -> Arc<Faulty> {
        Arc::new(Faulty {
            inner,
            lose: lose.into(),
            refuse: refuse.into(),
            done: AtomicU32::new(0),
        })
    }
}

fn take(from: &AtomicU32) -> bool {
    let less = |count: u32| count.checked_sub(1);
    from.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

#[async_trait]
impl Cloud for Faulty {
    async fn request(&self, request: Request) -> Result<Answer, CloudError> {
        if request.method == Method::Get {
            return self.inner.request(request).await;
        }
        let (service, what) = (request.service, request.what());
        let (lose, refuse) = (take(&self.lose), take(&self.refuse));
        if refuse && !lose {
            return Err(CloudError::Refused {
                service,
                what,
                status: 409,
                message: "ActionInProgress: the stack is being changed".into(),
                request_id: None,
                retry_after_s: None,
            });
        }
        let answer = self.inner.request(request).await;
        self.done.fetch_add(1, Ordering::SeqCst);
        if lose {
            return Err(CloudError::Unknown {
                service,
                what,
                reason: "the answer was lost".into(),
                request_id: None,
            });
        }
        answer
    }
}
