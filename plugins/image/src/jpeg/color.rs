//! Colour conversion in 16 bits of fixed point, as libjpeg's `jdcolor.c`.

use std::sync::LazyLock;

/// What becomes of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// They stay.
    None,
    /// YCbCr to RGB.
    Rgb,
    /// YCCK to CMYK.
    Cmyk,
}

struct Tables {
    red: [i32; 256],
    blue: [i32; 256],
    green_red: [i32; 256],
    green_blue: [i32; 256],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    const HALF: i32 = 1 << 15;
    let fix = |x: f64| (x * 65536.0 + 0.5) as i32;
    let table = |f: &dyn Fn(i32) -> i32| std::array::from_fn(|i| f(i as i32 - 128));
    Tables {
        red: table(&|x| (fix(1.40200) * x + HALF) >> 16),
        blue: table(&|x| (fix(1.77200) * x + HALF) >> 16),
        green_red: table(&|x| -fix(0.71414) * x),
        green_blue: table(&|x| -fix(0.34414) * x + HALF),
    }
});

/// Converts pixels of 3 or 4 samples in place.
pub fn convert(pixels: &mut [u8], conversion: Conversion) {
    let tables = &*TABLES;
    let rgb = |y: u8, cb: u8, cr: u8| {
        let (y, cb, cr) = (i32::from(y), usize::from(cb), usize::from(cr));
        let green = (tables.green_blue[cb] + tables.green_red[cr]) >> 16;
        [y + tables.red[cr], y + green, y + tables.blue[cb]]
    };
    match conversion {
        Conversion::None => {}
        Conversion::Rgb => {
            for pixel in pixels.as_chunks_mut::<3>().0 {
                *pixel = rgb(pixel[0], pixel[1], pixel[2]).map(|v| v.clamp(0, 255) as u8);
            }
        }
        Conversion::Cmyk => {
            for pixel in pixels.as_chunks_mut::<4>().0 {
                let [c, m, y] = rgb(pixel[0], pixel[1], pixel[2]).map(|v| (255 - v).clamp(0, 255) as u8);
                *pixel = [c, m, y, pixel[3]];
            }
        }
    }
}
