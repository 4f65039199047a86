// What the service said to a post.

import { address } from "./api.js";
import { byId, make, milliseconds } from "./dom.js";

const place = byId("answer");

export const showWaiting = (text) => place.replaceChildren(make("p", { class: "waiting" }, text));

export function showStored({ status, took, answer }, more = "") {
  const head = make("p", { class: "verdict" }, code(status), make("b", {}, " Stored"));
  if (answer.cursor) {
    const link = { href: address(`events/${answer.cursor}`), class: "cursor" };
    head.append(" at ", make("a", link, answer.cursor));
  }
  const times = make("p", { class: "times" }, `answered in ${milliseconds(took)}`);
  times.append(make("span", { id: "arrived" }), more);
  place.replaceChildren(head, times);
}

// Beside the answer: how long it was until the event arrived here.
export function showArrived(took) {
  const arrived = byId("arrived");
  if (arrived) arrived.textContent = ` · arrived in ${milliseconds(took)}`;
}

// Beside the answer: what could be done next.
export function offer(button) {
  place.append(button);
}

// A problem: its title, what to do, and its faults that have no field.
export function showProblem({ status, took, answer }, faults) {
  if (status === 0) return showNone(took);
  const title = answer.title ?? "Refused";
  const head = make("p", { class: "verdict" }, code(status), make("b", {}, ` ${title}`));
  const parts = [head];
  if (answer.detail) parts.push(make("p", {}, answer.detail));
  if (faults.length > 0) parts.push(list(faults));
  parts.push(foot(answer, took));
  place.replaceChildren(...parts);
}

function list(faults) {
  const item = ({ pointer, detail }) =>
    make("li", {}, make("code", {}, pointer || "/"), ` ${detail}`);
  return make("ul", {}, ...faults.map(item));
}

function foot({ type, request_id, retry_after }, took) {
  const foot = make("p", { class: "times" }, `answered in ${milliseconds(took)}`);
  if (retry_after) foot.append(` · may be sent again in ${retry_after} s`);
  // Only an address of the service's own: whatever stands before it may answer, too.
  if (typeof type === "string" && type.startsWith("/docs/problems#")) {
    foot.append(" · ", make("a", { href: address(type.slice(1)) }, "what it means"));
  }
  if (request_id) foot.append(" · request ", make("code", {}, request_id));
  return foot;
}

function showNone(took) {
  const head = make("p", { class: "verdict" }, code("—"), make("b", {}, " No answer"));
  const detail =
    "The service cannot be reached, or the connection broke. Whether the event is stored is " +
    "unknown: with an id of its own it can be sent again, and consumers drop the repeat.";
  const times = make("p", { class: "times" }, `gave up after ${milliseconds(took)}`);
  place.replaceChildren(head, make("p", {}, detail), times);
}

function code(status) {
  const kind = { 2: "good", 4: "wrong" }[String(status)[0]] ?? "fault";
  return make("span", { class: `status ${kind}` }, String(status));
}
