//! Clients that ask all the time while something happens, and remember every answer that is not the right one.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use reqwest::blocking::{Client, RequestBuilder};

use super::client;

/// One more client, which makes this request again and again, and what its answer must be.
pub(super) struct Asked<'a> {
    pub(super) request: Box<dyn Fn(&Client) -> RequestBuilder + Send + Sync + 'a>,
    pub(super) is_right: fn(reqwest::blocking::Response) -> Result<(), String>,
}

/// So that the machine has time for what is asked, too.
const PAUSE: Duration = Duration::from_millis(3);

/// Runs `work` while all of them ask, and tells how often they were answered. Fails if one answer was not right.
pub(super) fn under_load<T>(asked: &[Asked<'_>], work: impl FnOnce() -> T) -> (T, usize) {
    let (is_over, answered, wrong) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let done = thread::scope(|scope| {
        for one in asked {
            scope.spawn(|| {
                let client = client();
                while !is_over.load(Ordering::Relaxed) {
                    let told = (one.request)(&client).send().map_err(|error| format!("{error:?}"));
                    if let Err(problem) = told.and_then(one.is_right) {
                        wrong.lock().unwrap().push(problem);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(PAUSE);
                }
            });
        }
        // Also if the work fails, or nobody would hear of it.
        let _over = Over(&is_over);
        work()
    });
    let wrong = wrong.into_inner().unwrap();
    let answered = answered.into_inner();
    assert!(wrong.is_empty(), "{} of {answered} were not right: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    assert!(answered > 100, "nobody asked much: {answered}");
    (done, answered)
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
