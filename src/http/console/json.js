// JSON laid out and coloured as text, without parsing it into values: big numbers, repeated names
// and the order of members are shown as they are stored.

import { make } from "./dom.js";

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;
// A larger text is shown as it is: so many coloured pieces would hold the page up.
const MOST = 100_000;

export function laidOut(text) {
  const out = document.createDocumentFragment();
  if (text.length > MOST) {
    out.append(text);
    return out;
  }
  const tokens = text.match(TOKEN) ?? [];
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, index) => {
    const [before, after] = [tokens[index - 1], tokens[index + 1]];
    if (isEnd(token) && !isBegin(before)) {
      depth -= 1;
      out.append(line());
    }
    out.append(coloured(token, after));
    if (isBegin(token) && !isEnd(after)) {
      depth += 1;
      out.append(line());
    } else if (token === ",") {
      out.append(line());
    } else if (token === ":") {
      out.append(" ");
    }
  });
  return out;
}

const isBegin = (token) => token === "{" || token === "[";
const isEnd = (token) => token === "}" || token === "]";

function coloured(token, after) {
  if (token.startsWith('"')) {
    return make("span", { class: after === ":" ? "name" : "string" }, token);
  }
  return "{}[],:".includes(token) ? token : make("span", { class: "literal" }, token);
}
