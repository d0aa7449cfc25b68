//! Text as a bitmap font draws it: line breaking for any script, and glyphs turned into strokes of ink.
//!
//! The font is GNU Unifont: every character of the Basic Multilingual Plane, 8 or 16 pixels wide and 16 tall. Characters
//! beyond it (most emoji) appear as an empty box. Right-to-left scripts are drawn in stored order: this is a test
//! picture, not typesetting.

use super::canvas::{Canvas, Color, Rect};
use unifont::Glyph;

/// Height of every glyph at scale 1.
pub(super) const GLYPH_HEIGHT: i32 = 16;
/// Distance between the tops of two lines at scale 1.
pub(super) const LINE_HEIGHT: i32 = 20;

/// More of a text than fits on any picture; bounds the work for a hostile prompt.
const MAX_CHARS: usize = 4_000;
const ELLIPSIS: char = '…';
const MISSING: char = '□';
/// Punctuation that must not begin a line in Chinese and Japanese text.
const CLOSING: &str = "、。，．：；？！）」』】》〉〕…’”,.:;?!)";

/// The result of breaking a text into lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrapped {
    pub lines: Vec<String>,
    /// False if the text was longer and ends in an ellipsis.
    pub complete: bool,
}

/// Breaks `text` into at most `max_lines` lines that are at most `width` pixels wide at scale 1.
pub(super) fn wrap(text: &str, width: i32, max_lines: usize) -> Wrapped {
    let mut breaker = Breaker { width, lines: Vec::new(), line: String::new(), used: 0 };
    let text: String = text.chars().take(MAX_CHARS).collect();
    for paragraph in text.trim().lines() {
        if breaker.lines.len() > max_lines {
            break;
        }
        pieces(paragraph).iter().for_each(|piece| breaker.place(piece));
        breaker.end_line();
    }
    let complete = breaker.lines.len() <= max_lines;
    let mut lines = breaker.lines;
    lines.truncate(max_lines);
    if let (false, Some(last)) = (complete, lines.last_mut()) {
        shorten(last, width);
    }
    Wrapped { lines, complete }
}

/// `text` on one line of at most `width` pixels at scale 1.
pub(super) fn one_line(text: &str, width: i32) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if measure(&flat) <= width {
        return flat;
    }
    let mut line: String = flat.chars().take(MAX_CHARS).collect();
    shorten(&mut line, width);
    line
}

/// Width of `text` in pixels at scale 1.
pub(super) fn measure(text: &str) -> i32 {
    text.chars().map(advance).sum()
}

/// Makes room for an ellipsis at the end of `line` and appends it.
fn shorten(line: &mut String, width: i32) {
    let mut used = measure(line);
    while used + advance(ELLIPSIS) > width {
        match line.pop() {
            Some(last) => used -= advance(last),
            None => break,
        }
    }
    line.truncate(line.trim_end().len());
    line.push(ELLIPSIS);
}

struct Breaker {
    width: i32,
    lines: Vec<String>,
    line: String,
    used: i32,
}

impl Breaker {
    fn place(&mut self, piece: &str) {
        if self.used + measure(piece) > self.width && !self.line.is_empty() {
            self.end_line();
        }
        if self.line.is_empty() && piece == " " {
            return;
        }
        for character in piece.chars() {
            self.push(character);
        }
    }

    /// Appends one character; a word longer than a line is broken wherever the line ends.
    fn push(&mut self, character: char) {
        if self.used + advance(character) > self.width && !self.line.is_empty() {
            self.end_line();
        }
        self.used += advance(character);
        self.line.push(character);
    }

    fn end_line(&mut self) {
        self.used = 0;
        self.lines.push(std::mem::take(&mut self.line).trim_end().to_owned());
    }
}

/// Splits a paragraph where a line may end: around spaces, and between wide characters unless punctuation closes there.
fn pieces(paragraph: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for character in paragraph.chars() {
        match pieces.last_mut() {
            Some(last) if joins(last, character) => last.push(character),
            Some(last) if character.is_whitespace() && last == " " => {}
            _ if character.is_whitespace() => pieces.push(" ".to_owned()),
            _ => pieces.push(character.to_string()),
        }
    }
    pieces
}

fn joins(piece: &str, next: char) -> bool {
    let narrow = |character: char| advance(character) < 16;
    let word = piece.chars().next_back().is_some_and(narrow) && narrow(next);
    piece != " " && !next.is_whitespace() && (word || CLOSING.contains(next))
}

/// How far the pen moves. Marks that sit on the letter before them do not move it.
fn advance(character: char) -> i32 {
    if is_mark(character) || is_invisible(character) {
        0
    } else {
        glyph(character).map_or(0, |glyph| glyph.get_width() as i32)
    }
}

