//! A plot of one load as SVG: two measures side by side, a bar for the median of each server, a line from the least to the most of
//! all rounds. Its colours are of middling lightness, so that it can be read on white and on black.

use std::fmt::Write as _;

use super::load::Load;
use super::page::shown;
use super::run::Raw;

/// The whole file.
pub(super) fn draw(raw: &Raw, load: &Load) -> String {
    let servers: Vec<&str> = raw
        .servers
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| load.drawn.iter().any(|measure| !raw.figures(load.name, name, measure.key).is_empty()))
        .collect();
    let height = TOP + servers.len() as u32 * ROW + 8;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"{INK}\">\n<title>{}</title>\n",
        load.title
    );
    for (row, server) in servers.iter().enumerate() {
        let weight = if *server == "twoport" { " font-weight=\"bold\"" } else { "" };
        let y = TOP + row as u32 * ROW + 14;
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\"{weight}>{server}</text>", LEFT - 8);
    }
    for (panel, measure) in load.drawn.iter().enumerate() {
        let x = f64::from(LEFT + panel as u32 * (PANEL + GAP));
        let better = if measure.more_is_better { "more is better" } else { "less is better" };
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"16\"><tspan font-weight=\"bold\">{}</tspan> ({better})</text>",
            measure.heading
        );
        let all: Vec<Vec<f64>> =
            servers.iter().map(|server| raw.figures(load.name, server, measure.key)).collect();
        let most = all.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
        let scale = f64::from(PANEL - ROOM) / most;
        for (row, (server, figures)) in servers.iter().zip(&all).enumerate() {
            let y = TOP + row as u32 * ROW;
            let Some(median) = raw.median(load.name, server, measure.key) else {
                let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\">–</text>", y + 14);
                continue;
            };
            let (least, most) = (figures[0] * scale, figures[figures.len() - 1] * scale);
            let (length, middle) = (median * scale, y + BAR / 2);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{}\"/>",
                colour(server)
            );
            if least < most {
                let (from, to) = (x + least, x + most);
                let _ = writeln!(
                    svg,
                    "<path d=\"M{from:.1} {middle}H{to:.1}\" stroke=\"{LINE}\" stroke-width=\"2\"/>"
                );
            }
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\">{}</text>",
                x + length.max(most) + 6.0,
                y + 14,
                shown(median)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn colour(server: &str) -> &'static str {
    match server {
        "twoport" => "#d9822b",
        "floor" => "#b4b9bf",
        _ => "#4a8fc1",
    }
}

const INK: &str = "#7d838a";
/// Of the line, which must be seen on a bar and beside it.
const LINE: &str = "#6a5d70";
const WIDTH: u32 = LEFT + 2 * PANEL + GAP;
const LEFT: u32 = 92;
const PANEL: u32 = 340;
const GAP: u32 = 20;
/// For the figure behind the longest bar.
const ROOM: u32 = 64;
const TOP: u32 = 28;
const ROW: u32 = 26;
const BAR: u32 = 18;
