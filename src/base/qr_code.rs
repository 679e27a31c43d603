//! QR codes as PNG files.

use std::error::Error;

use png::{BitDepth, ColorType, Encoder};
use qrcode::{Color, QrCode};

/// The width of a module, in pixels.
const MODULE_PIXELS: usize = 8;

/// The blank margin, in modules (ISO/IEC 18004).
const MARGIN_MODULES: usize = 4;

/// Draws `text` as a QR code. Fails if the text is longer than a QR code can hold.
pub(crate) fn drawn(text: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let code = QrCode::new(text)?;
    let modules = code.to_colors();
    let side = (code.width() + 2 * MARGIN_MODULES) * MODULE_PIXELS;
    let is_dark = |x: usize, y: usize| {
        let [x, y] = [x, y].map(|pixel| (pixel / MODULE_PIXELS).checked_sub(MARGIN_MODULES));
        let (Some(x), Some(y)) = (x, y) else { return false };
        x < code.width() && modules.get(y * code.width() + x) == Some(&Color::Dark)
    };
    let pixels: Vec<u8> = (0..side * side).map(|at| if is_dark(at % side, at / side) { 0 } else { 255 }).collect();
    let mut file = Vec::new();
    let side = u32::try_from(side)?;
    let mut encoder = Encoder::new(&mut file, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_picture_with_a_margin() {
        let file = drawn("otpauth://totp/chat.example:anna%40chat.example?secret=GEZDGNBVGY3TQOJQ").unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(frame.width, frame.height);
        let width = frame.width as usize;
        assert_eq!((width / MODULE_PIXELS - 2 * MARGIN_MODULES - 17) % 4, 0, "no version of a QR code is this wide");
        let first_dark = pixels.iter().position(|pixel| *pixel == 0).unwrap();
        let margin = MARGIN_MODULES * MODULE_PIXELS;
        assert_eq!(first_dark, margin * width + margin, "the first finder pattern begins after the margin");
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        assert!(drawn(&"x".repeat(3000)).is_err());
    }
}
