// What the page does, as lines for a shell.

import { address } from "./api.js";

// A word that any POSIX shell leaves as it is.
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export const sendLine = (body) => `curl --json ${quoted(body)} ${quoted(address("events"))}`;
export const watchLine = (query) => `curl -N ${quoted(address(`events/stream${query}`))}`;
export const fetchLine = (cursor) => `curl ${quoted(address(`events/${encodeURIComponent(cursor)}`))}`;
