//! Pictures of users and teams: one drawn from the id of an account, and an uploaded one in the size that clients show.

mod change;
mod stored;
mod uploads;

use std::io::Cursor;

use aws_lc_rs::digest::{SHA256, digest};
use image::codecs::png::PngEncoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage};
use quarterdeck_actors::background;
use quarterdeck_actors::error::{AppError, OrFail};

pub(crate) use change::{ICON_UNSTORED, UNSTORED, change, change_icon};
pub(crate) use stored::{is_uploaded, stored, stored_icon};

/// The width and the height of a picture, in pixels.
const SIZE: u32 = 128;

/// The cells of a drawn picture, in each direction. The right half mirrors the left one.
const CELLS: u32 = 5;

/// The largest uploaded picture, in pixels: 6,048 by 4,032.
const MAX_PIXELS: u64 = 6_048 * 4_032;

/// The largest memory for an uploaded picture while it is made smaller, in bytes.
const MAX_DECODED_BYTES: u64 = 160 << 20;

/// The formats of uploaded pictures.
const FORMATS: [ImageFormat; 4] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::Bmp];

/// The colours of drawn pictures, dark enough for a light pattern.
const COLOURS: [[u8; 3]; 12] = [
    [0xc5, 0x3b, 0x3b],
    [0xb8, 0x5c, 0x1e],
    [0x8f, 0x6f, 0x12],
    [0x5b, 0x7f, 0x1f],
    [0x2a, 0x80, 0x46],
    [0x1b, 0x7c, 0x7c],
    [0x1f, 0x6f, 0xa8],
    [0x3f, 0x5b, 0xbf],
    [0x66, 0x4c, 0xbf],
    [0x8f, 0x43, 0xa8],
    [0xb0, 0x3a, 0x83],
    [0x5a, 0x67, 0x78],
];

/// Returns the place of a user's picture in the file store, which is that of Mattermost.
pub(crate) fn place_of(user_id: &str) -> String {
    format!("users/{user_id}/profile.png")
}

/// Returns the place of a team's picture in the file store, which is that of Mattermost.
pub(crate) fn place_of_team(team_id: &str) -> String {
    format!("teams/{team_id}/teamIcon.png")
}

/// Draws the picture of an account without one: a pattern and a colour that depend on the id only. Returns PNG.
pub(crate) fn drawn(user_id: &str) -> Result<Vec<u8>, AppError> {
    let hash = digest(&SHA256, user_id.as_bytes());
    let mut bytes = hash.as_ref().iter().copied();
    let colour = usize::from(bytes.next().unwrap_or_default()) % COLOURS.len();
    let colour = COLOURS.get(colour).copied().unwrap_or_default();
    let pattern: Vec<bool> = bytes.map(|byte| byte % 2 == 0).collect();
    let margin = (SIZE % CELLS) / 2;
    let picture = RgbImage::from_fn(SIZE, SIZE, |x, y| {
        let cell = |at: u32| (at.saturating_sub(margin) / (SIZE / CELLS)).min(CELLS - 1);
        let column = cell(x).min(CELLS - 1 - cell(x));
        let at = usize::try_from(column * CELLS + cell(y)).unwrap_or_default();
        Rgb(if pattern.get(at).copied().unwrap_or_default() { [0xf4, 0xf6, 0xf8] } else { colour })
    });
    encoded(&DynamicImage::ImageRgb8(picture))
}

/// Makes an uploaded picture upright, square and as large as clients show it. Returns PNG.
///
/// Refuses other formats, and a picture of too many pixels before it is decoded. The pictures of all users wait in one
/// queue; `user_id` is the user who uploads this one.
pub(crate) async fn fitted(user_id: &str, file: bytes::Bytes) -> Result<Vec<u8>, AppError> {
    let turn = uploads::turn(user_id).await?;
    // The turn moves along, because the work goes on when the client disconnects.
    let fitting = move || {
        let fitted = fit(&file);
        drop(turn);
        fitted
    };
    let fitted = background::compute(fitting).await;
    fitted.or_fail("api.user.upload_profile_user.decode.app_error")?
}

