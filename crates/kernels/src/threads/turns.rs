//! How long a thread computes before another one may take its core.
//!
//! A worker asks for long turns. Linux from 6.12 then lets a thread that wakes and has ordinary ones, such as a service's event
//! loop, take the core at once, instead of when the worker's turn of about 3 ms is over; shares of the core stay the same.
//! Elsewhere the request does nothing.

/// The turn that is asked for, in nanoseconds.
#[cfg(target_os = "linux")]
const TURN: u64 = 20_000_000;

/// Asks for long turns for the calling thread. What refuses (an older kernel, a sandbox) leaves it as it was.
pub fn take_long() {
    #[cfg(target_os = "linux")]
    if let Some(attributes) = linux::get()
        && attributes.policy == linux::ORDINARY
    {
        linux::set(attributes.with_turn(TURN));
    }
}

#[cfg(target_os = "linux")]
mod linux {
    /// The policy of threads that asked for no other.
    pub const ORDINARY: u32 = libc::SCHED_OTHER as u32;

    /// `sched_attr` in its first version.
    #[repr(C)]
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Attributes {
        size: u32,
        pub policy: u32,
        flags: u64,
        pub nice: i32,
        priority: u32,
        /// Of an ordinary thread its turn.
        pub runtime: u64,
        deadline: u64,
        period: u64,
    }

    impl Attributes {
        pub fn with_turn(self, runtime: u64) -> Self {
            Attributes { runtime, ..self }
        }
    }

    const SIZE: u32 = size_of::<Attributes>() as u32;
    const THIS_THREAD: libc::pid_t = 0;
    const NO_FLAGS: libc::c_uint = 0;

    /// Those of the calling thread.
    pub fn get() -> Option<Attributes> {
        let mut attributes = Attributes::default();
        // SAFETY: the kernel writes at most `SIZE` bytes, which `attributes` has, and every bit pattern is a value.
        let failed = unsafe {
            libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, &raw mut attributes, SIZE, NO_FLAGS)
        };
        (failed == 0).then_some(attributes)
    }

    /// Sets those of the calling thread.
    pub fn set(attributes: Attributes) {
        let attributes = Attributes { size: SIZE, ..attributes };
        // SAFETY: the kernel reads `size` bytes, which `attributes` has, and writes to no memory of ours but that size.
        unsafe { libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, &raw const attributes, NO_FLAGS) };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_turn_changes() {
        let on_a_thread = || {
            let before = linux::get();
            take_long();
            (before, linux::get())
        };
        let (before, after) = std::thread::spawn(on_a_thread).join().unwrap();
        let Some((before, after)) = before.zip(after) else {
            eprintln!("skipped: the system does not tell a thread's attributes");
            return;
        };
        assert!(after.runtime == TURN || after.runtime == before.runtime, "{after:?}");
        assert_eq!(after.with_turn(before.runtime), before);
    }
}
