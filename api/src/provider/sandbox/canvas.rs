//! One picture in memory: Y, U and V planes (4:2:0), painted with filled rectangles only.
//!
//! Rectangles are row fills, which stay fast in an unoptimised build; nothing here touches single pixels in a loop.
//! Everything is clipped: painting outside the picture is allowed and does nothing.

use openh264::formats::YUVSource;

/// A colour as the encoder wants it: BT.709, limited range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Color {
    y: u8,
    u: u8,
    v: u8,
}

impl Color {
    /// From sRGB `0xRRGGBB`, with the integer form of the BT.709 matrix (ITU-R BT.709-6, §3; scaled by 2^16).
    pub const fn rgb(hex: u32) -> Self {
        let (r, g, b) = ((hex >> 16 & 255) as i32, (hex >> 8 & 255) as i32, (hex & 255) as i32);
        Self {
            y: (16 + ((11_966 * r + 40_254 * g + 4_064 * b + 32_768) >> 16)) as u8,
            u: (128 + ((-6_596 * r - 22_189 * g + 28_784 * b + 32_768) >> 16)) as u8,
            v: (128 + ((28_784 * r - 26_145 * g - 2_639 * b + 32_768) >> 16)) as u8,
        }
    }

    /// The colour `part` of `whole` steps from `self` to `other`.
    pub fn blend(self, other: Self, part: usize, whole: usize) -> Self {
        let mix = |from: u8, to: u8| {
            let (from, to) = (usize::from(from), usize::from(to));
            ((from * (whole - part) + to * part + whole / 2) / whole) as u8
        };
        Self { y: mix(self.y, other.y), u: mix(self.u, other.u), v: mix(self.v, other.v) }
    }
}

/// An area in pixels. May reach beyond the picture on every side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

/// A picture whose sides are even.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canvas {
    luma: Plane,
    blue: Plane,
    red: Plane,
}

impl Canvas {
    /// A black picture. Both sides must be even, because two by two pixels share one colour sample.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            luma: Plane::new(width, height, 16),
            blue: Plane::new(width / 2, height / 2, 128),
            red: Plane::new(width / 2, height / 2, 128),
        }
    }

    pub fn width(&self) -> i32 {
        self.luma.width as i32
    }

    pub fn height(&self) -> i32 {
        self.luma.height as i32
    }

    /// Paints `area`. On odd edges the colour (not the brightness) bleeds over one more pixel.
    pub fn fill(&mut self, area: Rect, color: Color) {
        self.luma.fill(area.x, area.x + area.w, area.y, area.y + area.h, color.y);
        let (left, right) = (area.x.div_euclid(2), (area.x + area.w + 1).div_euclid(2));
        let (top, bottom) = (area.y.div_euclid(2), (area.y + area.h + 1).div_euclid(2));
        self.blue.fill(left, right, top, bottom, color.u);
        self.red.fill(left, right, top, bottom, color.v);
    }

    /// Copies every row from `top` (rounded down to even) to the end from a picture of the same size.
    pub fn restore_below(&mut self, top: i32, from: &Self) {
        let half = (top / 2).max(0) as usize;
        self.luma.copy_from_row(half * 2, &from.luma);
        self.blue.copy_from_row(half, &from.blue);
        self.red.copy_from_row(half, &from.red);
    }
}

impl YUVSource for Canvas {
    fn dimensions(&self) -> (usize, usize) {
        (self.luma.width, self.luma.height)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.luma.width, self.blue.width, self.red.width)
    }

    fn y(&self) -> &[u8] {
        &self.luma.samples
    }

    fn u(&self) -> &[u8] {
        &self.blue.samples
    }

    fn v(&self) -> &[u8] {
        &self.red.samples
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Plane {
    width: usize,
    height: usize,
    samples: Vec<u8>,
}

impl Plane {
    fn new(width: usize, height: usize, value: u8) -> Self {
        Self { width, height, samples: vec![value; width * height] }
    }

    fn fill(&mut self, left: i32, right: i32, top: i32, bottom: i32, value: u8) {
        let (left, right) = (clip(left, self.width), clip(right, self.width));
        if left >= right {
            return;
        }
        for row in clip(top, self.height)..clip(bottom, self.height) {
            let start = row * self.width;
            self.samples[start + left..start + right].fill(value);
        }
    }

    fn copy_from_row(&mut self, row: usize, from: &Self) {
        let start = row.min(self.height) * self.width;
        self.samples[start..].copy_from_slice(&from.samples[start..]);
    }
}

fn clip(position: i32, limit: usize) -> usize {
    usize::try_from(position).unwrap_or(0).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_black_and_grey_carry_no_colour() {
        assert_eq!(Color::rgb(0xffffff), Color { y: 235, u: 128, v: 128 });
        assert_eq!(Color::rgb(0x000000), Color { y: 16, u: 128, v: 128 });
        assert_eq!(Color::rgb(0x808080), Color { y: 126, u: 128, v: 128 });
    }

    #[test]
    fn painting_is_clipped_to_the_picture() {
        let mut canvas = Canvas::new(8, 8);
        let white = Color::rgb(0xffffff);
        canvas.fill(Rect { x: -4, y: -4, w: 6, h: 6 }, white);
        canvas.fill(Rect { x: 7, y: 7, w: 90, h: 90 }, white);
        canvas.fill(Rect { x: 40, y: 0, w: 9, h: 9 }, white);
        canvas.fill(Rect { x: 4, y: 4, w: -2, h: -2 }, white);
        assert_eq!(canvas.y().iter().filter(|&&sample| sample == 235).count(), 2 * 2 + 1);
    }

    #[test]
    fn restoring_keeps_the_rows_above() {
        let (mut canvas, empty) = (Canvas::new(4, 8), Canvas::new(4, 8));
        canvas.fill(Rect { x: 0, y: 0, w: 4, h: 8 }, Color::rgb(0xffffff));
        canvas.restore_below(6, &empty);
        assert_eq!(canvas.y().iter().filter(|&&sample| sample == 235).count(), 4 * 6);
    }
}
