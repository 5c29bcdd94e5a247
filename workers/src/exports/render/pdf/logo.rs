//! The organisation's sign: a picture that people uploaded, read within limits and made small enough for the top of a page.

use std::io::{self, Cursor, Write};

use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, Limits, RgbImage};

use sha2::{Digest, Sha256};

use super::file::{Object, Writer};

/// A picture may have so many pixels on each side,
pub const SIDE_MOST: u32 = 8_192;
/// and may need so much memory while it is read.
const ALLOCATED_MOST: u64 = 128 * 1024 * 1024;
/// Largest size on the page, in points.
const WIDTH: f32 = 180.0;
const HEIGHT: f32 = 44.0;
/// Pixels per point that are kept: 288 to the inch, as printers show.
const PIXELS: f32 = 4.0;

/// A picture that pages show.
#[derive(Debug, Clone)]
pub struct Logo {
    pixels: RgbImage,
}

/// Why a picture is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is of another kind.
    #[error("it is neither PNG nor JPEG")]
    Kind,
    /// It is too large, or damaged.
    #[error("it is damaged, or larger than {SIDE_MOST} pixels on a side")]
    Content,
}

impl Logo {
    /// Reads PNG or JPEG; what is see-through becomes white, as the paper.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut reader = ImageReader::new(Cursor::new(bytes));
        let format = image::guess_format(bytes).map_err(|_| Unreadable::Kind)?;
        if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg) {
            return Err(Unreadable::Kind);
        }
        reader.set_format(format);
        let mut limits = Limits::default();
        limits.max_image_width = Some(SIDE_MOST);
        limits.max_image_height = Some(SIDE_MOST);
        limits.max_alloc = Some(ALLOCATED_MOST);
        reader.limits(limits);
        let picture = reader.decode().map_err(|_| Unreadable::Content)?;
        Ok(Self { pixels: on_paper(&shrunk(picture)) })
    }

    /// Width and height on the page in points.
    pub(super) fn size(&self) -> (f32, f32) {
        let (width, height) = sides(self.pixels.dimensions());
        let scale = (WIDTH / width).min(HEIGHT / height).min(1.0 / PIXELS.sqrt());
        (width * scale, height * scale)
    }

    /// Makes a document with this picture another than one without.
    pub(super) fn identify(&self, identity: &mut Sha256) {
        identity.update(self.pixels.as_raw());
    }

    pub(super) fn write<W: Write>(&self, file: &mut Writer<W>, object: Object) -> io::Result<()> {
        let (width, height) = self.pixels.dimensions();
        let entries = format!(
            "/Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceRGB/BitsPerComponent 8"
        );
        file.stream(object, &entries, self.pixels.as_raw())
    }
}

/// With no more pixels than are seen.
fn shrunk(picture: DynamicImage) -> DynamicImage {
    let (width, height) = sides((picture.width(), picture.height()));
    if width <= WIDTH * PIXELS && height <= HEIGHT * PIXELS {
        return picture;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "these are small")]
    let [width, height] = [WIDTH, HEIGHT].map(|points| (points * PIXELS) as u32);
    picture.resize(width, height, FilterType::Triangle)
}

#[expect(clippy::cast_precision_loss, reason = "a side has at most thousands of pixels")]
fn sides((width, height): (u32, u32)) -> (f32, f32) {
    (width.max(1) as f32, height.max(1) as f32)
}

fn on_paper(picture: &DynamicImage) -> RgbImage {
    let seen = picture.to_rgba8();
    let (width, height) = seen.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let [red, green, blue, alpha] = seen.get_pixel(x, y).0.map(u32::from);
        let over = |colour: u32| (colour * alpha + 255 * (255 - alpha)).div_euclid(255);
        image::Rgb([red, green, blue].map(|colour| u8::try_from(over(colour)).unwrap_or(u8::MAX)))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A picture of one colour as a file.
    pub(crate) fn picture(format: ImageFormat, (width, height): (u32, u32)) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let pixels = RgbImage::from_pixel(width, height, image::Rgb([200, 30, 30]));
        pixels.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_keep_their_shape_within_the_room_that_they_have() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            for (sides, expected) in [((2000, 500), (176.0, 44.0)), ((3000, 100), (180.0, 6.0))] {
                let (width, height) = Logo::read(&picture(format, sides)).unwrap().size();
                assert!((width - expected.0).abs() < 1.0, "{sides:?}: {width}");
                assert!((height - expected.1).abs() < 1.0, "{sides:?}: {height}");
            }
        }
    }

    #[test]
    fn small_pictures_are_not_blown_up() {
        let (width, height) = Logo::read(&picture(ImageFormat::Png, (40, 20))).unwrap().size();
        assert!(width <= 20.0 && height <= 10.0, "{width} by {height}");
    }

    #[test]
    fn what_is_see_through_is_white() {
        let seen = image::RgbaImage::from_pixel(1, 1, image::Rgba([0, 0, 0, 0]));
        assert_eq!(on_paper(&seen.into()).get_pixel(0, 0).0, [255; 3]);
        let half = image::RgbaImage::from_pixel(1, 1, image::Rgba([0, 0, 0, 128]));
        assert_eq!(on_paper(&half.into()).get_pixel(0, 0).0, [127; 3]);
    }

    #[test]
    fn neither_other_files_nor_damaged_or_huge_ones_are_read() {
        assert_eq!(Logo::read(b"%PDF-1.7").unwrap_err(), Unreadable::Kind);
        assert_eq!(Logo::read(b"GIF89a\x01\x00\x01\x00").unwrap_err(), Unreadable::Kind);
        let mut cut = picture(ImageFormat::Png, (64, 64));
        cut.truncate(40);
        assert_eq!(Logo::read(&cut).unwrap_err(), Unreadable::Content);
        let mut huge = picture(ImageFormat::Png, (1, 1));
        huge[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
        assert_eq!(Logo::read(&huge).unwrap_err(), Unreadable::Content);
    }
}
