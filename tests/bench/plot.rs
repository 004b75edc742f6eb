//! Plots among the results.

use plotters::{
    chart::{ChartBuilder, LabelAreaPosition},
    drawing::IntoDrawingArea,
    prelude::{Circle, ErrorBar, IntoFont, LineSeries, PathElement, SVGBackend},
    style::{Color, RGBColor, WHITE},
};

use crate::report::{Figure, result_file};

const SIZE: (u32, u32) = (760, 380);
const FONT: (&str, i32) = ("sans-serif", 14);
/// Told apart by those who see red and green alike, too.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(120, 120, 120)];

/// One line of a plot.
pub(crate) struct Line {
    name: String,
    points: Vec<(f64, Figure)>,
}

/// The horizontal axis.
pub(crate) enum Axis {
    /// Numbers as they are.
    Linear(&'static str),
    /// Cases side by side, whatever their distance.
    Cases(&'static str),
}

impl Line {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), points: Vec::new() }
    }

    /// A point, with bars from its least to its most.
    pub(crate) fn add(&mut self, at: f64, figure: &Figure) {
        self.points.push((at, figure.clone()));
    }
}

/// Draws lines, from zero upwards.
pub(crate) fn lines(file: &str, title: &str, axis: &Axis, lines: &[Line]) {
    let path = result_file(file);
    let area = SVGBackend::new(&path, SIZE).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let mut cases: Vec<f64> =
        lines.iter().flat_map(|line| &line.points).map(|(at, _)| *at).collect();
    cases.sort_unstable_by(f64::total_cmp);
    cases.dedup();
    #[allow(clippy::cast_precision_loss, reason = "a few cases")]
    let position = |at: f64| match axis {
        Axis::Linear(_) => at,
        Axis::Cases(_) => cases.iter().take_while(|case| **case < at).count() as f64,
    };
    let end = cases.last().map_or(1.0, |last| position(*last));
    let most = lines.iter().flat_map(|line| &line.points).map(|(_, figure)| figure.most());
    let margin = if matches!(axis, Axis::Cases(_)) { 0.3 } else { 0.0 };
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT.0, 18).into_font())
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, 70)
        .set_label_area_size(LabelAreaPosition::Bottom, 44)
        .build_cartesian_2d(-margin..end + margin, 0.0..most.fold(0.0, f64::max) * 1.1)
        .unwrap();
    let label = |at: &f64| match axis {
        Axis::Linear(_) => format!("{at:.0}"),
        Axis::Cases(_) => {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
            let case =
                (at.fract().abs() < 1e-6 && *at >= 0.0).then(|| cases.get(at.round() as usize));
            case.flatten().map_or_else(String::new, |case| format!("{case}"))
        }
    };
    let (Axis::Linear(described) | Axis::Cases(described)) = axis;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_labels(if margin > 0.0 { cases.len() * 2 } else { 10 })
        .x_label_formatter(&label)
        .x_desc(*described)
        .label_style(FONT.into_font())
        .draw()
        .unwrap();
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let medians = line.points.iter().map(|(at, figure)| (position(*at), figure.median()));
        chart
            .draw_series(LineSeries::new(medians, colour.stroke_width(2)))
            .unwrap()
            .label(line.name.as_str())
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        let spread = line.points.iter().filter(|(_, figure)| figure.least() < figure.most());
        chart
            .draw_series(spread.map(|(at, figure)| {
                let (least, most) = (figure.least(), figure.most());
                ErrorBar::new_vertical(
                    position(*at),
                    least,
                    figure.median(),
                    most,
                    colour.filled(),
                    8,
                )
            }))
            .unwrap();
        if margin > 0.0 {
            chart
                .draw_series(line.points.iter().map(|(at, figure)| {
                    Circle::new((position(*at), figure.median()), 3, colour.filled())
                }))
                .unwrap();
        }
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(200, 200, 200))
        .label_font(FONT.into_font())
        .draw()
        .unwrap();
    area.present().unwrap();
    println!("{} drawn", path.display());
}
