//! Plots, as SVG without a background and in colours that are read on white and on black.

use std::fs;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::run::contestant::Contestant;
use crate::run::plan::name;
use crate::run::results::{Results, Summary, median};

const SIZE: (u32, u32) = (860, 420);
const LEGEND: i32 = 140;
/// As far from white as from black.
const INK: RGBColor = RGBColor(0x7a, 0x7f, 0x87);
const GRID: RGBAColor = RGBAColor(0x7a, 0x7f, 0x87, 0.25);
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Points = Vec<(f64, f64)>;
type Measure = fn(&Summary<'_>) -> Option<f64>;

/// What one axis of works has in common: their names and where they lie on the axis.
struct Axis {
    name: &'static str,
    title: &'static str,
    works: &'static [(f64, &'static str)],
}

const AXES: [Axis; 3] = [
    Axis {
        name: "batch-size",
        title: "events in a request (1: 64 connections, else 16)",
        works: &[
            (1.0, name::SINGLE_64),
            (10.0, "batch-10"),
            (100.0, name::BATCH_100),
            (1000.0, "batch-1000"),
        ],
    },
    Axis {
        name: "payload",
        title: "bytes of an event (single, 64 connections)",
        works: &[
            (100.0, "single-64-100-b"),
            (500.0, name::SINGLE_64),
            (10_000.0, "single-64-10-kb"),
            (100_000.0, "single-64-100-kb"),
        ],
    },
    Axis {
        name: "connections",
        title: "connections (single events of 500 B)",
        works: &[(1.0, name::SINGLE_1), (64.0, name::SINGLE_64), (1000.0, name::SINGLE_1000)],
    },
];

const MEASURES: [(&str, &str, Measure); 2] = [
    ("throughput", "events/s", |summary| summary.events_per_second()),
    ("cpu", "CPU µs an event", |summary| summary.cpu_micros("contestant")),
];

const ALL: [(Contestant, RGBColor); 7] = [
    (Contestant::Service, RGBColor(0xd9, 0x4f, 0x30)),
    (Contestant::Bare, RGBColor(0x8a, 0x8f, 0x98)),
    (Contestant::Raw, RGBColor(0x9a, 0x77, 0x3c)),
    (Contestant::Go, RGBColor(0x3f, 0xa7, 0xb5)),
    (Contestant::GoTuned, RGBColor(0x2b, 0x83, 0xd6)),
    (Contestant::Node, RGBColor(0x3f, 0x9b, 0x4e)),
    (Contestant::Naive, RGBColor(0xb0, 0x5c, 0xc4)),
];

/// Draws into a directory, and returns the Markdown that shows the plots on the page above it.
pub fn draw(directory: &Path, results: &Results) -> Result<String> {
    fs::create_dir_all(directory)?;
    let folder = directory.file_name().unwrap_or_default().to_string_lossy();
    let mut text = String::new();
    let mut show = |file: &str, title: &str| {
        text.push_str(&format!("![{title}]({folder}/{file})\n\n"));
    };
    for axis in &AXES {
        for (name, title, measure) in MEASURES {
            let lines = lines(results, |contestant| along(axis, results, contestant, measure));
            let file = format!("{name}-by-{}.svg", axis.name);
            if write(&directory.join(&file), &lines, (axis.title, title), &plain)? {
                show(&file, &format!("{title} against {}", axis.title));
            }
        }
    }
    let lines = lines(results, |contestant| curve(results, contestant));
    let axes = ("percentile (single, 64 connections, the same open loop for all)", "latency, ms");
    if write(&directory.join("latency.svg"), &lines, axes, &percentile)? {
        show(
            "latency.svg",
            "Latency by percentile at a fixed rate, counted from when requests were due",
        );
    }
    Ok(text)
}

struct Line {
    contestant: Contestant,
    colour: RGBColor,
    points: Points,
}

