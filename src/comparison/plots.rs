//! Plots as SVG: bars, dots by level, and matrices of pairs.

use std::fmt::Display;

use meed_operators::{Error, Result};
use plotters::coord::Shift;
use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::sections::number;

/// Stands for the colour of text, which the page chooses for light and dark.
pub(super) const INK: RGBColor = RGBColor(1, 1, 1);
/// Stands for the colour of lines that should not be noticed.
pub(super) const LINE: RGBColor = RGBColor(2, 2, 2);
/// What a cell without a number is filled with.
const NOTHING: RGBColor = RGBColor(3, 3, 3);
/// The colours of levels, which colour-blind people tell apart.
pub(super) const OF_LEVELS: [RGBColor; 3] =
    [RGBColor(68, 119, 170), RGBColor(238, 119, 51), RGBColor(0, 153, 136)];

const FONT: f64 = 15.0;
const ROW: u32 = 24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws into an SVG of that size, as an element of a page.
fn svg(width: u32, height: u32, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        draw(&area)?;
        area.present().map_err(broken)?;
    }
    // Inside HTML neither the names of other languages nor the version of this one is needed.
    let begin = text.find('>').map_or(0, |end| end + 1);
    let body = text[begin..].trim_start();
    Ok(format!("<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">{body}"))
}

fn broken(error: impl Display) -> Error {
    Error::external("drawing a plot", error.to_string(), "please report this")
}

fn font(size: f64) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// Pixels that the longest of some labels takes.
fn width_of(labels: &[&str]) -> u32 {
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    (longest as f64 * FONT * 0.49) as u32 + 14
}

/// A bar for each label, from 0 to its value; no bar where there is none.
pub(super) fn bars(labels: &[&str], values: &[Option<f64>], most: f64, percent: bool) -> Result<String> {
    let (rows, left) = (labels.len(), width_of(labels));
    svg(left + 360, ROW * rows as u32 + 34, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_right(64)
            .x_label_area_size(30)
            .y_label_area_size(left)
            .build_cartesian_2d(0.0..most, (0..rows - 1).into_segmented())
            .map_err(broken)?;
        let show = |x: f64| if percent { format!("{:.0} %", 100.0 * x) } else { number(Some(x)) };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .label_style(font(FONT))
            .x_labels(5)
            .y_labels(rows)
            .x_label_formatter(&|x| show(*x))
            .y_label_formatter(&|row| label(labels, row))
            .draw()
            .map_err(broken)?;
        let bars = values.iter().enumerate().filter_map(|(at, value)| {
            let row = rows - 1 - at;
            let ends = [(0.0, SegmentValue::Exact(row)), ((*value)?, SegmentValue::Exact(row + 1))];
            let mut bar = Rectangle::new(ends, OF_LEVELS[0].filled());
            bar.set_margin(4, 4, 0, 0);
            Some(bar)
        });
        chart.draw_series(bars).map_err(broken)?;
        let right = font(FONT).pos(Pos::new(HPos::Left, VPos::Center));
        let texts = values.iter().enumerate().map(|(at, value)| {
            let text = match value {
                Some(x) if percent => format!("{:.1} %", 100.0 * x),
                x => number(*x),
            };
            let place = (value.unwrap_or(0.0), SegmentValue::CenterOf(rows - 1 - at));
            EmptyElement::at(place) + Text::new(text, (6, 0), right.clone())
        });
        chart.draw_series(texts).map_err(broken)?;
        Ok(())
    })
}

