// The console: the form and the stream, and what the one has to do with the other.

import * as answer from "./answer.js";
import { post } from "./api.js";
import * as arrivals from "./arrivals.js";
import { draw } from "./chart.js";
import { sendLine, watchLine } from "./curl.js";
import { byId, copyButton, make } from "./dom.js";
import * as form from "./form.js";
import { Latency } from "./latency.js";
import { Stream } from "./stream.js";
import * as watching from "./watching.js";

const STATES = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  refused: "Refused",
  closed: "Stopped",
};

const latency = new Latency();
let stream = null;
let state = "closed";
let sending = false;
// The cursor of the answer on show.
let shown = "";

// --- Sending -------------------------------------------------------------------------------

async function send(count) {
  if (sending) return;
  if (!form.checkData()) return byId("event-data").focus();
  setSending(true);
  form.clearFaults();
  try {
    for (let n = 1; n <= count; n += 1) {
      if (count > 1) answer.showWaiting(`${n} of ${count} …`);
      if (!(await sendOne(count > 1 ? `-${n}` : "", count))) return;
    }
  } finally {
    setSending(false);
  }
}

async function sendOne(suffix, count) {
  // The source as it is now, not as it may be edited while the answer is under way.
  const source = form.source();
  const watched = state === "live" && watching.takes(source);
  const outcome = await post(form.body(suffix));
  if (outcome.status !== 201) {
    answer.showProblem(outcome, form.showFaults(outcome.answer.errors ?? []));
    return false;
  }
  shown = outcome.answer.cursor ?? "";
  answer.showStored(outcome, count > 1 ? ` · the last of ${count}` : "");
  const took = latency.answered(outcome, watched);
  if (took !== null) timed(shown, took);
  draw(latency.samples);
  if (!watched && !watching.takes(source)) offerToWatch(source);
  return true;
}

function setSending(is) {
  sending = is;
  byId("send").setAttribute("aria-busy", String(is));
}

function offerToWatch(source) {
  const button = make("button", { type: "button" }, "Watch this source");
  button.addEventListener("click", () => {
    watching.follow(source);
    start();
    button.remove();
  });
  answer.offer(button);
}

function timed(cursor, took) {
  arrivals.took(cursor, took);
  if (cursor === shown) answer.showArrived(took);
}

// --- Watching ------------------------------------------------------------------------------

const hears = {
  state: setState,
  position: (text) => (byId("position").textContent = text),
  reset: ({ reason }) =>
    arrivals.note(
      reason === "removed"
        ? "Retention was faster: events before this may be missing."
        : "The log ends before the position that was asked for: it is told from its beginning.",
    ),
  arrival(message, at) {
    const value = JSON.parse(message);
    const { id, type, source_type, source_id } = value.event ?? value;
    const took = latency.arrived(value.cursor, at);
    if (took !== null) {
      timed(value.cursor, took);
      draw(latency.samples);
    }
    arrivals.add({ message, cursor: value.cursor, id, type, source_type, source_id });
  },
};

function start() {
  stream?.close();
  latency.forget();
  arrivals.clear();
  byId("position").textContent = "…";
  stream = new Stream(watching.query(), hears);
  watching.keep(true);
  showLines();
}

function stop() {
  stream?.close();
  setState("closed", "");
  watching.keep(false);
}

function setState(name, why) {
  state = name;
  if (name !== "live") latency.forget();
  if (name === "closed" || name === "refused") stream = null;
  byId("state").dataset.state = name;
  byId("state-name").textContent = STATES[name];
  byId("state-why").textContent = why;
  const isOn = stream !== null || name === "connecting";
  byId("toggle").textContent = isOn ? "Stop" : "Watch";
  byId("toggle").classList.toggle("primary", !isOn);
}

// --- The page ------------------------------------------------------------------------------

function showLines() {
  byId("curl-send").textContent = sendLine(form.body());
  const query = watching.query().toString();
  byId("curl-watch").textContent = watchLine(query && `?${query}`);
}

byId("event").addEventListener("submit", (event) => {
  event.preventDefault();
  send(1);
});
byId("send-ten").addEventListener("click", () => send(10));
byId("event").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  send(1);
});
byId("event").addEventListener("input", ({ target }) => {
  if (target.name === "data") form.checkData();
  showLines();
});
byId("watching").addEventListener("submit", (event) => {
  event.preventDefault();
  if (stream) stop();
  else start();
});
byId("watching").addEventListener("change", () => {
  if (stream) start();
  else watching.keep(false);
  showLines();
});
for (const id of ["curl-send", "curl-watch"]) {
  const code = byId(id);
  code.closest("figure").append(copyButton(() => code.textContent, "Copy the curl line"));
}

// The part of the address behind the # is for what is watched.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("watch").focus();
});

const isOn = watching.restore();
draw(latency.samples);
showLines();
if (isOn) start();
