// Adds a button to each call that copies it, with the address this page came from. Without this
// script the page says the same.
"use strict";

// Up to /docs, so that a prefix before the service stays.
const service = location.href.split(/\/docs(?:[/?#]|$)/)[0];

for (const call of document.querySelectorAll("figure.call")) {
  const code = call.querySelector("code");
  code.textContent = code.textContent.replaceAll("http://localhost:8080", service);

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    button.textContent = (await copy(code)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  call.append(button);
}

// The clipboard is there only over HTTPS and on localhost. Elsewhere the text is selected.
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}

// An address that names an answer opens it.
function open() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", open);
open();
