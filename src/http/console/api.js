// The service's API, as this page uses it.

// Relative to the page, so that a prefix before the service does no harm.
export const address = (path) => new URL(path, document.baseURI).href;

// Posts an event. `status` 0: there was no answer.
export async function post(body) {
  const began = performance.now();
  const since = () => performance.now() - began;
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(address("events"), { method: "POST", headers, body });
    const took = since();
    return { began, took, status: response.status, answer: await json(response) };
  } catch {
    return { began, took: since(), status: 0, answer: {} };
  }
}

// The bytes of a stored event as text, or the problem.
export async function stored(cursor) {
  try {
    const response = await fetch(address(`events/${encodeURIComponent(cursor)}`));
    if (response.ok) return { text: await response.text() };
    return { problem: await json(response) };
  } catch {
    return { problem: { title: "No answer", detail: "The service cannot be reached." } };
  }
}

// Why a stream is refused: EventSource does not tell. Nothing, when it is not.
export async function refusal(url) {
  const stop = new AbortController();
  try {
    const headers = { accept: "text/event-stream" };
    const response = await fetch(url, { headers, signal: stop.signal });
    if (response.ok) return undefined;
    return { status: response.status, ...(await json(response)) };
  } catch {
    return undefined;
  } finally {
    stop.abort();
  }
}

async function json(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    // A proxy before the service has its own pages.
    return { title: response.statusText || "Not from the service", detail: text.slice(0, 300) };
  }
}
