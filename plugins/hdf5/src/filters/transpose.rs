//! Byte and bit transposes: the inner loops of shuffle and bitshuffle.
//!
//! On x86-64 in SSE2, which every such machine has, and AVX2 where the machine has it; elsewhere in plain Rust. All give
//! the same bytes.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
    _mm_set1_epi8, _mm_setzero_si128, _mm_slli_epi16, _mm_srli_epi16, _mm_storeu_si128, _mm_unpackhi_epi8,
    _mm_unpacklo_epi8, _mm_xor_si128, _mm256_and_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_slli_epi16, _mm256_srli_epi16,
    _mm256_storeu_si256, _mm256_testz_si256, _mm256_unpackhi_epi8, _mm256_unpacklo_epi8, _mm256_xor_si256,
};

/// Undoes HDF5's shuffle: from the first bytes of all elements, then the second bytes, …, to elements of `size` bytes.
/// Bytes behind the last whole element stay as they are. Both slices have the same length.
pub fn unshuffle(src: &[u8], dst: &mut [u8], size: usize) {
    let n = src.len().checked_div(size).unwrap_or(0);
    if size <= 1 || n <= 1 || src.len() != dst.len() {
        dst.copy_from_slice(src);
        return;
    }
    let whole = n * size;
    dst[whole..].copy_from_slice(&src[whole..]);
    let (src, dst) = (&src[..whole], &mut dst[..whole]);
    let done = match size {
        2 => interleave::<2>(src, dst),
        4 => interleave::<4>(src, dst),
        8 => interleave::<8>(src, dst),
        16 => interleave::<16>(src, dst),
        _ => 0,
    };
    // The rest element by element, in runs short enough for the output to stay in the cache.
    let run = (16384 / size).max(16);
    for (k, part) in dst[done * size..].chunks_mut(run * size).enumerate() {
        let first = done + k * run;
        for (j, lane) in src.chunks_exact(n).enumerate() {
            let bytes = &lane[first..first + part.len() / size];
            for (element, byte) in part.chunks_exact_mut(size).zip(bytes) {
                element[j] = *byte;
            }
        }
    }
}

/// Undoes bitshuffle for one block of elements of `size` bytes: a multiple of 8 elements, all slices of that length.
/// `planes` is scratch.
pub fn unbitshuffle(src: &[u8], planes: &mut [u8], dst: &mut [u8], size: usize) {
    let n = src.len() / size;
    if size == 1 {
        unbit(src, dst);
        return;
    }
    for (bits, plane) in src.chunks_exact(n).zip(planes.chunks_exact_mut(n)) {
        unbit(bits, plane);
    }
    unshuffle(planes, dst, size);
}

/// From 8 planes of bits to bytes.
fn unbit(bits: &[u8], out: &mut [u8]) {
    let row = bits.len() / 8;
    let done = unbit_simd(bits, out);
    for (i, out) in out.chunks_exact_mut(8).enumerate().skip(done) {
        let word = (0..8).rev().fold(0u64, |word, b| (word << 8) | u64::from(bits[b * row + i]));
        out.copy_from_slice(&transpose_8x8(word).to_le_bytes());
    }
}

/// Transposes the 8x8 bit matrix whose rows are the bytes of `x`.
fn transpose_8x8(mut x: u64) -> u64 {
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)]
    {
        let t = (x ^ (x >> shift)) & mask;
        x ^= t ^ (t << shift);
    }
    x
}

#[cfg(not(target_arch = "x86_64"))]
fn interleave<const N: usize>(_src: &[u8], _dst: &mut [u8]) -> usize {
    0
}

#[cfg(not(target_arch = "x86_64"))]
fn unbit_simd(_bits: &[u8], _out: &mut [u8]) -> usize {
    0
}

/// One perfect shuffle: the first half of the registers interleaved with the second, byte by byte.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn perfect<const N: usize>(r: [__m128i; N]) -> [__m128i; N] {
    let mut out = r;
    for k in 0..N / 2 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            out[2 * k] = _mm_unpacklo_epi8(r[k], r[k + N / 2]);
            out[2 * k + 1] = _mm_unpackhi_epi8(r[k], r[k + N / 2]);
        }
    }
    out
}

