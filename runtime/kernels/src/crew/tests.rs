//! That every part is done once, whatever happens.

use super::*;

#[test]
fn every_part_is_done_once() {
    for threads in [1, 2, 3] {
        let crew = Crew::new(threads).unwrap();
        for parts in [0, 1, 2, 100] {
            let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
            crew.run(parts, &|part| {
                counts[part].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
        }
    }
}

#[test]
fn helpers_wake_up_again() {
    let crew = Crew::new(2).unwrap();
    for pause in [0, 1, 20] {
        let sum = AtomicUsize::new(0);
        crew.run(10, &|part| {
            sum.fetch_add(part, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
        thread::sleep(std::time::Duration::from_millis(pause));
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_crew_goes_on() {
    let crew = Crew::new(2).unwrap();
    let failing = || crew.run(8, &|part| assert_ne!(part, 5));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(failing)).is_err());
    let sum = AtomicUsize::new(0);
    crew.run(4, &|part| {
        sum.fetch_add(part, Ordering::Relaxed);
    });
    assert_eq!(sum.into_inner(), 6);
}

/// A panic may carry something that panics when it is dropped.
#[test]
fn what_a_panic_carries_is_never_dropped() {
    struct Trap;
    impl Drop for Trap {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    for threads in [2, 3] {
        let crew = Crew::new(threads).unwrap();
        let failing = || crew.run(64, &|_| std::panic::panic_any(Trap));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(failing));
        let message = ended.unwrap_err();
        assert_eq!(message.downcast_ref::<&str>(), Some(&"a part of a step failed"));
        let sum = AtomicUsize::new(0);
        crew.run(4, &|part| {
            sum.fetch_add(part, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 6);
    }
}

#[test]
fn every_part_of_a_slice_is_lent_once() {
    let crew = Crew::new(3).unwrap();
    let mut data = vec![0.0; 1001];
    crew.run_on_parts(usize::MAX, &mut data, 10, &|number, part| {
        assert_eq!(part.len(), if number == 100 { 1 } else { 10 });
        part.iter_mut().for_each(|v| *v += number as f32);
    });
    assert!(data.iter().enumerate().all(|(at, v)| *v == (at / 10) as f32));
}

#[test]
fn a_crew_has_its_limits() {
    assert_eq!(Crew::new(0).unwrap().threads(), 1);
    assert_eq!(Crew::new(MAX_THREADS).unwrap().threads(), MAX_THREADS);
    let error = Crew::new(MAX_THREADS + 1).err().unwrap();
    assert!(matches!(error, CrewError::TooMany { asked: 257 }), "{error}");
    assert!(matches!(Crew::new(usize::MAX), Err(CrewError::TooMany { .. })));
}

/// A process with too little memory for the stacks of all threads goes on without them.
#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_cannot_start_is_an_error() {
    const LIMITED: &str = "SALIGATE_TEST_WITH_LITTLE_MEMORY";
    if std::env::var_os(LIMITED).is_some() {
        let error = Crew::new(MAX_THREADS).err().expect("no room for so many stacks");
        let CrewError::NotStarted { asked: MAX_THREADS, started, .. } = error else {
            panic!("{error}");
        };
        assert!(started < MAX_THREADS, "{started}");
        // Those that had started are gone again.
        assert_eq!(Crew::new(2).unwrap().threads(), 2);
        return;
    }
    let name = "crew::tests::a_thread_that_cannot_start_is_an_error";
    let limited = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 300000 && exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stdout);
    assert!(limited.status.success() && said.contains("1 passed"), "{limited:?}");
}
