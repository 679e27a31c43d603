//! Line charts as SVG. Colours come from the style of the page, so that they fit both themes.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 26.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 34.0;

/// The number of colours in the style of the page.
const COLOURS: usize = 6;

/// The number of lines across a chart.
const GRID_LINES: u8 = 4;

#[derive(Debug, Default)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) x_label: String,
    /// The unit of the values, behind each number.
    pub(crate) unit: String,
    /// The places of the numbers below the chart; without any, they are chosen.
    pub(crate) ticks: Vec<(f64, String)>,
    pub(crate) lines: Vec<Line>,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<Place>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    pub(crate) x: f64,
    /// Without a value, the line has a gap.
    pub(crate) y: Option<f64>,
}

/// The scale of a chart.
struct Scale {
    first: f64,
    last: f64,
    top: f64,
}

impl Chart {
    /// Returns the chart with its title and its legend, or an empty text if no line has two points.
    pub(crate) fn html(&self) -> String {
        let is_empty = self.lines.iter().all(|line| line.points.iter().filter(|point| point.y.is_some()).count() < 2);
        if is_empty {
            return String::new();
        }
        let scale = self.scale();
        let mut html = format!("<figure><figcaption>{}</figcaption><ul class=\"legend\">", escaped(&self.title));
        let has_value = |line: &Line| line.points.iter().any(|point| point.y.is_some());
        for (index, line) in self.lines.iter().enumerate().filter(|(_, line)| has_value(line)) {
            let _ = write!(html, "<li class=\"c{}\">{}</li>", index % COLOURS, escaped(&line.name));
        }
        let title = escaped(&self.title);
        let _ = write!(html, "</ul><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
        self.axes(&scale, &mut html);
        for (index, line) in self.lines.iter().enumerate() {
            self.line(&scale, index % COLOURS, line, &mut html);
        }
        html.push_str("</svg></figure>");
        html
    }

    fn scale(&self) -> Scale {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let first = points().map(|point| point.x).fold(f64::INFINITY, f64::min);
        let last = points().map(|point| point.x).fold(f64::NEG_INFINITY, f64::max);
        let top = points().filter_map(|point| point.y).fold(0.0, f64::max);
        Scale { first, last: if last > first { last } else { first + 1.0 }, top: rounded_up(top) }
    }

    fn axes(&self, scale: &Scale, html: &mut String) {
        for step in 0..=GRID_LINES {
            let value = scale.top * f64::from(step) / f64::from(GRID_LINES);
            let y = scale.y(value);
            let right = WIDTH - RIGHT;
            let _ = write!(html, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>");
            let (x, y, number) = (LEFT - 6.0, y + 4.0, number(value));
            let unit = escaped(&self.unit);
            let _ = write!(html, "<text class=\"y\" x=\"{x}\" y=\"{y:.1}\">{number} {unit}</text>");
        }
        let chosen: Vec<_> = scale.round_places().map(|x| (x, number(x))).collect();
        let ticks = if self.ticks.is_empty() { &chosen } else { &self.ticks };
        for (at, text) in ticks.iter().filter(|(at, _)| (scale.first..=scale.last).contains(at)) {
            let (x, y) = (scale.x(*at), HEIGHT - BOTTOM + 15.0);
            let _ = write!(html, "<text class=\"x\" x=\"{x:.1}\" y=\"{y}\">{}</text>", escaped(text));
        }
        let (x, y) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 4.0);
        let _ = write!(html, "<text class=\"x\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(&self.x_label));
    }

    fn line(&self, scale: &Scale, colour: usize, line: &Line, html: &mut String) {
        for piece in line.points.split(|point| point.y.is_none()).filter(|piece| !piece.is_empty()) {
            let places = piece.iter().filter_map(|point| Some((point.x, point.y?)));
            let path: Vec<_> = places.map(|(x, y)| format!("{:.1},{:.1}", scale.x(x), scale.y(y))).collect();
            // A line to itself shows a value between two gaps as a dot.
            let path = if let [only] = path.as_slice() { format!("{only} {only}") } else { path.join(" ") };
            let _ = write!(html, "<polyline class=\"c{colour}\" points=\"{path}\"/>");
        }
        // Shown while the pointer is near.
        for point in &line.points {
            let Some(value) = point.y else { continue };
            let (x, y) = (scale.x(point.x), scale.y(value));
            let place = self.ticks.iter().find(|(at, _)| (at - point.x).abs() < 1e-9);
            let place = place.map_or_else(|| number(point.x), |(_, text)| text.clone());
            let text = format!("{} {} {} at {place}", line.name, number(value), self.unit);
            let _ =
                write!(html, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"><title>{}</title></circle>", escaped(&text));
        }
    }
}

impl Scale {
    /// Returns round numbers between the first and the last place.
    fn round_places(&self) -> impl Iterator<Item = f64> {
        let step = rounded_up((self.last - self.first) / 5.0);
        let begin = (self.first / step).ceil();
        (0..=5_u8).map(move |number| (begin + f64::from(number)) * step)
    }

    fn x(&self, x: f64) -> f64 {
        LEFT + (x - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - (y / self.top).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }
}

/// Returns the next of 1, 2, 4, 6, 8 and 10 times a power of ten.
fn rounded_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.iter().map(|step| step * power).find(|step| *step >= value * 0.999_999).unwrap_or(power * 10.0)
}

/// Formats a number with as many decimals as its size needs.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        _ if size >= 100.0 => return format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() || text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Escapes a text for HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_below_a_chart_are_round() {
        let places = |first, last| {
            let scale = Scale { first, last, top: 1.0 };
            scale.round_places().filter(|x| (first..=last).contains(x)).map(number).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(places(0.25, 8.0), "2 4 6 8");
        assert_eq!(places(1.0, 600.0), "200 400 600");
        assert_eq!(places(1.03, 3.0), "1.2 1.6 2 2.4 2.8");
        assert_eq!(places(0.0, 10.0), "0 2 4 6 8 10");
    }

    #[test]
    fn a_chart_has_its_lines_within_its_frame() {
        let points = [(0.0, 0.0), (5.0, 37.0), (10.0, 12.0)].map(|(x, y)| Place { x, y: Some(y) }).to_vec();
        let chart = Chart {
            title: "a < b".to_owned(),
            unit: "ms".to_owned(),
            lines: vec![Line { name: "p99".to_owned(), points }],
            ..Chart::default()
        };
        let html = chart.html();
        assert!(html.contains("points=\"84.0,196.0 349.0,23.9 614.0,140.2\""), "{html}");
        assert!(html.contains("a &lt; b") && html.contains("40 ms") && html.contains("p99 37 ms at 5"), "{html}");
    }

    #[test]
    fn a_value_that_is_absent_is_a_gap() {
        let values = [Some(1.0), Some(2.0), None, Some(4.0), None];
        let points = (0..5_u8).zip(values).map(|(x, y)| Place { x: x.into(), y }).collect();
        let html = Chart { lines: vec![Line { name: "p99".to_owned(), points }], ..Chart::default() }.html();
        let paths: Vec<_> = html.split("points=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(paths, ["84.0,149.5 216.5,103.0", "481.5,10.0 481.5,10.0"], "{html}");
        assert_eq!(html.matches("<circle").count(), 3);
        let lines = ["p50", "p99"].map(|name| Line {
            name: name.to_owned(),
            points: (0..3_u8).map(|x| Place { x: x.into(), y: (name == "p50").then_some(1.0) }).collect(),
        });
        let html = Chart { lines: lines.into(), ..Chart::default() }.html();
        assert!(html.contains("p50</li>") && !html.contains("p99</li>"), "a line without values has no legend: {html}");
    }

    #[test]
    fn a_chart_without_a_line_is_empty() {
        let lines = vec![Line { name: "p99".to_owned(), points: vec![Place { x: 1.0, y: Some(1.0) }] }];
        assert_eq!(Chart { lines, ..Chart::default() }.html(), "");
    }

    #[test]
    fn scales_end_with_a_round_number() {
        let rounded = [0.0, 0.7, 3.7, 12.0, 60.0, 61.0].map(|value| number(rounded_up(value)));
        assert_eq!(rounded, ["1", "0.8", "4", "20", "60", "80"]);
        assert_eq!([0.0, 0.05, 0.0075, 1.5, 12.34, 1234.5].map(number), ["0", "0.05", "0.0075", "1.5", "12.3", "1234"]);
    }
}
