//! Hooks at every write, sync, rename and removal of this crate, for the crash tests.
//!
//! A hook is named `KIND.OP`: the kind says what is written (`output`, `folder`, `manifest`, `counts`, `scores`,
//! `state`, `spool`), the operation what is done to it (`write`, `sync`, `rename`, `swap`, `create`, `truncate`, `remove`, `sync-folder`).
//! Without the cargo feature `failpoints` a hook compiles to nothing. With it, two environment variables, read once a process, arm them:
//!
//! - `TAMIS_FAILPOINT=NAME[:NTH]=kill|enospc|eio`: the NTH (from 1, default 1) pass of the hook NAME, or of any hook at all
//!   for `any`, kills the process as `kill -9` does, or fails as a full disk or a broken one does. A write that is hit first
//!   writes half of its bytes.
//! - `TAMIS_FAILPOINT_LOG=FILE`: the names of the hooks passed are appended to FILE, a line each.

#[cfg(feature = "failpoints")]
pub(crate) use armed::pass;
#[cfg(not(feature = "failpoints"))]
pub(crate) use off::pass;

#[cfg(not(feature = "failpoints"))]
mod off {
    /// Without failpoints there is none.
    pub(crate) enum Blow {}

    impl Blow {
        pub(crate) fn strike(self) -> std::io::Error {
            match self {}
        }
    }

    #[inline(always)]
    pub(crate) fn pass(_kind: &'static str, _op: &'static str) -> Option<Blow> {
        None
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::{self, Write};
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::sync::{Mutex, OnceLock};

    /// What an armed hook does to the call that it stands in.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Blow {
        /// The process dies at once; no destructor runs.
        Kill,
        /// The call fails as on a full disk.
        DiskFull,
        /// The call fails as on a broken disk.
        Broken,
    }

    impl Blow {
        /// Carries the blow out; returns only with the error to fail with.
        pub(crate) fn strike(self) -> io::Error {
            match self {
                Blow::Kill => kill(),
                // ENOSPC and EIO, the same numbers on all systems.
                Blow::DiskFull => io::Error::from_raw_os_error(28),
                Blow::Broken => io::Error::from_raw_os_error(5),
            }
        }
    }

    #[cfg(unix)]
    fn kill() -> ! {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal may take a moment to arrive: nothing may happen until then.
        loop {
            std::thread::park();
        }
    }

    #[cfg(not(unix))]
    fn kill() -> ! {
        std::process::abort()
    }

    /// One arming: which hook, which pass of it, what happens.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Arming {
        name: String,
        nth: u64,
        blow: Blow,
    }

    struct Hooks {
        arming: Option<Arming>,
        passed: AtomicU64,
        log: Option<Mutex<File>>,
    }

    /// Reads `NAME[:NTH]=ACTION`.
    pub(super) fn parse(text: &str) -> Option<Arming> {
        let (hook, action) = text.split_once('=')?;
        let (name, nth) = match hook.split_once(':') {
            Some((name, nth)) => (name, nth.parse().ok().filter(|&n| n > 0)?),
            None => (hook, 1),
        };
        let blow = match action {
            "kill" => Blow::Kill,
            "enospc" => Blow::DiskFull,
            "eio" => Blow::Broken,
            _ => return None,
        };
        Some(Arming { name: name.to_owned(), nth, blow })
    }

    fn hooks() -> &'static Hooks {
        static HOOKS: OnceLock<Hooks> = OnceLock::new();
        HOOKS.get_or_init(|| Hooks {
            // A misspelt arming would let a crash test pass without a crash.
            arming: std::env::var("TAMIS_FAILPOINT")
                .ok()
                .map(|text| parse(&text).expect("TAMIS_FAILPOINT is not NAME[:NTH]=kill|enospc|eio")),
            passed: AtomicU64::new(0),
            log: std::env::var_os("TAMIS_FAILPOINT_LOG").map(|path| {
                let file = OpenOptions::new().create(true).append(true).open(path);
                Mutex::new(file.expect("TAMIS_FAILPOINT_LOG cannot be opened"))
            }),
        })
    }

    /// Passes the hook `kind.op`: the blow to take here, if one is armed for this pass.
    pub(crate) fn pass(kind: &'static str, op: &'static str) -> Option<Blow> {
        let hooks = hooks();
        if let Some(log) = &hooks.log {
            let line = format!("{kind}.{op}\n");
            let _ = log.lock().unwrap_or_else(|e| e.into_inner()).write_all(line.as_bytes());
        }
        let arming = hooks.arming.as_ref()?;
        let is_it =
            arming.name == "any" || arming.name.split_once('.').is_some_and(|(k, o)| k == kind && o == op);
        (is_it && hooks.passed.fetch_add(1, SeqCst) + 1 == arming.nth).then_some(arming.blow)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn armings_are_read_whole_or_refused() {
            let arming = |name: &str, nth, blow| Some(Arming { name: name.into(), nth, blow });
            assert_eq!(parse("output.write=kill"), arming("output.write", 1, Blow::Kill));
            assert_eq!(parse("any:17=enospc"), arming("any", 17, Blow::DiskFull));
            assert_eq!(parse("state.sync:2=eio"), arming("state.sync", 2, Blow::Broken));
            for wrong in ["", "any", "any=", "any:0=kill", "any:x=kill", "any=die"] {
                assert_eq!(parse(wrong), None, "{wrong}");
            }
        }
    }
}
