//! Measuring text: how wide it is, how columns share the page, where lines break.

use super::fonts::{Face, Faces};
use crate::exports::render::Header;

/// Size of all text but the title.
pub(super) const SIZE: f32 = 7.5;

/// A small number of things.
pub(super) fn count(things: usize) -> f32 {
    f32::from(u16::try_from(things).unwrap_or(u16::MAX))
}

/// How wide each column would be without wrapping.
pub(super) fn natural_widths(header: &Header, faces: &Faces, texts: &[Vec<String>]) -> Vec<f32> {
    let mut widths: Vec<f32> =
        header.columns.iter().map(|column| faces.bold.width(&column.label, SIZE)).collect();
    for row in texts {
        for (width, text) in widths.iter_mut().zip(row) {
            *width =
                text.lines().fold(*width, |width, line| width.max(faces.regular.width(line, SIZE)));
        }
    }
    widths
}

/// Shares the room: whoever needs less than a share gets what it needs. Shares grow with the square root of the need, so that
/// long texts get fewer lines and short ones still fit.
pub(super) fn shared_widths(natural: &[f32], room: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..natural.len()).collect();
    order.sort_by(|a, b| natural[*a].total_cmp(&natural[*b]));
    let (mut left, mut weights) = (room, natural.iter().map(|need| need.sqrt()).sum::<f32>());
    let mut widths = vec![0.0; natural.len()];
    for index in order {
        let weight = natural[index].sqrt();
        // Half a point more than measured, so that rounding never wraps a text that fits.
        widths[index] = (natural[index] + 0.5).min(left * weight / weights.max(weight));
        left -= widths[index];
        weights -= weight;
    }
    widths
}

/// Breaks a text into lines that fit: at its own line breaks, then between words, then inside a word that is too long.
pub(super) fn wrap(face: &Face, text: &str, room: f32) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        if face.width(paragraph, SIZE) <= room {
            lines.push(paragraph.to_owned());
            continue;
        }
        let (mut line, mut used) = (String::new(), 0.0);
        for word in paragraph.split_inclusive(char::is_whitespace) {
            let width = face.width(word.trim_end(), SIZE);
            if used + width > room && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            if width > room {
                used = break_word(face, word, room, (&mut line, &mut lines));
            } else {
                line.push_str(word);
                used += face.width(word, SIZE);
            }
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Breaks a word by characters; the width of the last piece, which stays in the open line.
fn break_word(face: &Face, word: &str, room: f32, out: (&mut String, &mut Vec<String>)) -> f32 {
    let (line, lines) = out;
    let mut used = face.width(line, SIZE);
    for character in word.chars() {
        let width = face.glyph(character).map_or(1.0, |glyph| glyph.advance) * SIZE;
        if used + width > room && !line.is_empty() {
            lines.push(std::mem::take(line));
            used = 0.0;
        }
        line.push(character);
        used += width;
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_columns_keep_their_width_and_wide_ones_share_what_is_left() {
        let widths = shared_widths(&[10.0, 400.0, 20.0, 1600.0], 330.0);
        assert!((widths[0] - 10.5).abs() < 0.01 && (widths[2] - 20.5).abs() < 0.01, "{widths:?}");
        assert!((widths[3] / widths[1] - 2.0).abs() < 0.05, "{widths:?}");
        assert!((widths.iter().sum::<f32>() - 330.0).abs() < 0.1, "{widths:?}");
    }
}
