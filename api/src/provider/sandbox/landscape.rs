//! The moving part of the picture: a sun that crosses the sky once while hills drift by.
//!
//! Everything that can be computed once is: a frame is a copy of the static rows and a few thousand row fills.

use super::canvas::{Canvas, Color, Rect};
use std::f32::consts::TAU;

/// The colours of one time of day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub zenith: Color,
    pub sky: Color,
    pub horizon: Color,
    pub sun: Color,
    /// From the farthest to the nearest.
    pub hills: [Color; 3],
    pub accent: Color,
}

impl Palette {
    /// Clips of one task differ, so that a player showing several is easy to check by eye.
    pub fn pick(number: u8) -> &'static Self {
        &PALETTES[usize::from(number) % PALETTES.len()]
    }
}

const PALETTES: [Palette; 4] = [
    palette(0x141a3c, 0x43316f, 0xf08a64, 0xffdca8, [0x7a3f74, 0x4a2a5e, 0x1c1436], 0xffc98a),
    palette(0x0b1c30, 0x14506b, 0x86d3bd, 0xf7f3d0, [0x2b7d83, 0x165562, 0x0a2637], 0x8fe3cf),
    palette(0x10211f, 0x25543f, 0xe6c56c, 0xfff1b8, [0x5a8350, 0x2c5636, 0x10251c], 0xf0d37a),
    palette(0x1b1030, 0x571f5a, 0xfb90a0, 0xffe6da, [0x8f3a68, 0x571f4e, 0x210e2d], 0xffb3c1),
];

const fn palette(zenith: u32, sky: u32, horizon: u32, sun: u32, hills: [u32; 3], accent: u32) -> Palette {
    Palette {
        zenith: Color::rgb(zenith),
        sky: Color::rgb(sky),
        horizon: Color::rgb(horizon),
        sun: Color::rgb(sun),
        hills: [Color::rgb(hills[0]), Color::rgb(hills[1]), Color::rgb(hills[2])],
        accent: Color::rgb(accent),
    }
}

/// Paints the sky: dark at the top so that text stands out, bright at `ground`, where the hills begin.
pub(super) fn paint_sky(canvas: &mut Canvas, palette: &Palette, ground: i32) {
    let (middle, width) = (ground * 3 / 5, canvas.width());
    for y in (0..canvas.height()).step_by(2) {
        let color = if y < middle {
            palette.zenith.blend(palette.sky, y as usize, middle as usize)
        } else {
            let depth = (y - middle).min(ground - middle);
            palette.sky.blend(palette.horizon, depth as usize, (ground - middle).max(1) as usize)
        };
        canvas.fill(Rect { x: 0, y, w: width, h: 2 }, color);
    }
}

/// A disc that rises, crosses the picture and sets while the clip plays.
#[derive(Clone, Debug)]
pub(super) struct Sun {
    color: Color,
    radius: i32,
    /// Half the width of the disc in each row, from its top to its bottom.
    halves: Vec<i32>,
    top: i32,
    ground: i32,
    width: i32,
}

impl Sun {
    /// A sun whose path stays between the rows `top` and `ground`.
    pub fn new(color: Color, width: i32, top: i32, ground: i32) -> Self {
        let radius = ((ground - top) / 3).min(width / 8).max(2);
        let half = |row: i32| (radius * radius - row * row).max(0).isqrt();
        Self { color, radius, halves: (-radius..=radius).map(half).collect(), top, ground, width }
    }

    /// Paints the sun where it is after `part` of `whole` frames.
    pub fn paint(&self, canvas: &mut Canvas, part: u32, whole: u32) {
        let progress = part as f32 / whole.max(1) as f32;
        let reach = (self.width - 4 * self.radius) as f32;
        let x = 2 * self.radius + (reach * progress) as i32;
        let rise = (self.ground - self.top - self.radius) as f32;
        let y = self.ground - (rise * (progress * TAU / 2.0).sin()) as i32;
        for (row, half) in self.halves.iter().enumerate() {
            let area = Rect { x: x - half, y: y - self.radius + row as i32, w: 2 * half, h: 1 };
            canvas.fill(area, self.color);
        }
    }
}

