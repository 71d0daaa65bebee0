//! Errors: their exact texts (1.2), and which of them may be tried again (1.7).

use fatum::systems::agent::error::BoxError;
use fatum::systems::agent::{
    AgentError, ErrorKind, Next, TaskError, Temporary, is_temporary, make_temporary,
};
use fatum::time::{Duration, timeout};
use std::error::Error;
use std::fmt;
use std::future::pending;

#[test]
fn the_texts_are_those_of_the_reference() {
    let texts = [
        (ErrorKind::RuntimeUnsupported, "exec: unsupported runtime"),
        (ErrorKind::TaskPrepared, "exec: task already prepared"),
        (ErrorKind::TaskStarted, "exec: task already started"),
        (ErrorKind::TaskUpdateRejected, "exec: task update rejected"),
        (ErrorKind::ControllerClosed, "exec: controller closed"),
        (ErrorKind::DependencyNotReady, "dependency not ready"),
    ];
    for (kind, text) in texts {
        assert_eq!(TaskError::from(kind).to_string(), text);
    }
    assert_eq!(Next::Retry.to_string(), "exec: task retry");
    assert_eq!(Next::Noop.to_string(), "exec: task noop");
    assert_eq!(AgentError::Closed.to_string(), "agent: closed");
    assert_eq!(TaskError::exit(3, None).to_string(), "task: non-zero exit (3)");
    let because: BoxError = "out of memory".into();
    assert_eq!(TaskError::exit(137, Some(because)).to_string(), "task: non-zero exit (137): out of memory");
}

/// Wraps an error so many times.
fn wrapped(error: TaskError, times: usize) -> TaskError {
    (0..times).fold(error, |error, nth| TaskError::wrap(&format!("layer {nth}"), error))
}

#[test]
fn no_error_and_a_plain_one_are_not_temporary() {
    assert!(!is_temporary(None));
    assert!(!is_temporary(Some(&TaskError::new("plain"))));
    assert!(!is_temporary(Some(&std::fmt::Error)));
}

#[test]
fn a_temporary_error_is_so_however_it_is_wrapped() {
    for times in 0..4 {
        assert!(wrapped(make_temporary(TaskError::new("busy")), times).is_temporary(), "{times}");
    }
}

#[test]
fn the_nearest_that_says_so_or_not_decides() {
    let hidden = TaskError::wrap("outer", make_temporary(TaskError::new("busy"))).temporary(false);
    assert!(!hidden.is_temporary());
    assert!(!wrapped(hidden, 2).is_temporary());
    let shown = TaskError::wrap("outer", TaskError::new("gone").temporary(false)).temporary(true);
    assert!(wrapped(shown, 2).is_temporary());
}

/// An error of somebody else's, with a cause.
#[derive(Debug)]
struct Own {
    temporary: bool,
    cause: Option<TaskError>,
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("own")
    }
}

impl Error for Own {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl Temporary for Own {
    fn is_temporary(&self) -> bool {
        self.temporary
    }
}

#[test]
fn an_error_of_another_type_says_whether_it_is_temporary() {
    for temporary in [false, true] {
        let told = || TaskError::telling(Own { temporary, cause: None });
        assert_eq!((told().to_string(), told().is_temporary()), ("own".to_owned(), temporary));
        assert_eq!(wrapped(told(), 3).is_temporary(), temporary);
        // Between the two of them the nearer one decides.
        let inner = TaskError::new("inner").temporary(!temporary);
        assert_eq!(TaskError::telling(Own { temporary, cause: Some(inner) }).is_temporary(), temporary);
    }
    let busy = make_temporary(TaskError::new("busy"));
    assert!(is_temporary(Some(&Own { temporary: false, cause: Some(busy) })), "its cause is asked");
}

#[test]
fn an_error_always_says_something_and_a_timeout_what_a_deadline_says() {
    assert_eq!(TaskError::new("").to_string(), "unknown error");
    let silent: BoxError = "".into();
    assert_eq!(TaskError::wrap("", silent).text(), "unknown error");
    let elapsed = super::simulate(|| async {
        let elapsed = timeout(Duration::from_secs(1), pending::<()>()).await.unwrap_err();
        TaskError::from(elapsed)
    });
    assert_eq!(elapsed.to_string(), "context deadline exceeded");
    assert_eq!((elapsed.kind(), elapsed.is_interruption()), (ErrorKind::DeadlineExceeded, true));
}

#[test]
fn making_temporary_keeps_text_and_chain_and_wraps_once() {
    let made = make_temporary(TaskError::wrap("outer", TaskError::new("inner")));
    assert_eq!(made.to_string(), "outer: inner");
    assert_eq!(made.source().unwrap().source().unwrap().to_string(), "inner");
    let depth = |error: &TaskError| {
        let mut depth = 0;
        let mut next = error.source();
        while let Some(error) = next {
            (depth, next) = (depth + 1, error.source());
        }
        depth
    };
    assert_eq!(depth(&make_temporary(made)), 2);
    let refused = TaskError::new("no").temporary(false);
    assert!(make_temporary(refused).is_temporary());
}

#[test]
fn an_interruption_is_one_at_the_root() {
    for kind in [ErrorKind::Cancelled, ErrorKind::DeadlineExceeded] {
        assert!(wrapped(kind.into(), 3).is_interruption());
    }
    assert!(!TaskError::new("context canceled").is_interruption());
    assert!(wrapped(make_temporary(ErrorKind::Cancelled.into()), 1).is_interruption());
}
