// The event in the form: as the bytes that are posted, and its faults.

import { byId } from "./dom.js";

const NAMES = ["id", "type", "source_type", "source_id"];
const FIELDS = [...NAMES, "data"];

const field = (name) => byId(`event-${name}`);
const value = (name) => field(name).value;

// The source in the form.
export const source = () => ({ source_type: value("source_type"), source_id: value("source_id") });

// The body. `data` goes in as it was typed, so that big numbers and the order of members stay.
// `suffix` tells the ids of several apart.
export function body(suffix = "") {
  const members = NAMES.filter((name) => name !== "id" || value(name) !== "").map((name) => {
    const text = name === "id" ? value(name) + suffix : value(name);
    return `${JSON.stringify(name)}:${JSON.stringify(text)}`;
  });
  const data = value("data").trim();
  if (data !== "") members.push(`"data":${data}`);
  return `{${members.join(",")}}`;
}

// Looks at `data`, the one field whose faults would make the body no JSON, so that the service
// could not say where they are. Tells whether it may be sent.
export function checkData() {
  const fault = dataFault();
  show("data", fault);
  return fault === "";
}

function dataFault() {
  const data = value("data").trim();
  if (data === "") return "";
  try {
    JSON.parse(data);
    return "";
  } catch (error) {
    return `Not JSON: ${error.message}`;
  }
}

// Puts each fault that the service named beside its field. Gives those that belong to none.
export function showFaults(errors) {
  clearFaults();
  const others = errors.filter(({ pointer, detail }) => {
    const name = String(pointer).split("/")[1];
    if (!FIELDS.includes(name)) return true;
    show(name, `${name} ${detail}`);
    return false;
  });
  document.querySelector("#event [aria-invalid]")?.focus();
  return others;
}

export function clearFaults() {
  FIELDS.forEach((name) => show(name, ""));
}

function show(name, fault) {
  byId(`fault-${name}`).textContent = fault;
  if (fault) field(name).setAttribute("aria-invalid", "true");
  else field(name).removeAttribute("aria-invalid");
}