/// One ridge of hills, as wide as the picture and seamless where its end meets its beginning.
#[derive(Clone, Debug)]
pub(super) struct Ridge {
    color: Color,
    /// The slopes, row by row: pieces of rows that are hill.
    slopes: Vec<Rect>,
    /// Below this row everything is hill.
    solid_from: i32,
    /// Seconds in which the ridge drifts by once.
    lap_s: i32,
}

/// The shape of a ridge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Row of the highest and of the lowest crest line.
    pub high: i32,
    pub low: i32,
    /// How many large and small waves fit into the picture.
    pub waves: (u8, u8),
    pub lap_s: i32,
}

impl Ridge {
    pub fn new(color: Color, width: i32, shape: Shape) -> Self {
        let crest: Vec<i32> = (0..width).map(|x| crest(x as f32 / width as f32, shape)).collect();
        let top = crest.iter().copied().min().unwrap_or(shape.high);
        let solid_from = crest.iter().copied().max().unwrap_or(shape.low);
        let slopes = (top..solid_from).flat_map(|y| hill_in_row(&crest, y)).collect();
        Self { color, slopes, solid_from, lap_s: shape.lap_s }
    }

    /// Paints the ridge where it is in `frame`, at `fps` frames a second.
    pub fn paint(&self, canvas: &mut Canvas, frame: u32, fps: u32) {
        let width = canvas.width();
        let shift =
            i64::from(width) * i64::from(frame) / (i64::from(self.lap_s) * i64::from(fps)) % i64::from(width);
        for slope in &self.slopes {
            let x = slope.x - shift as i32;
            canvas.fill(Rect { x, ..*slope }, self.color);
            if x < 0 {
                canvas.fill(Rect { x: x + width, ..*slope }, self.color);
            }
        }
        let rest = Rect { x: 0, y: self.solid_from, w: width, h: canvas.height() - self.solid_from };
        canvas.fill(rest, self.color);
    }
}

/// Row of the crest at `position` (0 to 1 across the picture).
fn crest(position: f32, shape: Shape) -> i32 {
    let wave = |count: u8, phase: f32| (TAU * (position * f32::from(count) + phase)).sin();
    let height = 0.5 + 0.34 * wave(shape.waves.0, 0.1) + 0.16 * wave(shape.waves.1, 0.4);
    shape.low - ((shape.low - shape.high) as f32 * height) as i32
}

/// The pieces of row `y` that lie below the crest.
fn hill_in_row(crest: &[i32], y: i32) -> Vec<Rect> {
    let mut pieces: Vec<Rect> = Vec::new();
    for x in (0..crest.len()).filter(|&x| crest[x] <= y) {
        let x = x as i32;
        match pieces.last_mut() {
            Some(piece) if piece.x + piece.w == x => piece.w += 1,
            _ => pieces.push(Rect { x, y, w: 1, h: 1 }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use openh264::formats::YUVSource;

    #[test]
    fn the_sun_stays_between_its_rows_until_the_last_frame() {
        let sun = Sun::new(Color::rgb(0xffffff), 160, 40, 70);
        for part in 0..=48 {
            let mut canvas = Canvas::new(160, 90);
            sun.paint(&mut canvas, part, 48);
            assert!(
                canvas.y()[..160 * 40].iter().all(|&sample| sample == 16),
                "frame {part} reaches too high"
            );
            assert!(canvas.y().contains(&235), "frame {part} has no sun");
        }
    }

    #[test]
    fn a_ridge_has_no_seam_and_returns_to_its_place_after_a_lap() {
        let shape = Shape { high: 20, low: 40, waves: (2, 5), lap_s: 2 };
        let ridge = Ridge::new(Color::rgb(0xffffff), 160, shape);
        let at = |frame| {
            let mut canvas = Canvas::new(160, 90);
            ridge.paint(&mut canvas, frame, 24);
            canvas
        };
        assert_eq!(at(0), at(48));
        assert_ne!(at(0), at(24));
        let hill = |canvas: &Canvas| canvas.y().iter().filter(|&&sample| sample == 235).count();
        assert_eq!(hill(&at(0)), hill(&at(17)));
    }
}
