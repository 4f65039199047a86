// The latencies as a small picture, and in words for those who do not see it.

import { byId, make, milliseconds } from "./dom.js";
import { median } from "./latency.js";

const WIDEST = 480;
const HEIGHT = 150;
const LEFT = 52;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 26;
const SLOTS = 60;
const OUTLIER = 5; // times the median

const NAMES = { answered: "answer", arrived: "arrival" };

const place = byId("chart");
let shown = [];
let width = WIDEST;

// As wide as there is room, so that its text stays as large as it is.
new ResizeObserver(() => {
  if (Math.min(place.clientWidth, WIDEST) !== width) draw(shown);
}).observe(place);

export function draw(samples) {
  shown = samples;
  width = Math.min(place.clientWidth, WIDEST);
  if (samples.length === 0) {
    return place.replaceChildren(make("p", { class: "nothing" }, "Send an event to see how long it takes."));
  }
  const series = Object.entries(NAMES).map(([key, name]) => {
    const values = samples.map((sample) => sample[key]);
    return { key, name, values, p50: median(values.filter((value) => value !== null)) };
  });
  const step = niceStep(largest(series));
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, role: "img" });
  picture.append(title(inWords(series, samples.length)));
  const y = scale(step * 4);
  for (let tick = 0; tick <= 4; tick += 1) picture.append(...gridLine(y, tick * step));
  picture.append(...beyond(samples, step * 4));
  picture.append(...axis(samples.length));
  series.forEach((one) => picture.append(drawn(one, y)));
  place.replaceChildren(legend(series), picture);
}

// What the picture reaches: one slow answer must not press all others flat.
function largest(series) {
  const most = Math.max(...series.flatMap(({ values }) => values));
  return Math.min(most, OUTLIER * Math.max(...series.map(({ p50 }) => p50)));
}

// Four steps reach the largest value: 1, 2, 2.5 or 5 times a power of ten each.
function niceStep(largest) {
  const least = Math.max(largest, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

const scale = (top) => (value) =>
  HEIGHT - BOTTOM - Math.min(value / top, 1) * (HEIGHT - TOP - BOTTOM);
const x = (index, count) =>
  width - RIGHT - 5 - (count - 1 - index) * ((width - LEFT - RIGHT - 10) / (SLOTS - 1));

function gridLine(y, value) {
  const at = y(value).toFixed(1);
  const line = svg("line", { x1: LEFT, x2: width - RIGHT, y1: at, y2: at, class: "grid" });
  const words = `${Number(value.toFixed(2))} ms`;
  return [line, label(words, LEFT - 6, Number(at) + 3.5, "end")];
}

// The slower of those that are above the top, beside their marks.
function beyond(samples, top) {
  return samples.flatMap(({ answered, arrived }, index) => {
    const slowest = Math.max(answered, arrived);
    if (slowest <= top) return [];
    return [label(milliseconds(slowest), x(index, samples.length) - 7, TOP + 4, "end")];
  });
}

function axis(count) {
  const bottom = HEIGHT - 8;
  const words = count === 1 ? "1 event" : `the last ${count} events`;
  return [label(words, LEFT, bottom, "start"), label("newest", width - RIGHT, bottom, "end")];
}

function drawn({ key, values, p50 }, y) {
  const group = svg("g", { class: key });
  if (p50 !== null) {
    const at = y(p50).toFixed(1);
    group.append(svg("line", { x1: LEFT, x2: width - RIGHT, y1: at, y2: at, class: "p50" }));
  }
  values.forEach((value, index) => {
    if (value === null) return;
    const one = mark(key, x(index, values.length), y(value));
    one.append(title(`${NAMES[key]} after ${milliseconds(value)}`));
    group.append(one);
  });
  return group;
}

// Two shapes, so that no colour has to be told from another.
function mark(key, cx, cy) {
  if (key === "answered") return svg("circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r: 2.2 });
  const [left, top, half] = [cx.toFixed(1), cy.toFixed(1), 4];
  return svg("path", { d: `M${left} ${top}m0 -${half}l${half} ${half}l-${half} ${half}l-${half} -${half}z` });
}

function legend(series) {
  const entry = ({ key, name, p50 }) => {
    const sign = svg("svg", { viewBox: "0 0 10 10", class: `sign ${key}`, "aria-hidden": "true" });
    sign.append(mark(key, 5, 5));
    const text = p50 === null ? "–" : milliseconds(p50);
    return make("li", {}, sign, `${name} `, make("b", { id: `p50-${key}` }, text), make("small", {}, " p50"));
  };
  return make("ul", { class: "legend" }, ...series.map(entry));
}

function inWords(series, count) {
  const words = ({ name, p50 }) => `${name}: median ${p50 === null ? "unknown" : milliseconds(p50)}`;
  return `Latency of the last ${count} events. ${series.map(words).join(". ")}.`;
}

function title(text) {
  const element = svg("title");
  element.textContent = text;
  return element;
}

function label(text, left, top, anchor) {
  const element = svg("text", { x: left, y: top, "text-anchor": anchor });
  element.textContent = text;
  return element;
}

function svg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