/// Interleaves `N` lanes (a power of two) 16 elements at a time; gives the number of elements done.
#[cfg(target_arch = "x86_64")]
fn interleave<const N: usize>(src: &[u8], dst: &mut [u8]) -> usize {
    let n = src.len() / N;
    assert_eq!(dst.len(), n * N, "lanes and elements have the same bytes");
    let mut at = 0;
    while at + 16 <= n {
        // SAFETY: SSE2 is part of x86-64. Loads end at (N - 1) * n + at + 16 <= N * n <= src.len(), stores at
        // (at + 16) * N <= n * N = dst.len().
        unsafe {
            let mut r = [_mm_setzero_si128(); N];
            for (j, r) in r.iter_mut().enumerate() {
                *r = _mm_loadu_si128(src.as_ptr().add(j * n + at).cast());
            }
            for _ in 0..N.trailing_zeros() {
                r = perfect(r);
            }
            for (j, r) in r.into_iter().enumerate() {
                _mm_storeu_si128(dst.as_mut_ptr().add(at * N + 16 * j).cast(), r);
            }
        }
        at += 16;
    }
    at
}

/// Does what it can of [`unbit`] and gives the number of groups of 8 bytes done.
#[cfg(target_arch = "x86_64")]
fn unbit_simd(bits: &[u8], out: &mut [u8]) -> usize {
    assert!(bits.len().is_multiple_of(8) && out.len() == bits.len(), "whole groups of 8 elements");
    let done = if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2; the lengths were just checked.
        unsafe { unbit_avx2(bits, out) }
    } else {
        0
    };
    unbit_sse2(bits, out, done)
}

/// Pairs of rows that the three rounds of an 8x8 bit transpose swap.
#[cfg(target_arch = "x86_64")]
const ROUNDS: [[(usize, usize); 4]; 3] =
    [[(0, 4), (1, 5), (2, 6), (3, 7)], [(0, 2), (1, 3), (4, 6), (5, 7)], [(0, 1), (2, 3), (4, 5), (6, 7)]];

#[cfg(target_arch = "x86_64")]
fn unbit_sse2(bits: &[u8], out: &mut [u8], from: usize) -> usize {
    let row = bits.len() / 8;
    let mut at = from;
    while at + 16 <= row {
        // SAFETY: SSE2 is part of x86-64. Loads end at 7 * row + at + 16 <= bits.len(), stores at 8 * (at + 16)
        // <= out.len(), which the caller made equal.
        unsafe {
            let mut r = [_mm_setzero_si128(); 8];
            for (b, r) in r.iter_mut().enumerate() {
                *r = _mm_loadu_si128(bits.as_ptr().add(b * row + at).cast());
            }
            let any = r.iter().fold(_mm_setzero_si128(), |all, r| _mm_or_si128(all, *r));
            // All zero bits, the usual case of high planes, stay as they are.
            if _mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) != 0xffff {
                swap_sse2::<4>(&mut r, ROUNDS[0], 0x0f);
                swap_sse2::<2>(&mut r, ROUNDS[1], 0x33);
                swap_sse2::<1>(&mut r, ROUNDS[2], 0x55);
                r = perfect(perfect(perfect(r)));
            }
            for (j, r) in r.into_iter().enumerate() {
                _mm_storeu_si128(out.as_mut_ptr().add(8 * at + 16 * j).cast(), r);
            }
        }
        at += 16;
    }
    at
}

/// One round of delta swaps between rows.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn swap_sse2<const S: i32>(r: &mut [__m128i; 8], pairs: [(usize, usize); 4], mask: i8) {
    for (a, b) in pairs {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let t = _mm_and_si128(_mm_xor_si128(_mm_srli_epi16::<S>(r[a]), r[b]), _mm_set1_epi8(mask));
            r[b] = _mm_xor_si128(r[b], t);
            r[a] = _mm_xor_si128(r[a], _mm_slli_epi16::<S>(t));
        }
    }
}

