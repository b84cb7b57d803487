//! The same figure as SVG: a picture for a ticket. It has no script and loads nothing.

use std::fmt::Write as _;

use super::figure::{Figure, Line};

/// Where the boxes end and begin, and how high a line is.
const LEFT: u32 = 180;
const RIGHT: u32 = 560;
const WIDTH: u32 = 740;
const TOP: u32 = 56;
const STEP: u32 = 64;

impl Figure {
    /// A whole document.
    #[must_use]
    pub fn svg(&self) -> String {
        let count = u32::try_from(self.lines.len()).unwrap_or(0);
        let bottom = TOP + STEP * count;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"14\">\n<title>FTP between {client} and {server}</title>\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n",
            height = bottom + 24,
            client = escaped(&self.client),
            server = escaped(&self.server),
        );
        for (from, to, name, address) in
            [(20, LEFT, "client", &self.client), (RIGHT, WIDTH - 20, "server", &self.server)]
        {
            let (width, middle) = (to - from, u32::midpoint(from, to));
            _ = writeln!(
                svg,
                "<text x=\"{middle}\" y=\"20\" text-anchor=\"middle\" font-weight=\"bold\">{name}</text>\n\
                 <text x=\"{middle}\" y=\"40\" text-anchor=\"middle\">{}</text>\n\
                 <rect x=\"{from}\" y=\"{TOP}\" width=\"{width}\" height=\"{}\" rx=\"6\" fill=\"#f4f6f8\" stroke=\"#333\"/>",
                escaped(address),
                STEP * count,
            );
        }
        for (place, line) in (0..).zip(&self.lines) {
            svg.push_str(&drawn(line, TOP + STEP * place + STEP / 2));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn drawn(line: &Line, y: u32) -> String {
    let mut svg = String::new();
    let stop = line.stop.as_ref();
    let colour = if stop.is_some() { "#b3261e" } else { "#1b6e3c" };
    let made = stop.map_or(100, |stop| u32::from(stop.share).max(4));
    let length = (RIGHT - LEFT) * made / 100;
    let (begin, end) = if line.outward { (LEFT, LEFT + length) } else { (RIGHT, RIGHT - length) };
    _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n<text x=\"{}\" y=\"{}\">{}</text>",
        LEFT - 12,
        y + 5,
        escaped(&line.client),
        RIGHT + 12,
        y + 5,
        escaped(&line.server),
    );
    _ = writeln!(
        svg,
        "<line x1=\"{begin}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
    );
    let middle = u32::midpoint(LEFT, RIGHT);
    _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" fill=\"{colour}\">{}</text>",
        y - 8,
        escaped(&line.label)
    );
    match stop {
        None => {
            let back = if line.outward { end - 10 } else { end + 10 };
            _ = writeln!(
                svg,
                "<path d=\"M{end} {y} L{back} {} L{back} {} Z\" fill=\"{colour}\"/>",
                y - 5,
                y + 5
            );
        }
        Some(stop) => {
            _ = writeln!(
                svg,
                "<path d=\"M{} {} L{} {} M{} {} L{} {}\" stroke=\"{colour}\" stroke-width=\"3\"/>",
                end - 6,
                y - 6,
                end + 6,
                y + 6,
                end - 6,
                y + 6,
                end + 6,
                y - 6
            );
            _ = writeln!(
                svg,
                "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"12\" fill=\"{colour}\">{}</text>",
                y + 22,
                escaped(&stop.note)
            );
        }
    }
    svg
}

/// What a document may hold as text.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}
