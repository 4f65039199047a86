// A stream that is followed until it is closed.

import { address, refusal } from "./api.js";

const LONGEST_PAUSE = 15;

// `hears` has state(name, why), position(text), arrival(text, at) and reset(data).
export class Stream {
  #query;
  #hears;
  #source;
  #timer;
  #position = "";
  #tries = 0;
  #isClosed = false;

  constructor(query, hears) {
    this.#query = query;
    this.#hears = hears;
    hears.state("connecting", "");
    this.#connect();
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#source.close();
  }

  #connect() {
    const query = new URLSearchParams(this.#query);
    // A new EventSource cannot set the header by which a browser goes on where it was.
    if (this.#position) query.set("last_event_id", this.#position);
    const url = address(`events/stream?${query}`);
    const source = new EventSource(url);
    this.#source = source;
    source.addEventListener("ready", (event) => this.#ready(event));
    source.addEventListener("message", (event) => this.#message(event));
    source.addEventListener("reset", (event) => this.#reset(event));
    source.addEventListener("closed", (event) => this.#announced(event));
    source.addEventListener("error", () => this.#broken(url));
  }

  #ready(event) {
    this.#tries = 0;
    this.#moved(event);
    this.#hears.state("live", "");
  }

  #message(event) {
    const at = performance.now();
    this.#moved(event);
    this.#hears.arrival(event.data, at);
  }

  #reset(event) {
    this.#moved(event);
    this.#hears.reset(JSON.parse(event.data));
  }

  // Said before the service ends a connection, which is an error then.
  #announced(event) {
    const { reason } = JSON.parse(event.data);
    this.#hears.state("reconnecting", reason === "slow" ? "this page was too slow" : "the instance shuts down");
  }

  #moved({ lastEventId }) {
    this.#position = lastEventId;
    this.#hears.position(lastEventId);
  }

  // While it is CONNECTING the browser comes again by itself, with the id of the last heartbeat
  // even, which scripts do not see. After an answer that is not 200 it has given up.
  async #broken(url) {
    if (this.#source.readyState !== EventSource.CLOSED) {
      return this.#hears.state("reconnecting", "the connection broke; trying again");
    }
    this.#hears.state("reconnecting", "");
    const problem = await refusal(url);
    if (this.#isClosed) return;
    if (problem && problem.status < 500) {
      this.#isClosed = true;
      return this.#hears.state("refused", reasons(problem));
    }
    this.#again(problem);
  }

  #again(problem) {
    this.#tries += 1;
    const backOff = Math.min(LONGEST_PAUSE, 2 ** (this.#tries - 1)) * (0.5 + Math.random() / 2);
    const pause = Math.max(backOff, problem?.retry_after ?? 0);
    const why = problem ? `${reasons(problem)} ` : "";
    this.#hears.state("reconnecting", `${why}Trying again in ${Math.ceil(pause)} s.`);
    this.#timer = setTimeout(() => this.#connect(), pause * 1000);
  }
}

function reasons({ title, detail, errors }) {
  const named = (name, text) => (text.startsWith(name) ? text : `${name} ${text}`);
  const faults = (errors ?? []).map((error) => named(error.parameter, error.detail));
  return faults.length > 0 ? faults.join("; ") : (detail ?? title ?? "refused");
}
