//! The response encodings that a client accepts.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_ENCODING;
use quarterdeck_actors::config::Config;

use super::header_of;

/// Returns true if the client accepts gzip and the settings allow it.
pub(crate) fn accepts_gzip(http: &HttpRequest, config: &Config) -> bool {
    let is_on = config.view.service.webserver_mode == "gzip";
    is_on && header_of(http, ACCEPT_ENCODING.as_str()).is_some_and(offers_gzip)
}

fn offers_gzip(header: &str) -> bool {
    header.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let names_it = parts.next().is_some_and(|coding| coding == "gzip" || coding == "*");
        let refuses_it = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        names_it && !refuses_it
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_for_those_who_take_it() {
        for offer in ["gzip", "deflate, gzip;q=0.5", "*"] {
            assert!(offers_gzip(offer), "{offer}");
        }
        for offer in ["", "br", "gzip;q=0", "identity"] {
            assert!(!offers_gzip(offer), "{offer}");
        }
    }
}
