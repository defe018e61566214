use super::*;
use std::sync::atomic::{AtomicU64, AtomicUsize};

/// Numbers from 0 to `end`.
fn numbers(end: u64) -> impl Fn() -> Result<Option<(u64, u64)>, (u64, Error)> + Sync {
    let next = AtomicU64::new(0);
    move || {
        let number = next.fetch_add(1, Relaxed);
        Ok((number < end).then_some((number, number)))
    }
}

/// Work that takes longer for some than for others, without a clock.
fn spin(number: u64) -> u64 {
    (0..number * 7919 % 1000).fold(number, |a, b| std::hint::black_box(a ^ b ^ (a << 1)))
}

#[test]
fn results_come_in_order_from_any_number_of_threads() {
    for workers in [None, Some(0), Some(1), Some(2), Some(100)] {
        let mut got = Vec::new();
        let work = |_: &mut (), number| {
            std::hint::black_box(spin(number));
            Ok(number)
        };
        for_each(
            numbers(500),
            workers,
            &Job::default(),
            || (),
            work,
            |number| {
                got.push(number);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(got, (0..500).collect::<Vec<_>>());
    }
}

#[test]
fn states_are_no_more_than_workers_and_few_items_are_alive() {
    let (states, alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let source = numbers(300);
    let next = || {
        let item = source()?;
        if item.is_some() {
            most.fetch_max(alive.fetch_add(1, Relaxed) + 1, Relaxed);
        }
        Ok(item)
    };
    let init = || states.fetch_add(1, Relaxed);
    let work = |_: &mut usize, number| {
        std::hint::black_box(spin(number));
        Ok(number)
    };
    for_each(next, Some(2), &Job::default(), init, work, |_| {
        alive.fetch_sub(1, Relaxed);
        Ok(())
    })
    .unwrap();
    assert!((1..=2).contains(&states.into_inner()));
    assert!(most.into_inner() <= 4);
}

#[test]
fn the_first_error_in_order_wins() {
    for source_fails in [false, true] {
        let source = numbers(100);
        let next = || match source()? {
            Some((40, _)) if source_fails => Err((40, Error::range("at 40"))),
            item => Ok(item),
        };
        let mut folded = 0;
        let work = |_: &mut (), number| {
            std::hint::black_box(spin(number));
            if number >= 40 { Err(Error::range(format!("at {number}"))) } else { Ok(()) }
        };
        let result = for_each(
            next,
            None,
            &Job::default(),
            || (),
            work,
            |()| {
                folded += 1;
                Ok(())
            },
        );
        assert_eq!((result.unwrap_err().to_string().as_str(), folded), ("at 40", 40));
    }
    let result = for_each(
        numbers(100),
        None,
        &Job::default(),
        || (),
        |_, number| Ok(number),
        |number| {
            if number == 7 { Err(Error::range("fold")) } else { Ok(()) }
        },
    );
    assert_eq!(result.unwrap_err().to_string(), "fold");
}

#[test]
fn a_stopped_job_stops() {
    let job = Job::default();
    let mut folded = 0;
    let result = for_each(
        numbers(u64::MAX),
        None,
        &job,
        || (),
        |_, number| Ok(number),
        |number| {
            folded += 1;
            if number == 20 {
                job.stop();
            }
            Ok(())
        },
    );
    assert!(matches!(result, Err(Error::Aborted)));
    assert!(folded >= 21);
}

#[test]
fn a_panic_goes_on_in_the_caller_and_the_pool_lives() {
    for place in ["next", "work", "fold"] {
        let panics = std::panic::catch_unwind(|| {
            let source = numbers(100);
            let next = || {
                let item = source()?;
                assert!(place != "next" || !matches!(item, Some((30, _))), "planned");
                Ok(item)
            };
            let work = |_: &mut (), number| {
                assert!(place != "work" || number != 30, "planned");
                Ok(number)
            };
            for_each(
                next,
                None,
                &Job::default(),
                || (),
                work,
                |number| {
                    assert!(place != "fold" || number != 30, "planned");
                    Ok(())
                },
            )
        });
        assert!(panics.is_err(), "{place}");
    }
    let mut sum = 0;
    for_each(
        numbers(10),
        None,
        &Job::default(),
        || (),
        |_, number| Ok(number),
        |number| {
            sum += number;
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(sum, 45);
}
