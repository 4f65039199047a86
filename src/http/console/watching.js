// What is followed: its form, its query, and its place in the page's address.

import { byId } from "./dom.js";

const form = byId("watching");
const RECENT = 10;
const TEXTS = ["source_type", "source_id", "types"];

const chosen = (name) => form.elements[name].value;

// Of the address, behind the #: a reload keeps what was followed.
export function restore() {
  const kept = new URLSearchParams(location.hash.slice(1));
  for (const name of ["follow", "from"]) {
    const value = kept.get(name);
    const options = [...form.querySelectorAll(`[name="${name}"], [name="${name}"] option`)];
    if (options.some((option) => option.value === value)) form.elements[name].value = value;
  }
  for (const name of TEXTS) {
    if (kept.has(name)) form.elements[name].value = kept.get(name);
  }
  form.elements.include.checked = kept.get("include") === "event";
  fit();
  return kept.get("watch") !== "off";
}

export function keep(isOn) {
  const kept = new URLSearchParams({ follow: chosen("follow") });
  for (const name of [...TEXTS, "from"]) kept.set(name, chosen(name));
  if (form.elements.include.checked) kept.set("include", "event");
  if (!isOn) kept.set("watch", "off");
  history.replaceState(null, "", `#${kept}`);
}

// The query of the stream.
export function query() {
  const query = new URLSearchParams();
  const follow = chosen("follow");
  if (follow !== "all") query.set("source_type", chosen("source_type"));
  if (follow === "source") query.set("source_id", chosen("source_id"));
  const types = chosen("types").split(",").map((type) => type.trim()).filter((type) => type !== "");
  if (types.length > 0) query.set("types", types.join(","));
  if (chosen("from") === "recent" && follow === "source") query.set("recent", RECENT);
  if (chosen("from") === "beginning") query.set("after", "beginning");
  if (form.elements.include.checked) query.set("include", "event");
  return query;
}

// Whether an event of this source would arrive.
export function takes({ source_type, source_id }) {
  const follow = chosen("follow");
  if (follow === "all") return true;
  if (source_type !== chosen("source_type")) return false;
  return follow === "type" || source_id === chosen("source_id");
}

export function follow({ source_type, source_id }) {
  form.elements.follow.value = "source";
  form.elements.source_type.value = source_type;
  form.elements.source_id.value = source_id;
  form.elements.types.value = "";
  fit();
}

// Only the fields that mean something. Recent events are those of one source.
function fit() {
  const follow = chosen("follow");
  byId("of-type").hidden = follow === "all";
  byId("of-id").hidden = follow !== "source";
  const recent = form.querySelector('option[value="recent"]');
  recent.disabled = follow !== "source";
  if (recent.disabled && recent.selected) form.elements.from.value = "now";
}

form.addEventListener("change", fit);
