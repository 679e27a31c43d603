//! Recognises an image by its first bytes; the host's `Content-Type` header is ignored.

use imagesize::{Compression, ImageType};

/// The supported kinds with their content types. SVG is not supported, because it can contain scripts.
pub(super) const KINDS: [(ImageType, &str); 11] = [
    (ImageType::Png, "image/png"),
    (ImageType::Jpeg, "image/jpeg"),
    (ImageType::Gif, "image/gif"),
    (ImageType::Webp, "image/webp"),
    (ImageType::Heif(Compression::Av1), "image/avif"),
    (ImageType::Heif(Compression::Hevc), "image/heic"),
    (ImageType::Bmp, "image/bmp"),
    (ImageType::Ico, "image/x-icon"),
    (ImageType::Tiff, "image/tiff"),
    (ImageType::Jxl, "image/jxl"),
    (ImageType::Psd, "image/vnd.adobe.photoshop"),
];

/// An image of a supported kind.
#[derive(Debug, PartialEq)]
pub(super) struct Kind {
    pub(super) content_type: &'static str,
    pub(super) pixels: u64,
}

impl Kind {
    /// Returns the kind of an image; `None` when the kind is not supported or the dimensions cannot be read.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let found = imagesize::image_type(bytes).ok()?;
        let (_, content_type) = KINDS.iter().find(|(kind, _)| *kind == found)?;
        let size = imagesize::blob_size(bytes).ok()?;
        let pixels = u64::try_from(size.width).ok()?.checked_mul(u64::try_from(size.height).ok()?)?;
        Some(Self { content_type, pixels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_say_what_it_is_and_how_large() {
        let gif = b"GIF89a\x05\x00\x03\x00\x80\x00\x00";
        assert_eq!(Kind::of(gif), Some(Kind { content_type: "image/gif", pixels: 15 }));
        for other in
            [&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], b"<html>", b"", b"GIF89a\x05", b"\x89PNG\r\n\x1a\n"]
        {
            assert_eq!(Kind::of(other), None, "{other:?}");
        }
    }
}
