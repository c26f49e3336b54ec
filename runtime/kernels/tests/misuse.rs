//! What safe code may ask for and must not get: every wrong geometry ends in a panic, before a
//! kernel reads or writes beyond what it was lent.

use std::panic::{AssertUnwindSafe, catch_unwind};

use saligate_kernels::{
    Conv, Crew, Depthwise, Epilogue, Isa, Map, MaskRecord, Operand, Pool, Pooling, Window,
    pointwise,
};

/// The words of the panic that `work` ends in.
fn panic_of(what: &str, work: impl FnOnce()) -> String {
    let ended = catch_unwind(AssertUnwindSafe(work));
    let carried = ended.expect_err(what);
    match carried.downcast::<String>() {
        Ok(text) => *text,
        Err(carried) => carried.downcast_ref::<&str>().expect("words").to_string(),
    }
}

fn window(kernel: usize, before: usize) -> Window {
    Window { kernel: [kernel; 2], stride: [1; 2], dilation: [1; 2], before: [before; 2] }
}

/// Three lanes would be read and written as a whole register: 12 bytes as 32 or 64.
#[test]
fn lanes_are_those_of_the_instructions() {
    let crew = Crew::single();
    for isa in Isa::available() {
        for lanes in [2, 3, 17, 24 - isa.lanes()] {
            let map = Map::planar([lanes, 1, 1]).laid_out(lanes, 0);
            let values = vec![1.0; map.elements()];
            let from = Operand { values: &values, map };
            let mut out = vec![0.0; map.elements()];
            let mut refused = |what: &str, work: &mut dyn FnMut(&mut [f32])| {
                let said = panic_of(what, || work(&mut out));
                assert!(said.contains("lanes"), "{what}, {lanes} lanes on {isa}: {said}");
            };
            refused("apply", &mut |out| {
                pointwise::apply(isa, &crew, &from, (out, &map), Epilogue::NOTHING);
            });
            refused("spread", &mut |out| {
                pointwise::spread(isa, &crew, &values, (out, &map), Epilogue::NOTHING);
            });
            refused("sums", &mut |out| pointwise::plane_sums(isa, &from, 1.0, out));
            refused("weighted sum", &mut |out| {
                pointwise::weighted_sum(isa, &from, &values, &mut out[..1]);
            });
            let pool = Pool {
                pooling: Pooling::Max,
                kernel: [1; 2],
                stride: [1; 2],
                before: [0; 2],
                input: map,
                output: map,
            };
            refused("pool", &mut |out| {
                pool.run(isa, &crew, &values, out, None, Epilogue::NOTHING);
            });
            refused("depthwise", &mut |_| {
                Depthwise::new(isa, &window(1, 0), &values, None, [map, map]);
            });
            let square = vec![1.0; lanes * lanes];
            refused("convolution", &mut |_| {
                Conv::new(isa, &window(1, 0), &square, None, [map, map], None);
            });
            let planar = Map::planar([1, 1, 1]);
            refused("transpose to planar", &mut |_| {
                Conv::transposed(isa, &window(1, 0), &values, [map, planar], None);
            });
        }
    }
}

/// Squares load whole registers, which a planar input does not have.
#[test]
fn squares_need_full_lanes_and_a_side() {
    for isa in Isa::available() {
        let (window, lanes) = (window(3, 1), isa.lanes());
        let [planar, blocked] = [1, lanes].map(|lanes| Map::planar([16, 4, 4]).laid_out(lanes, 1));
        let weight = vec![0.0; 16 * 16 * 9];
        let make = |input, side| {
            let said = panic_of("squares", || {
                Conv::new(isa, &window, &weight, None, [input, blocked], Some(side));
            });
            assert!(said.contains("squares"), "{said}");
        };
        make(planar, 2);
        make(planar, 4);
        make(blocked, 3);
        make(blocked, usize::MAX);
    }
}