/// A dot for each label and level, on a logarithmic axis; none where the value is 0 or there is none.
pub(super) fn dots(labels: &[&str], values: &[[Option<f64>; 3]]) -> Result<String> {
    let (rows, left) = (labels.len(), width_of(labels));
    let shown = || values.iter().flatten().flatten().copied().filter(|x| *x > 0.0);
    let (least, most) = (shown().fold(f64::INFINITY, f64::min), shown().fold(0.0, f64::max));
    let (least, most) = if least < most { (least / 1.3, most * 1.3) } else { (0.1, 10.0) };
    let rows_below = |at: usize| rows - 1 - at;
    svg(left + 360, ROW * rows as u32 + 34, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_right(30)
            .x_label_area_size(30)
            .y_label_area_size(left)
            .build_cartesian_2d((least..most).log_scale(), (0..rows - 1).into_segmented())
            .map_err(broken)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .label_style(font(FONT))
            .x_labels(5)
            .y_labels(rows)
            .x_label_formatter(&|x| number(Some(*x)))
            .y_label_formatter(&|row| label(labels, row))
            .draw()
            .map_err(broken)?;
        let at = |level: usize| {
            values.iter().enumerate().filter_map(move |(at, of)| {
                let x = of[level].filter(|x| *x > 0.0)?;
                Some(EmptyElement::at((x, SegmentValue::CenterOf(rows_below(at)))))
            })
        };
        // Shapes differ as well as colours.
        let [tokens, steps, rollouts] = OF_LEVELS;
        let square = || Rectangle::new([(-6, -6), (6, 6)], rollouts.stroke_width(2));
        chart.draw_series(at(2).map(|at| at + square())).map_err(broken)?;
        chart
            .draw_series(at(1).map(|at| at + TriangleMarker::new((0, 0), 7, steps.filled())))
            .map_err(broken)?;
        chart.draw_series(at(0).map(|at| at + Circle::new((0, 0), 4, tokens.filled()))).map_err(broken)?;
        Ok(())
    })
}

fn label(labels: &[&str], row: &SegmentValue<usize>) -> String {
    match row {
        SegmentValue::CenterOf(row) => {
            labels.iter().rev().nth(*row).map_or(String::new(), |text| (*text).to_owned())
        }
        _ => String::new(),
    }
}

/// How a matrix shows a number.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// -1 to 1, with its own colour for each sign.
    Diverging,
    /// 0 to 1.
    Share,
}

impl Scale {
    /// The colour of a number.
    pub(super) fn color(self, x: f64) -> RGBColor {
        const NONE: [f64; 3] = [247.0, 247.0, 247.0];
        let (towards, part) = match self {
            Scale::Diverging if x < 0.0 => ([179.0, 88.0, 6.0], -x),
            Scale::Diverging => ([33.0, 102.0, 172.0], x),
            Scale::Share => ([1.0, 102.0, 94.0], x),
        };
        let part = part.clamp(0.0, 1.0);
        let [red, green, blue] =
            [0, 1, 2].map(|at| (NONE[at] + part * (towards[at] - NONE[at])).round() as u8);
        RGBColor(red, green, blue)
    }
}

/// A square of numbers, one for each pair of labels.
pub(super) fn matrix(
    labels: &[&str],
    value: impl Fn(usize, usize) -> Option<f64>,
    scale: Scale,
) -> Result<String> {
    let count = labels.len();
    let left = width_of(labels) as i32;
    let cell = ((570 - left) / count.max(1) as i32).clamp(30, 58);
    let (width, height) = (left + cell * count as i32 + 4, left + cell * count as i32 + 4);
    svg(width as u32, height as u32, |area| {
        let size = FONT.min(f64::from(cell) * 0.42);
        for (at, text) in labels.iter().enumerate() {
            let middle = left + cell * at as i32 + cell / 2;
            let row = font(FONT).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(*text, (left - 6, middle), row)).map_err(broken)?;
            let column = FontTransform::Rotate270;
            let column = ("sans-serif", FONT).into_font().transform(column).color(&INK);
            let column = column.pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(*text, (middle, left - 6), column)).map_err(broken)?;
        }
        for row in 0..count {
            for column in (0..count).filter(|column| *column != row) {
                let begin = (left + cell * column as i32, left + cell * row as i32);
                let end = (begin.0 + cell - 1, begin.1 + cell - 1);
                let value = value(row, column);
                let color = value.map_or(NOTHING, |x| scale.color(x));
                area.draw(&Rectangle::new([begin, end], color.filled())).map_err(broken)?;
                let RGBColor(red, green, blue) = color;
                let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
                let ink = match value {
                    None => INK,
                    Some(_) if light < 140.0 => RGBColor(255, 255, 255),
                    Some(_) => RGBColor(20, 20, 20),
                };
                let style = ("sans-serif", size).into_font().color(&ink);
                let style = style.pos(Pos::new(HPos::Center, VPos::Center));
                let text = value.map_or_else(|| "–".to_owned(), |x| format!("{x:.2}").replace('-', "−"));
                let middle = (begin.0 + cell / 2, begin.1 + cell / 2);
                area.draw(&Text::new(text, middle, style)).map_err(broken)?;
            }
        }
        Ok(())
    })
}
