//! Locales of accounts: language tags that the registry knows.

/// The longest locale, in bytes: the width of the database column.
const MAX_LOCALE_BYTES: usize = 5;

/// The languages of two letters, current and former ones.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es \
                         et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik in io is it iu iw ja ji jv \
                         jw ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mo mr ms mt my na nb nd \
                         ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss \
                         st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// The regions of two letters, with former and reserved ones.
const REGIONS: &str = "AA AC AD AE AF AG AI AL AM AN AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BU BV BW BY \
                       BZ CA CC CD CF CG CH CI CK CL CM CN CO CP CR CS CU CV CW CX CY CZ DD DE DG DJ DK DM DO DZ EA EC EE EG EH ER ES ET EU \
                       EZ FI FJ FK FM FO FR FX GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU IC ID IE IL IM IN \
                       IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK \
                       ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NT NU NZ OM PA PE PF PG PH PK PL PM PN PR \
                       PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SU SV SX SY SZ TA TC TD TF TG TH TJ \
                       TK TL TM TN TO TP TR TT TV TW TZ UA UG UK UM UN US UY UZ VA VC VE VG VI VN VU WF WS XK YD YE YT YU ZA ZM ZR ZW ZZ";

/// Returns true for an empty locale and for a tag of a known language, with or without a known region.
///
/// Languages of three letters are thousands, so only their form is checked.
pub(crate) fn is_known(locale: &str) -> bool {
    if locale.is_empty() {
        return true;
    }
    let (language, region) = match locale.split_once(['-', '_']) {
        Some((language, region)) => (language, Some(region)),
        None => (locale, None),
    };
    let is_language = match language.len() {
        2 => is_listed(LANGUAGES, &language.to_ascii_lowercase()),
        3 => language.bytes().all(|byte| byte.is_ascii_alphabetic()),
        _ => false,
    };
    let is_region = region.is_none_or(|region| is_listed(REGIONS, &region.to_ascii_uppercase()));
    locale.len() <= MAX_LOCALE_BYTES && is_language && is_region
}

fn is_listed(list: &str, wanted: &str) -> bool {
    list.split_whitespace().any(|known| known == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_a_known_tag_of_at_most_five_characters() {
        for tag in ["", "en", "EN", "de_AT", "pt-BR", "zh-TW", "haw", "iw"] {
            assert!(is_known(tag), "{tag}");
        }
        for tag in
            ["e", "xx", "zz", "zzzzzzzz", "english", "en-XX", "en-", "-en", "en_", "zh-Hant", "en-US-x", "e1", "en US"]
        {
            assert!(!is_known(tag), "{tag}");
        }
        for tag in quarterdeck_actors::locales::SUPPORTED {
            assert!(is_known(tag), "{tag}");
        }
    }
}
