#!/usr/bin/env node
// Follows a stream, and goes on where it was: over broken connections, over restarts of the service,
// and over its own.
//
//     node stream.mjs URL [FILE]
//
// URL is that of a stream, as http://localhost:8080/events/stream?source_type=repo. FILE keeps the
// position. What comes is printed, a line of JSON each. Node 18 or newer, and nothing else.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const SILENCE = 45_000; // three heartbeats; a connection that is silent for longer is dead
const LONGEST_PAUSE = 30_000;

// One connection, to its end: what it brings, as { name, data, position }.
async function* blocks(url, position) {
  const dead = new AbortController();
  const silence = setTimeout(() => dead.abort(new Error("silent for too long")), SILENCE);
  const headers = { accept: "text/event-stream", ...(position && { "last-event-id": position }) };
  try {
    const answer = await fetch(url, { headers, signal: dead.signal });
    if (!answer.ok) throw new Refusal(answer, await answer.text());
    let text = "";
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      silence.refresh();
      const whole = (text + piece).split("\n\n");
      text = whole.pop(); // what is not whole yet, and does not count if it never is
      for (const block of whole) {
        const { id, event, data } = fields(block);
        position = id ?? position;
        yield { name: event ?? "message", data, position };
      }
    }
  } finally {
    clearTimeout(silence);
    dead.abort(); // whoever has had enough leaves no connection open
  }
}

function fields(block) {
  const found = {};
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    found[field] = field === "data" && "data" in found ? `${found.data}\n${value}` : value;
  }
  return found;
}

class Refusal extends Error {
  constructor({ status, headers }, problem) {
    super(`refused: ${problem}`);
    this.isFinal = status < 500;
    this.retryAfter = 1000 * Number(headers.get("retry-after") ?? 0);
  }
}

// Every block, without an end, over as many connections as it takes.
async function* follow(url, position) {
  for (let tries = 0; ; tries += 1) {
    let least = 0;
    try {
      for await (const block of blocks(url, position)) {
        tries = 0;
        position = block.position;
        yield block;
      }
    } catch (error) {
      if (error.isFinal) throw error;
      console.error(`broken: ${error.cause ?? error.message}`);
      least = error.retryAfter ?? 0;
    }
    const backOff = Math.min(LONGEST_PAUSE, 1000 * 2 ** tries) * (0.25 + Math.random() / 4);
    await sleep(Math.max(least, backOff));
  }
}

async function main(url, file) {
  const kept = file && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).position : undefined;
  for await (const { name, data, position } of follow(url, kept)) {
    if (name === "message" && data) console.log(data);
    else if (name === "reset") console.error(`events may be missing: ${data}`);
    // After the work, never before it: what is killed in between is told again, and not lost.
    if (file && position) keep(file, position);
  }
}

// Whole or not at all.
function keep(file, position) {
  writeFileSync(`${file}.new`, JSON.stringify({ position }));
  renameSync(`${file}.new`, file);
}

const [url, file] = process.argv.slice(2);
if (!url) {
  console.error("usage: node stream.mjs URL [FILE]");
  process.exit(2);
}
main(url, file).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