fn fit(file: &[u8]) -> Result<Vec<u8>, AppError> {
    let unread = |cause: image::ImageError| {
        AppError::new("api.user.upload_profile_user.decode_config.app_error").because(cause.to_string())
    };
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|cause| unread(cause.into()))?;
    if !reader.format().is_some_and(|format| FORMATS.contains(&format)) {
        return Err(AppError::new("api.user.upload_profile_user.decode_config.app_error"));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unread)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_DECODED_BYTES {
        return Err(AppError::new("api.user.upload_profile_user.too_large.app_error#pixels"));
    }
    let orientation = decoder.orientation().map_err(unread)?;
    let whole = DynamicImage::from_decoder(decoder)
        .map_err(|cause| AppError::new("api.user.upload_profile_user.decode.app_error").because(cause.to_string()))?;
    // Only its square middle is scaled: of a long and narrow picture, the whole would become many times larger.
    let side = width.min(height);
    // The middle is a view of the decoded picture, because a copy would take as much memory again.
    let middle = imageops::crop_imm(&whole, (width - side) / 2, (height - side) / 2, side, side);
    // It is made smaller first, so that turning it takes no memory.
    let small = imageops::resize(&*middle, SIZE, SIZE, FilterType::Triangle);
    drop(whole);
    let mut picture = DynamicImage::ImageRgba8(small);
    picture.apply_orientation(orientation);
    encoded(&picture)
}

fn encoded(picture: &DynamicImage) -> Result<Vec<u8>, AppError> {
    let mut png = Vec::new();
    picture.write_with_encoder(PngEncoder::new(&mut png)).or_fail("api.user.upload_profile_user.encode.app_error")?;
    Ok(png)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> DynamicImage {
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, _| {
            Rgb(if x < width / 2 { [255, 0, 0] } else { [0, 0, 255] })
        }))
    }

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn size(png: &[u8]) -> (u32, u32) {
        let read = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
        read.into_dimensions().unwrap()
    }

    #[test]
    fn a_drawn_picture_depends_on_the_id_only_and_is_symmetric() {
        let png = drawn("abcdefghijklmnopqrstuvwxyz").unwrap();
        assert_eq!(size(&png), (SIZE, SIZE));
        assert_eq!(png, drawn("abcdefghijklmnopqrstuvwxyz").unwrap());
        assert_ne!(png, drawn("bbcdefghijklmnopqrstuvwxyz").unwrap());
        assert!(png.len() < 4096, "{}", png.len());
        let read = image::load_from_memory(&png).unwrap().to_rgb8();
        assert_eq!(read.get_pixel(10, 40), read.get_pixel(SIZE - 11, 40));
    }

    #[actix_web::test]
    async fn pictures_of_each_format_and_shape_become_small_squares() {
        for format in FORMATS {
            for (width, height) in [(1, 1), (300, 200), (200, 3000), (40_000, 1), (1, 40_000)] {
                let png = fitted("anna", file(&picture(width, height), format).into()).await.unwrap();
                assert_eq!(size(&png), (SIZE, SIZE), "{format:?} {width} x {height}");
            }
        }
    }

    #[actix_web::test]
    async fn the_middle_of_a_picture_is_shown() {
        // 300 x 100: red, then the middle in green, then blue.
        let colours = DynamicImage::ImageRgb8(RgbImage::from_fn(300, 100, |x, _| {
            Rgb(if x < 100 {
                [255, 0, 0]
            } else if x < 200 {
                [0, 255, 0]
            } else {
                [0, 0, 255]
            })
        }));
        for (turned, name) in [(false, "wide"), (true, "high")] {
            let colours = if turned { colours.rotate90() } else { colours.clone() };
            let png = fitted("carl", file(&colours, ImageFormat::Png).into()).await.unwrap();
            let shown = image::load_from_memory(&png).unwrap().to_rgba8();
            assert!(shown.pixels().all(|pixel| pixel.0 == [0, 255, 0, 255]), "{name}");
        }
        let sixteen_bits = DynamicImage::ImageLuma16(image::ImageBuffer::from_fn(7, 9, |_, _| image::Luma([0xffff])));
        let png = fitted("carl", file(&sixteen_bits, ImageFormat::Png).into()).await.unwrap();
        let shown = image::load_from_memory(&png).unwrap().to_rgba8();
        assert!(shown.pixels().all(|pixel| pixel.0 == [255; 4]));
    }

    #[actix_web::test]
    async fn what_is_no_picture_or_too_large_is_refused_before_it_is_decoded() {
        let unread = "api.user.upload_profile_user.decode_config.app_error";
        for bytes in [b"".to_vec(), b"<svg/>".to_vec(), b"RIFF0000WEBPVP8 ".to_vec()] {
            assert_eq!(fitted("bert", bytes.into()).await.unwrap_err().id, unread);
        }
        let mut cut = file(&picture(64, 64), ImageFormat::Png);
        cut.truncate(100);
        assert!(fitted("bert", cut.into()).await.is_err());
        // The size in the header of this BMP is that of 60,000 x 60,000 pixels.
        let mut bomb = file(&picture(64, 64), ImageFormat::Bmp);
        bomb[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
        bomb[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
        let id = fitted("bert", bomb.into()).await.unwrap_err().id;
        assert!(id == "api.user.upload_profile_user.too_large.app_error#pixels" || id == unread, "{id}");
    }
}
