//! One clip as a sequence of pictures: the card above, a moving landscape below, and the time that has passed.
//!
//! The part above the landscape never changes, so a frame costs one copy and a few thousand row fills. That keeps
//! drawing well below encoding even without optimisation.

use super::canvas::{Canvas, Color, Rect};
use super::card::Card;
use super::landscape::{self, Palette, Ridge, Shape, Sun};
use super::text::{self, GLYPH_HEIGHT, Ink, LINE_HEIGHT};

const WHITE: Color = Color::rgb(0xffffff);
const PALE: Color = Color::rgb(0xd5d2e6);
/// Inputs that are named; more are counted.
const MAX_MEDIA_LINES: usize = 3;

/// Draws the frames of one clip, in order.
#[derive(Debug)]
pub(super) struct Scene {
    /// What is behind everything that moves.
    still: Canvas,
    canvas: Canvas,
    layout: Layout,
    accent: Color,
    /// The part of the progress bar that is still to come.
    track: Color,
    sun: Sun,
    ridges: Vec<Ridge>,
    facts: Ink,
    frames: u32,
    fps: u32,
}

impl Scene {
    /// A scene of `frames` frames. Both sides must be even.
    pub fn new(card: &Card, palette: &Palette, size: (usize, usize), frames: u32, fps: u32) -> Self {
        let layout = Layout::new(size.0 as i32, size.1 as i32);
        let mut still = Canvas::new(size.0, size.1);
        landscape::paint_sky(&mut still, palette, layout.ground);
        paint_card(&mut still, card, &layout, palette);
        Self {
            canvas: still.clone(),
            still,
            accent: palette.accent,
            track: palette.hills[2].blend(palette.accent, 1, 5),
            sun: Sun::new(palette.sun, layout.width, layout.stage, layout.ground),
            ridges: ridges(palette, &layout),
            facts: facts(card, &layout),
            frames,
            fps,
            layout,
        }
    }

    /// The picture of `frame`, counted from 0.
    pub fn draw(&mut self, frame: u32) -> &Canvas {
        self.canvas.restore_below(self.layout.stage, &self.still);
        self.sun.paint(&mut self.canvas, frame, self.frames);
        for ridge in &self.ridges {
            ridge.paint(&mut self.canvas, frame, self.fps);
        }
        self.facts.paint(&mut self.canvas);
        self.paint_time(frame);
        &self.canvas
    }

    fn paint_time(&mut self, frame: u32) {
        let Layout { margin, scale, footer, width, bar, .. } = self.layout;
        let tenths = frame * 10 / self.fps;
        let clock = format!("{}.{} s", tenths / 10, tenths % 10);
        let x = width - margin - text::measure(&clock) * scale;
        Ink::new(&clock, x, footer, scale, WHITE).paint(&mut self.canvas);

        let (length, thickness) = (width - 2 * margin, 2 * scale);
        let done = (i64::from(length) * i64::from(frame + 1) / i64::from(self.frames.max(1))) as i32;
        self.canvas.fill(Rect { x: margin, y: bar, w: length, h: thickness }, self.track);
        self.canvas.fill(Rect { x: margin, y: bar, w: done, h: thickness }, self.accent);
    }
}

/// Where things are, in pixels. Everything follows from the size of the picture.
#[derive(Clone, Copy, Debug)]
struct Layout {
    width: i32,
    height: i32,
    margin: i32,
    /// Size of one font pixel for everything but the prompt.
    scale: i32,
    /// First row that moves.
    stage: i32,
    /// The horizon.
    ground: i32,
    /// Top of the line with the facts and the time.
    footer: i32,
    /// Top of the progress bar.
    bar: i32,
}

impl Layout {
    fn new(width: i32, height: i32) -> Self {
        let short = width.min(height);
        let scale = ((short + 160) / 400).max(1);
        let margin = (short / 36).max(2) * 2;
        let bar = height - margin - 2 * scale;
        let footer = bar - (LINE_HEIGHT + 2) * scale;
        let stage = (height * 58 / 100).min(footer - 8 * scale) & !1;
        let ground = stage + (footer - stage) * 7 / 10;
        Self { width, height, margin, scale, stage, ground, footer, bar }
    }

    /// Width of a full line of text at scale 1.
    fn line_width(&self) -> i32 {
        (self.width - 2 * self.margin) / self.scale
    }
}

fn paint_card(canvas: &mut Canvas, card: &Card, layout: &Layout, palette: &Palette) {
    paint_header(canvas, card, layout, palette.accent);
    let bottom = paint_media(canvas, card, layout);
    paint_prompt(canvas, &card.prompt, layout, bottom);
}

/// The model on the left and, if there is room, the mode on the right.
fn paint_header(canvas: &mut Canvas, card: &Card, layout: &Layout, accent: Color) {
    let Layout { width, margin, scale, .. } = *layout;
    let model = text::one_line(&card.model, layout.line_width());
    Ink::new(&model, margin, margin, scale, accent).paint(canvas);

    let mode = format!("sandbox · {}", card.mode);
    let room = layout.line_width() - text::measure(&model) - 2 * GLYPH_HEIGHT;
    if text::measure(&mode) <= room {
        let x = width - margin - text::measure(&mode) * scale;
        Ink::new(&mode, x, margin, scale, PALE).paint(canvas);
    }
}