/// [`unbit_sse2`] with registers twice as wide.
///
/// # Safety
/// The machine has AVX2; `bits` and `out` have the same length, a multiple of 8.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn unbit_avx2(bits: &[u8], out: &mut [u8]) -> usize {
    let row = bits.len() / 8;
    let mut at = 0;
    while at + 32 <= row {
        let mut r = [_mm256_setzero_si256(); 8];
        for (b, r) in r.iter_mut().enumerate() {
            // SAFETY: ends at 7 * row + at + 32 <= bits.len().
            *r = unsafe { _mm256_loadu_si256(bits.as_ptr().add(b * row + at).cast()) };
        }
        let any = r.iter().fold(_mm256_setzero_si256(), |all, r| _mm256_or_si256(all, *r));
        if _mm256_testz_si256(any, any) == 0 {
            swap_avx2::<4>(&mut r, ROUNDS[0], 0x0f);
            swap_avx2::<2>(&mut r, ROUNDS[1], 0x33);
            swap_avx2::<1>(&mut r, ROUNDS[2], 0x55);
            for _ in 0..3 {
                r = perfect_avx2(r);
            }
            r = unlane_avx2(r);
        }
        for (j, r) in r.into_iter().enumerate() {
            // SAFETY: ends at 8 * (at + 32) <= 8 * row = out.len().
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(8 * at + 32 * j).cast(), r) };
        }
        at += 32;
    }
    at
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn swap_avx2<const S: i32>(r: &mut [__m256i; 8], pairs: [(usize, usize); 4], mask: i8) {
    for (a, b) in pairs {
        let t =
            _mm256_and_si256(_mm256_xor_si256(_mm256_srli_epi16::<S>(r[a]), r[b]), _mm256_set1_epi8(mask));
        r[b] = _mm256_xor_si256(r[b], t);
        r[a] = _mm256_xor_si256(r[a], _mm256_slli_epi16::<S>(t));
    }
}

/// [`perfect`] within each half of the registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn perfect_avx2(r: [__m256i; 8]) -> [__m256i; 8] {
    let mut out = r;
    for k in 0..4 {
        out[2 * k] = _mm256_unpacklo_epi8(r[k], r[k + 4]);
        out[2 * k + 1] = _mm256_unpackhi_epi8(r[k], r[k + 4]);
    }
    out
}

/// The low halves of all registers, then the high halves.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn unlane_avx2(r: [__m256i; 8]) -> [__m256i; 8] {
    let mut out = r;
    for k in 0..4 {
        out[k] = _mm256_permute2x128_si256::<0x20>(r[2 * k], r[2 * k + 1]);
        out[k + 4] = _mm256_permute2x128_si256::<0x31>(r[2 * k], r[2 * k + 1]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut x = 88_172_645_463_325_252u64;
        let mut step = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        (0..len).map(|i| if i % 1024 < 512 { step() as u8 } else { 0 }).collect()
    }

    #[test]
    fn unshuffle_gives_elements_for_every_size_and_tail() {
        for size in [1, 2, 3, 4, 6, 8, 12, 16, 20, 100] {
            for n in [0, 1, 2, 15, 16, 17, 63, 1000] {
                let values = noise(n * size + size / 2);
                let mut shuffled = values.clone();
                for i in 0..n * size {
                    shuffled[i % size * n + i / size] = values[i];
                }
                let mut out = vec![9; values.len()];
                unshuffle(&shuffled, &mut out, size);
                assert!(out == values, "size {size}, {n} elements");
            }
        }
    }

    #[test]
    fn unbitshuffle_gives_elements_for_every_size_and_tail() {
        for size in [1, 2, 3, 4, 8, 16] {
            for n in [8, 16, 128, 136, 256, 512, 1000, 2048] {
                let values = noise(n * size);
                let mut bits = vec![0u8; values.len()];
                for (i, byte) in values.iter().enumerate() {
                    for b in 0..8 {
                        // Plane b of byte lane i % size, bit i / size.
                        let plane = (i % size * 8 + b) * (n / 8);
                        bits[plane + i / size / 8] |= ((byte >> b) & 1) << (i / size % 8);
                    }
                }
                let (mut planes, mut out) = (vec![0; values.len()], vec![9; values.len()]);
                unbitshuffle(&bits, &mut planes, &mut out, size);
                assert!(out == values, "size {size}, {n} elements");
                #[cfg(target_arch = "x86_64")]
                if size == 1 {
                    out.fill(9);
                    let done = unbit_sse2(&bits, &mut out, 0) * 8;
                    assert!(out[..done] == values[..done], "SSE2, {n} elements");
                }
            }
        }
    }
}
