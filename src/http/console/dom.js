// Small pieces of the page. What comes from outside goes in as text, never as markup: the page's
// content policy (Trusted Types) forbids the other way altogether.

export const byId = (id) => document.getElementById(id);

// An element with its attributes and its children, which are elements or texts.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A button that copies a text, which is asked for when it is pressed.
export function copyButton(text, name) {
  const button = make("button", { type: "button", class: "copy", "aria-label": name }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text(), button)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}

// The clipboard is there only over HTTPS and on localhost. Elsewhere the text beside is selected.
async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const code = button.parentElement.querySelector("code");
    if (code) getSelection().selectAllChildren(code);
    return false;
  }
}

// Milliseconds for the eye.
export function milliseconds(value) {
  return `${value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en")} ms`;
}