/// The inputs, just above the landscape. Returns where the room for the prompt ends.
fn paint_media(canvas: &mut Canvas, card: &Card, layout: &Layout) -> i32 {
    let Layout { margin, scale, stage, .. } = *layout;
    let line_height = LINE_HEIGHT * scale;
    let room = ((stage - margin) / line_height - 3).clamp(0, MAX_MEDIA_LINES as i32);
    let lines = media_lines(&card.media, room as usize);
    let top = stage - line_height * lines.len() as i32;
    for (number, line) in lines.iter().enumerate() {
        let y = top + line_height * number as i32;
        Ink::new(&text::one_line(line, layout.line_width()), margin, y, scale, PALE).paint(canvas);
    }
    top
}

/// At most `room` lines; if there are more inputs, the last line counts the rest.
fn media_lines(media: &[String], room: usize) -> Vec<String> {
    if media.len() <= room {
        return media.to_vec();
    }
    let named = room.saturating_sub(1);
    let mut lines = media[..named].to_vec();
    if room > 0 {
        lines.push(format!("+ {} more", media.len() - named));
    }
    lines
}

/// The prompt, as large as it fits above `bottom`; the smallest size ends in an ellipsis if it must.
fn paint_prompt(canvas: &mut Canvas, prompt: &str, layout: &Layout, bottom: i32) {
    let Layout { width, margin, scale, .. } = *layout;
    let top = margin + (LINE_HEIGHT + 12) * scale;
    let fit = |scale: i32| {
        let between_lines = LINE_HEIGHT - GLYPH_HEIGHT;
        let lines = ((bottom - top) / scale + between_lines) / LINE_HEIGHT;
        text::wrap(prompt, (width - 2 * margin) / scale, lines.max(0) as usize)
    };
    let largest = (scale..=scale + 2).rev().map(|scale| (scale, fit(scale))).find(|(_, text)| text.complete);
    let (scale, text) = largest.unwrap_or_else(|| (scale, fit(scale)));
    for (number, line) in text.lines.iter().enumerate() {
        let y = top + LINE_HEIGHT * scale * number as i32;
        Ink::new(line, margin, y, scale, WHITE).paint(canvas);
    }
}

/// As many settings as there is room for to the left of the time.
fn facts(card: &Card, layout: &Layout) -> Ink {
    let room = layout.line_width() - text::measure("  00.0 s");
    let mut lines = (0..=card.facts.len()).rev().map(|count| card.facts[..count].join(" · "));
    let line = lines.find(|line| text::measure(line) <= room).unwrap_or_default();
    Ink::new(&line, layout.margin, layout.footer, layout.scale, PALE)
}

/// Three ridges; the nearest one is high enough to lie behind the footer, so that it can be read.
fn ridges(palette: &Palette, layout: &Layout) -> Vec<Ridge> {
    let Layout { stage, ground, footer, width, height, .. } = *layout;
    let near = footer - 4 * layout.scale;
    let rise = (near - stage).max(4);
    let many = if width > height { 1 } else { 0 };
    let shapes = [
        Shape { high: ground - rise / 3, low: ground + rise / 5, waves: (1 + many, 3 + many), lap_s: 40 },
        Shape { high: ground - rise / 8, low: ground + rise / 3, waves: (1 + many, 5), lap_s: 24 },
        Shape { high: near - rise / 5, low: near, waves: (1 + many, 3), lap_s: 14 },
    ];
    palette.hills.iter().zip(shapes).map(|(&color, shape)| Ridge::new(color, width, shape)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::sandbox::sample;
    use openh264::formats::YUVSource;

    fn scene(prompt: &str, size: (usize, usize)) -> Scene {
        let card = Card::new(&sample(prompt), 0, 2);
        Scene::new(&card, Palette::pick(0), size, 48, 24)
    }

    fn ink_in(prompt: &str) -> usize {
        let (mut with, mut without) = (scene(prompt, (640, 360)), scene("", (640, 360)));
        let (with, without) = (with.draw(0), without.draw(0));
        with.y().iter().zip(without.y()).filter(|(with, without)| with != without).count()
    }

    #[test]
    fn chinese_text_is_drawn_with_its_own_glyphs() {
        assert!(ink_in("雪地里的猫") > 500);
        let different =
            |one: &str, other: &str| scene(one, (640, 360)).draw(0) != scene(other, (640, 360)).draw(0);
        assert!(different("猫", "狗"));
        assert!(different("猫", "□"));
    }

    #[test]
    fn a_long_prompt_stays_above_the_landscape() {
        let prompt = "a very long prompt 一只猫在雪地里奔跑 ".repeat(300);
        let layout = Layout::new(640, 360);
        let mut long = scene(&prompt, (640, 360));
        let mut empty = scene("", (640, 360));
        let stage = 640 * layout.stage as usize;
        assert_eq!(long.draw(0).y()[stage..], empty.draw(0).y()[stage..]);
    }

    #[test]
    fn the_picture_moves_from_frame_to_frame() {
        let mut scene = scene("a cat", (320, 180));
        let first = scene.draw(0).clone();
        assert_ne!(&first, scene.draw(1));
        assert_eq!(&first, scene.draw(0));
    }

    #[test]
    fn every_size_can_be_drawn() {
        for size in [(32, 32), (160, 90), (90, 160), (2048, 32), (32, 2048), (720, 1280)] {
            let mut scene = scene("一只猫 a cat with a very long name ".repeat(9).as_str(), size);
            for frame in [0, 24, 47] {
                assert_eq!(scene.draw(frame).dimensions(), size);
            }
        }
    }

    #[test]
    fn inputs_beyond_the_room_are_counted() {
        let media: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
        assert_eq!(media_lines(&media, 4), media);
        assert_eq!(media_lines(&media, 3), ["a", "b", "+ 2 more"]);
        assert_eq!(media_lines(&media, 1), ["+ 4 more"]);
        assert!(media_lines(&media, 0).is_empty());
    }
}