/// Windows whose places wrap around in the address space, or reach into the next row.
#[test]
fn windows_stay_within_the_halo() {
    let isa = Isa::best();
    let lanes = isa.lanes();
    let map = |size, halo| Map::planar([lanes, size, size]).laid_out(lanes, halo);
    let refused = |window: Window, maps: [Map; 2]| {
        let weight = vec![0.0; lanes * lanes * window.kernel[0] * window.kernel[1]];
        let said = panic_of("forward", || {
            Conv::new(isa, &window, &weight, None, maps, None);
        });
        assert!(said.contains("halo"), "{said}");
        let weight = vec![0.0; lanes * window.kernel[0] * window.kernel[1]];
        let said = panic_of("depthwise", || {
            Depthwise::new(isa, &window, &weight, None, maps);
        });
        assert!(said.contains("halo"), "{said}");
    };
    // The place of the second tap is a multiple of 2^64.
    let row = map(2, 0).row();
    let wrapping = Window { kernel: [2, 1], dilation: [usize::MAX / row + 1, 1], ..window(2, 0) };
    refused(wrapping, [map(2, 0), map(1, 0)]);
    let far = Window { stride: [1 << 61, 1], ..window(1, 0) };
    refused(far, [map(4, 0), map(3, 0)]);
    refused(Window { before: [usize::MAX, 0], ..window(1, 0) }, [map(4, 1), map(3, 0)]);
    // Within the block, but in the next row.
    refused(window(3, 1), [map(4, 0), map(4, 0)]);
    refused(window(1, 0), [map(4, 0), Map::planar([lanes, 1, 5]).laid_out(lanes, 0)]);
    assert_eq!(wrapping.halo([2; 2], [1; 2]), usize::MAX / row);
    assert_eq!(
        Window { dilation: [usize::MAX; 2], ..window(3, 0) }.halo([1; 2], [1; 2]),
        usize::MAX - 1
    );
    let back = Window { before: [usize::MAX; 2], ..window(1, 0) };
    assert!(back.transposed_halo([1; 2], [1; 2]) >= usize::MAX - 1);
}

/// The cells of a window as large as this are no number, and neither are the words for their bits.
#[test]
fn pools_have_room_for_their_winners() {
    let isa = Isa::best();
    let crew = Crew::single();
    let [input, output] = [[1, 2, 2], [1, 1, 1]].map(Map::planar);
    let mut pool = Pool {
        pooling: Pooling::Max,
        kernel: [1 << 32; 2],
        stride: [1; 2],
        before: [0; 2],
        input,
        output,
    };
    let run = |pool: &Pool, winners: &mut [f32]| {
        let mut out = [0.0; 1];
        pool.run(isa, &crew, &[1.0; 4], &mut out, Some(winners), Epilogue::NOTHING);
    };
    assert!(panic_of("no words", || run(&pool, &mut [])).contains("too large"));
    pool.kernel = [2; 2];
    assert!(panic_of("too few words", || run(&pool, &mut [0.0; 1])).contains("winners"));
    run(&pool, &mut [0.0; 2]);
}

/// Every path with operands of another size than its result.
#[test]
fn operands_are_as_large_as_the_result() {
    let isa = Isa::best();
    let crew = Crew::single();
    let map = Map::planar([8, 3, 3]);
    let small = Map::planar([8, 2, 3]);
    let values = vec![1.0; map.elements()];
    let from = Operand { values: &values, map };
    let refused = |epilogue: Epilogue<'_>| {
        let mut out = vec![0.0; map.elements()];
        panic_of("operands", || pointwise::apply(isa, &crew, &from, (&mut out, &map), epilogue))
    };
    let residual =
        |values, map| Epilogue { residual: Some(Operand { values, map }), ..Epilogue::NOTHING };
    assert!(refused(residual(&values[..48], small)).contains("another size"));
    assert!(refused(residual(&values[..48], map)).contains("cut off"));
    let bits = vec![0.0; map.mask().elements() - 1];
    assert!(refused(Epilogue { mask: Some(&bits), ..Epilogue::NOTHING }).contains("bits"));
    let mut room = bits.clone();
    let record = Some(MaskRecord::new(&mut room, [0.0, 1.0]));
    assert!(refused(Epilogue { record, ..Epilogue::NOTHING }).contains("bits"));
}

/// The way back through a convolution reads its weights, which are for its own channels.
#[test]
fn a_way_back_has_the_channels_of_the_convolution() {
    let isa = Isa::best();
    let lanes = isa.lanes();
    let map = |channels| Map::planar([channels, 2, 2]).laid_out(lanes, 0);
    let window = window(1, 0);
    let conv = Conv::new(isa, &window, &vec![1.0; 12 * 20], None, [map(12), map(20)], None);
    for maps in [[map(40), map(12)], [map(20), map(30)]] {
        let (values, mut out) = (vec![1.0; maps[0].elements()], vec![0.0; maps[1].elements()]);
        let said = panic_of("channels", || {
            let data = (&values[..], &mut out[..]);
            conv.run_back(&Crew::single(), &window, maps, data, Epilogue::NOTHING);
        });
        assert!(said.contains("other channels"), "{said}");
    }
}