impl Line {
    fn style(&self) -> ShapeStyle {
        self.colour.stroke_width(if self.contestant == Contestant::Service { 4 } else { 2 })
    }
}

fn lines(results: &Results, points: impl Fn(Contestant) -> Points) -> Vec<Line> {
    let is_skipped = |contestant| results.skipped.iter().any(|(skipped, _)| *skipped == contestant);
    let line = |(contestant, colour)| Line { contestant, colour, points: points(contestant) };
    ALL.into_iter()
        .filter(|(contestant, _)| !is_skipped(*contestant))
        .map(line)
        .filter(|line| line.points.len() > 1)
        .collect()
}

fn along(axis: &Axis, results: &Results, contestant: Contestant, measure: Measure) -> Points {
    let point = |(at, work): &(f64, &str)| {
        let value = results.median(contestant, work, measure)?;
        (value > 0.0).then_some((*at, value))
    };
    axis.works.iter().filter_map(point).collect()
}

/// The latency by how rare it is: 10 is the 90th percentile, 1,000 the 99.9th.
fn curve(results: &Results, contestant: Contestant) -> Points {
    let samples = results.samples(contestant, name::SINGLE_64_COMMON);
    let steps = samples.iter().map(|sample| sample.outcome.latency.curve.len()).min().unwrap_or(0);
    let at = |step: usize| {
        let quantile = samples[0].outcome.latency.curve[step].0;
        let values = samples.iter().map(|sample| sample.outcome.latency.curve[step].1);
        Some((1.0 / (1.0 - quantile), median(values.collect())?))
    };
    (0..steps).filter_map(at).filter(|(rarity, value)| *rarity <= 1000.0 && *value > 0.0).collect()
}

fn plain(value: &f64) -> String {
    match *value {
        big if big >= 1e6 => format!("{}M", big / 1e6),
        big if big >= 1e3 => format!("{}k", big / 1e3),
        small => format!("{small}"),
    }
}

fn percentile(rarity: &f64) -> String {
    format!("{:.4}", 100.0 - 100.0 / rarity).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Draws one plot, if there is anything on it, with both axes logarithmic.
fn write(
    file: &Path,
    lines: &[Line],
    titles: (&str, &str),
    label: &dyn Fn(&f64) -> String,
) -> Result<bool> {
    if lines.is_empty() {
        return Ok(false);
    }
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    plot(&area, lines, titles, label).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    Ok(true)
}

fn plot(
    area: &Area<'_>,
    lines: &[Line],
    (x_title, y_title): (&str, &str),
    x_label: &dyn Fn(&f64) -> String,
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let (x_from, x_to) = bounds(points().map(|point| point.0));
    let (y_from, y_to) = bounds(points().map(|point| point.1));
    let text = (FONT, 16).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(LEGEND)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((x_from..x_to).log_scale(), (y_from * 0.8..y_to * 1.25).log_scale())?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(text.clone())
        .axis_desc_style(text.clone())
        .x_desc(x_title)
        .y_desc(y_title)
        .x_label_formatter(x_label)
        .y_label_formatter(&plain)
        .draw()?;
    for line in lines {
        chart.draw_series(LineSeries::new(line.points.iter().copied(), line.style()))?;
        if line.points.len() < 10 {
            let dots = line.points.iter().map(|point| Circle::new(*point, 4, line.colour.filled()));
            chart.draw_series(dots)?;
        }
    }
    draw_legend(area, lines, &text)?;
    area.present()?;
    Ok(())
}

/// Beside the plot, where no line runs through it.
fn draw_legend(
    area: &Area<'_>,
    lines: &[Line],
    text: &TextStyle<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let left = SIZE.0 as i32 - LEGEND + 16;
    for (row, line) in (0..).zip(lines) {
        let top = 24 + row * 24;
        area.draw(&PathElement::new([(left, top), (left + 20, top)], line.style()))?;
        area.draw(&Text::new(line.contestant.to_string(), (left + 28, top - 7), text.clone()))?;
    }
    Ok(())
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
