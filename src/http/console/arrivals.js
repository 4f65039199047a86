// The list of what arrived: the newest first, and no more than fits the eye.

import { stored } from "./api.js";
import { fetchLine } from "./curl.js";
import { byId, copyButton, make, milliseconds } from "./dom.js";
import { laidOut } from "./json.js";

const MOST = 200;

const list = byId("arrivals");
const pause = byId("pause");

// What waits to be shown: for the next picture, or for the end of a pause.
let waiting = [];
let isPaused = false;
let count = 0;
const latencies = new Map();

export function add(arrival) {
  count += 1;
  put({ ...arrival, time: new Date() });
}

// A word from the stream itself, between what arrived.
export const note = (note) => put({ note });

function put(row) {
  waiting.push(row);
  if (waiting.length > MOST) waiting.shift();
  // Many may arrive for one picture, and none is drawn while nobody looks.
  if (waiting.length === 1) requestAnimationFrame(show);
  else if (isPaused) label();
}

// How long an arrival took may be known only after it is in the list.
export function took(cursor, value) {
  latencies.set(cursor, value);
  if (latencies.size > MOST) latencies.delete(latencies.keys().next().value);
  const badge = list.querySelector(`[data-cursor="${CSS.escape(cursor)}"] .took`);
  if (badge) badge.textContent = milliseconds(value);
}

export function clear() {
  waiting = [];
  count = 0;
  list.replaceChildren();
  show();
}

function show() {
  byId("count").textContent = count.toLocaleString("en");
  if (isPaused) return label();
  const rows = waiting.map((row) => (row.note ? make("li", { class: "note" }, row.note) : item(row)));
  waiting = [];
  list.prepend(...rows.reverse());
  while (list.childElementCount > MOST) list.lastElementChild.remove();
  byId("nothing").hidden = list.childElementCount > 0;
}

function label() {
  byId("count").textContent = count.toLocaleString("en");
  pause.textContent = isPaused ? `Go on (${waiting.length} new)` : "Pause";
  pause.setAttribute("aria-pressed", String(isPaused));
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  label();
  if (!isPaused) show();
});
byId("clear").addEventListener("click", clear);

// Up and down go from one to the next.
list.addEventListener("keydown", (key) => {
  const row = key.target.closest("summary")?.closest("li");
  const beside = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[key.key];
  const next = row && beside && row[beside]?.querySelector("summary");
  if (!next) return;
  key.preventDefault();
  next.focus();
});

function item({ message, cursor, type, source_type, source_id, id, time }) {
  const latency = latencies.get(cursor);
  const summary = make(
    "summary",
    {},
    make("time", { datetime: time.toISOString() }, clock(time)),
    make("span", { class: "type" }, type),
    make("span", { class: "source" }, make("i", {}, source_type), ` ${source_id}`),
    make("span", { class: "id" }, id),
    make("span", { class: "took" }, latency === undefined ? "" : milliseconds(latency)),
    make("code", { class: "at" }, cursor),
  );
  const details = make("details", {}, summary);
  details.addEventListener("toggle", () => fill(details, message, cursor), { once: true });
  return make("li", { "data-cursor": cursor }, details);
}

// What is inside is made when it is looked at.
async function fill(details, message, cursor) {
  const inside = make("div", { class: "inside" }, block("As it came", message, laidOut(message)));
  details.append(inside);
  const { text, problem } = await stored(cursor);
  if (problem) {
    inside.append(make("p", { class: "fault" }, `${problem.title}. ${problem.detail ?? ""}`));
  } else {
    inside.append(block("The event in Kafka", text, laidOut(text)));
  }
  inside.append(block("Fetch it", fetchLine(cursor), fetchLine(cursor)));
}

function block(title, text, content) {
  const code = make("pre", { tabindex: "0", "aria-label": title }, make("code", {}, content));
  const figure = make("figure", {}, make("figcaption", {}, title), code);
  figure.append(copyButton(() => text, `Copy: ${title}`));
  return figure;
}

const clock = (time) =>
  `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, "0")}`;
