// How long it was from each post to its answer, and to its arrival here.

const MOST = 60;
const REMEMBERED = 500;

export class Latency {
  // The newest last: { answered, arrived }, in milliseconds; arrived is null until it has.
  samples = [];
  #waiting = new Map(); // by cursor: when the post began, and its sample
  #arrivals = new Map(); // by cursor: when it arrived, for an answer that comes later

  // An answer. `watched` tells whether the event should arrive here. Gives how long that took, when
  // it was faster than the answer.
  answered({ began, took, answer }, watched) {
    const sample = { answered: took, arrived: null };
    this.samples.push(sample);
    if (this.samples.length > MOST) this.samples.shift();
    if (!watched || !answer.cursor) return null;
    const at = this.#arrivals.get(answer.cursor);
    if (at === undefined) {
      remember(this.#waiting, answer.cursor, { began, sample });
      return null;
    }
    return (sample.arrived = at - began);
  }

  // An arrival. Gives how long it was since the post, when this page made it.
  arrived(cursor, at) {
    const waiting = this.#waiting.get(cursor);
    if (!waiting) {
      remember(this.#arrivals, cursor, at);
      return null;
    }
    this.#waiting.delete(cursor);
    return (waiting.sample.arrived = at - waiting.began);
  }

  // What is still under way will not be timed: the stream was cut or changed.
  forget() {
    this.#waiting.clear();
    this.#arrivals.clear();
  }
}

export function median(values) {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function remember(map, key, value) {
  map.set(key, value);
  if (map.size > REMEMBERED) map.delete(map.keys().next().value);
}
