use super::*;
use std::sync::atomic::AtomicUsize;

struct Count(AtomicUsize);
impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn many_wakes_queue_a_socket_once_and_in_order() {
    let queue = ReadyQueue::default();
    let (one, two) = (queue.waker(1), queue.waker(2));
    for _ in 0..3 {
        two.context().waker().wake_by_ref();
        one.again();
    }
    assert_eq!(queue.len(), 2);
    assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(2), Some(1), None));
    one.again();
    assert_eq!(queue.pop(), Some(1), "a popped socket can be woken again");
}

#[test]
fn the_driver_is_woken_once_for_each_wait() {
    let queue = ReadyQueue::default();
    let one = queue.waker(1);
    let two = queue.waker(2);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    assert!(!queue.poll_ready(&mut cx));
    one.again();
    two.again();
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(queue.poll_ready(&mut cx));
}

#[test]
fn wakes_of_other_threads_are_not_lost() {
    let queue = ReadyQueue::default();
    let wakers: Vec<_> = (0..64).map(|key| queue.waker(key)).collect();
    std::thread::scope(|scope| {
        for chunk in wakers.chunks(16) {
            scope.spawn(move || chunk.iter().for_each(ReadyWaker::again));
        }
    });
    let mut seen: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..64).collect::<Vec<_>>());
}
