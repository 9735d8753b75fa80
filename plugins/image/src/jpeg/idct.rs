//! The accurate integer IDCT of libjpeg (`jidctint.c`), 13 bits of constants, 2 bits kept between the passes.

const CONST_BITS: i32 = 13;
const PASS1_BITS: i32 = 2;

const FIX_0_298631336: i32 = 2446;
const FIX_0_390180644: i32 = 3196;
const FIX_0_541196100: i32 = 4433;
const FIX_0_765366865: i32 = 6270;
const FIX_0_899976223: i32 = 7373;
const FIX_1_175875602: i32 = 9633;
const FIX_1_501321110: i32 = 12299;
const FIX_1_847759065: i32 = 15137;
const FIX_1_961570560: i32 = 16069;
const FIX_2_053119869: i32 = 16819;
const FIX_2_562915447: i32 = 20995;
const FIX_3_072711026: i32 = 25172;

/// Samples of a block from its coefficients, in natural order, times the quantization table.
pub fn block(coefficients: &[i16; 64], table: &[u16; 64], out: &mut [[u8; 8]; 8]) {
    if coefficients.iter().skip(1).all(|c| *c == 0) {
        let dc = i32::from(coefficients[0]) * i32::from(table[0]);
        let value = descale(dc << PASS1_BITS, PASS1_BITS + 3);
        *out = [[limit(value); 8]; 8];
        return;
    }
    let mut rows = [[0i32; 8]; 8];
    for (y, row) in rows.iter_mut().enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            *value = i32::from(coefficients[y * 8 + x]).wrapping_mul(i32::from(table[y * 8 + x]));
        }
    }
    pass(&mut rows, CONST_BITS - PASS1_BITS);
    let mut columns = transposed(&rows);
    pass(&mut columns, CONST_BITS + PASS1_BITS + 3);
    let rows = transposed(&columns);
    for (row, to) in rows.iter().zip(out.iter_mut()) {
        for (value, to) in row.iter().zip(to.iter_mut()) {
            *to = limit(*value);
        }
    }
}

fn limit(value: i32) -> u8 {
    value.saturating_add(128).clamp(0, 255) as u8
}

#[inline]
fn descale(value: i32, by: i32) -> i32 {
    value.wrapping_add(1 << (by - 1)) >> by
}

fn transposed(rows: &[[i32; 8]; 8]) -> [[i32; 8]; 8] {
    let mut out = [[0; 8]; 8];
    for (y, row) in rows.iter().enumerate() {
        for (x, value) in row.iter().enumerate() {
            out[x][y] = *value;
        }
    }
    out
}

/// One dimension, all eight columns at once.
#[inline]
fn pass(v: &mut [[i32; 8]; 8], shift: i32) {
    #[allow(clippy::needless_range_loop)] // columns of an array of rows
    for x in 0..8 {
        let input: [i32; 8] = std::array::from_fn(|y| v[y][x]);
        let output = line(input, shift);
        for (y, value) in output.into_iter().enumerate() {
            v[y][x] = value;
        }
    }
}

#[inline(always)]
fn line(v: [i32; 8], shift: i32) -> [i32; 8] {
    let mul = |a: i32, b: i32| a.wrapping_mul(b);
    // Even part.
    let z1 = mul(v[2].wrapping_add(v[6]), FIX_0_541196100);
    let tmp2 = z1.wrapping_sub(mul(v[6], FIX_1_847759065));
    let tmp3 = z1.wrapping_add(mul(v[2], FIX_0_765366865));
    let tmp0 = v[0].wrapping_add(v[4]).wrapping_shl(CONST_BITS as u32);
    let tmp1 = v[0].wrapping_sub(v[4]).wrapping_shl(CONST_BITS as u32);
    let (tmp10, tmp13) = (tmp0.wrapping_add(tmp3), tmp0.wrapping_sub(tmp3));
    let (tmp11, tmp12) = (tmp1.wrapping_add(tmp2), tmp1.wrapping_sub(tmp2));
    // Odd part.
    let (z1, z2) = (v[7].wrapping_add(v[1]), v[5].wrapping_add(v[3]));
    let (z3, z4) = (v[7].wrapping_add(v[3]), v[5].wrapping_add(v[1]));
    let z5 = mul(z3.wrapping_add(z4), FIX_1_175875602);
    let (z1, z2) = (mul(z1, -FIX_0_899976223), mul(z2, -FIX_2_562915447));
    let z3 = mul(z3, -FIX_1_961570560).wrapping_add(z5);
    let z4 = mul(z4, -FIX_0_390180644).wrapping_add(z5);
    let odd0 = mul(v[7], FIX_0_298631336).wrapping_add(z1).wrapping_add(z3);
    let odd1 = mul(v[5], FIX_2_053119869).wrapping_add(z2).wrapping_add(z4);
    let odd2 = mul(v[3], FIX_3_072711026).wrapping_add(z2).wrapping_add(z3);
    let odd3 = mul(v[1], FIX_1_501321110).wrapping_add(z1).wrapping_add(z4);
    let sum = |a: i32, b: i32| descale(a.wrapping_add(b), shift);
    let difference = |a: i32, b: i32| descale(a.wrapping_sub(b), shift);
    [
        sum(tmp10, odd3),
        sum(tmp11, odd2),
        sum(tmp12, odd1),
        sum(tmp13, odd0),
        difference(tmp13, odd0),
        difference(tmp12, odd1),
        difference(tmp11, odd2),
        difference(tmp10, odd3),
    ]
}
