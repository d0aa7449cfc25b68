//! Frames made small, and put beside each other.

use openh264::decoder::DecodedYUV;
use openh264::formats::YUVSource;

/// Red, green and blue of each pixel, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Picture {
    /// A frame whose longer side has so many pixels, or fewer if it is smaller itself.
    pub fn of(frame: &DecodedYUV<'_>, longest: usize) -> Picture {
        let (width, height) = frame.dimensions();
        let mut rgb = vec![0; width * height * 3];
        frame.write_rgb8(&mut rgb);
        Picture { width, height, rgb }.shrunk(longest)
    }

    fn shrunk(self, longest: usize) -> Picture {
        let (width, height) = (self.width, self.height);
        let side = width.max(height);
        if side <= longest {
            return self;
        }
        let scaled = |length: usize| (length * longest / side).max(1);
        let (new_width, new_height) = (scaled(width), scaled(height));
        let mut rgb = Vec::with_capacity(new_width * new_height * 3);
        for y in 0..new_height {
            let rows =
                y * height / new_height..((y + 1) * height / new_height).max(y * height / new_height + 1);
            for x in 0..new_width {
                let columns =
                    x * width / new_width..((x + 1) * width / new_width).max(x * width / new_width + 1);
                rgb.extend(self.average(rows.clone(), columns));
            }
        }
        Picture { width: new_width, height: new_height, rgb }
    }

    /// Of the pixels that become one.
    fn average(&self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> [u8; 3] {
        let count = (rows.len() * columns.len()) as u32;
        let mut sums = [0_u32; 3];
        for row in rows {
            let line =
                &self.rgb[(row * self.width + columns.start) * 3..(row * self.width + columns.end) * 3];
            for pixel in line.chunks_exact(3) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
            }
        }
        sums.map(|sum| (sum / count) as u8)
    }
}

/// Pictures of one size in rows, as many rows as columns.
pub struct Sheet {
    a_side: usize,
    tiles: Vec<Picture>,
}

impl Sheet {
    pub fn new(a_side: usize) -> Self {
        Sheet { a_side, tiles: Vec::new() }
    }

    pub fn tiles(&self) -> usize {
        self.tiles.len()
    }

    /// A stream may change its size on the way; what is not as the first one is left out.
    pub fn add(&mut self, tile: &Picture) {
        let first = self.tiles.first().unwrap_or(tile);
        let fits = (first.width, first.height) == (tile.width, tile.height);
        let tile = if fits { tile.clone() } else { first.clone() };
        self.tiles.push(tile);
    }

    /// The whole sheet; places that no picture came for show the last one. Nothing without any picture.
    pub fn finish(mut self) -> Option<Picture> {
        let last = self.tiles.last()?.clone();
        self.tiles.resize(self.a_side * self.a_side, last);
        let (width, height) = (self.tiles[0].width, self.tiles[0].height);
        let mut rgb = Vec::with_capacity(width * height * 3 * self.tiles.len());
        for row in self.tiles.chunks(self.a_side) {
            for line in 0..height {
                for tile in row {
                    rgb.extend_from_slice(&tile.rgb[line * width * 3..(line + 1) * width * 3]);
                }
            }
        }
        Some(Picture { width: width * self.a_side, height: height * self.a_side, rgb })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shrunk_picture_shows_the_average_of_what_was_there() {
        // Four columns, two rows: black and white by turns on the left, one colour on the right.
        let rgb = [[0; 3], [255; 3], [9, 8, 7], [9, 8, 7], [255; 3], [0; 3], [9, 8, 7], [9, 8, 7]].concat();
        let picture = Picture { width: 4, height: 2, rgb };
        assert_eq!(picture.clone().shrunk(4), picture);
        let small = picture.shrunk(2);
        assert_eq!((small.width, small.height, &small.rgb[..]), (2, 1, &[127, 127, 127, 9, 8, 7][..]));
    }

    #[test]
    fn a_sheet_has_its_pictures_in_rows_and_repeats_the_last() {
        let tile = |value| Picture { width: 1, height: 1, rgb: vec![value; 3] };
        let mut sheet = Sheet::new(2);
        for value in [1, 2, 3] {
            sheet.add(&tile(value));
        }
        let sheet = sheet.finish().unwrap();
        assert_eq!((sheet.width, sheet.height), (2, 2));
        assert_eq!(sheet.rgb, [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3]);
        assert_eq!(Sheet::new(2).finish(), None);
    }
}