/// The general combining marks. Those of single scripts are drawn beside their letter, which stays legible.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}')
}

/// Joiners, direction marks, variation selectors and control characters.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

fn glyph(character: char) -> Option<&'static Glyph> {
    unifont::get_glyph(character).or_else(|| unifont::get_glyph(MISSING))
}

/// Text made ready to be painted, any number of times.
#[derive(Clone, Debug)]
pub(super) struct Ink {
    color: Color,
    strokes: Vec<Rect>,
}

impl Ink {
    /// One line of text with its top left corner at (`x`, `y`), every font pixel `scale` pixels wide and tall. Enlarged
    /// text is drawn a little bolder, because the strokes of the font are one pixel wide.
    pub fn new(text: &str, x: i32, y: i32, scale: i32, color: Color) -> Self {
        let mut ink = Self { color, strokes: Vec::new() };
        let mut pen = x;
        for character in text.chars().filter(|&character| !is_invisible(character)) {
            let left = if is_mark(character) { pen - 8 * scale } else { pen };
            if let Some(glyph) = glyph(character) {
                ink.add(glyph, left, y, scale);
            }
            pen += advance(character) * scale;
        }
        ink
    }

    fn add(&mut self, glyph: &Glyph, left: i32, top: i32, scale: i32) {
        for row in 0..GLYPH_HEIGHT {
            for (start, length) in runs(glyph, row as usize) {
                let w = length * scale + scale / 2;
                self.strokes.push(Rect { x: left + start * scale, y: top + row * scale, w, h: scale });
            }
        }
    }

    pub fn paint(&self, canvas: &mut Canvas) {
        for stroke in &self.strokes {
            canvas.fill(*stroke, self.color);
        }
    }
}

/// Start and length of each unbroken row of set pixels.
fn runs(glyph: &Glyph, row: usize) -> Vec<(i32, i32)> {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for x in (0..glyph.get_width()).filter(|&x| glyph.get_pixel(x, row)) {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == x as i32 => *length += 1,
            _ => runs.push((x as i32, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, width: i32, max_lines: usize) -> Vec<String> {
        wrap(text, width, max_lines).lines
    }

    #[test]
    fn words_are_kept_whole_and_spaces_at_the_break_vanish() {
        assert_eq!(lines("a  quick brown fox", 8 * 8, 9), ["a quick", "brown", "fox"]);
        assert_eq!(lines("one\ntwo", 800, 9), ["one", "two"]);
    }

    #[test]
    fn a_word_longer_than_a_line_is_broken() {
        assert_eq!(lines("abcdefgh ij", 3 * 8, 9), ["abc", "def", "gh", "ij"]);
    }

    #[test]
    fn chinese_breaks_between_characters_but_not_before_punctuation() {
        assert_eq!(lines("一只猫在雪地里", 3 * 16, 9), ["一只猫", "在雪地", "里"]);
        assert_eq!(lines("一只猫，在雪", 3 * 16, 9), ["一只", "猫，在", "雪"]);
    }

    #[test]
    fn a_text_that_does_not_fit_ends_in_an_ellipsis() {
        let wrapped = wrap("one two three four", 5 * 8, 2);
        assert_eq!(wrapped, Wrapped { lines: vec!["one".into(), "two…".into()], complete: false });
        assert_eq!(one_line("a very long name.png", 8 * 8), "a very…");
        assert_eq!(one_line("ab\ncd", 8 * 8), "ab cd");
    }

    #[test]
    fn an_empty_text_and_an_empty_box_are_harmless() {
        assert_eq!(wrap("", 100, 3), Wrapped { lines: vec![], complete: true });
        assert_eq!(wrap("word", 100, 0), Wrapped { lines: vec![], complete: false });
        assert_eq!(lines("ab", 0, 9), ["a", "b"]);
    }

    #[test]
    fn marks_sit_on_the_letter_before_them_and_joiners_take_no_room() {
        assert_eq!(measure("e\u{301}"), measure("e"));
        assert_eq!(measure("a\u{200d}\u{fe0f}b"), measure("ab"));
    }

    #[test]
    fn a_character_without_a_glyph_is_an_empty_box() {
        let drawn = |text| {
            let mut canvas = Canvas::new(32, 32);
            Ink::new(text, 0, 0, 1, Color::rgb(0xffffff)).paint(&mut canvas);
            canvas
        };
        assert_eq!(drawn("🐈"), drawn("□"));
        assert_ne!(drawn("🐈"), drawn(""));
    }
}
