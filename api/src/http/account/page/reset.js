// Posts the token of the address's fragment and the new password. The fragment never leaves the browser otherwise.
"use strict";

const MIN_CHARS = 10;

const element = (id) => document.getElementById(id);
const form = element("form");
const password = element("password");
const again = element("again");
const problem = element("problem");
const notice = element("notice");
const send = element("send");

const token = new URLSearchParams(location.hash.slice(1)).get("token");
// Not to be left in the history, or read over a shoulder.
history.replaceState(null, "", location.pathname);

function end(text, isBad) {
  form.hidden = true;
  notice.hidden = false;
  notice.classList.toggle("bad", isBad);
  notice.textContent = text;
  document.querySelector("h1").focus();
}

function objection() {
  if ([...password.value].length < MIN_CHARS) return [password, `Use at least ${MIN_CHARS} characters.`];
  if (password.value !== again.value) return [again, "The two are not the same."];
  return null;
}

function object(input, text) {
  problem.textContent = text;
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

async function reset() {
  const response = await fetch(form.action, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "same-origin",
    body: JSON.stringify({ token, password: password.value }),
  });
  if (response.ok) return end("Your password is changed. You can sign in with it now.", false);
  const body = await response.json().catch(() => ({}));
  if (response.status === 410) return end("This link has expired or was used. Ask for another one.", true);
  const told = body.details && body.details.fieldErrors && body.details.fieldErrors.password;
  object(password, (told && told.join(" ")) || body.detail || "That did not work. Try again in a moment.");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  for (const input of [password, again]) input.removeAttribute("aria-invalid");
  const wrong = objection();
  if (wrong) return object(...wrong);
  send.disabled = true;
  try {
    await reset();
  } catch {
    problem.textContent = "The server could not be reached. Try again in a moment.";
  } finally {
    send.disabled = false;
  }
});

element("show").addEventListener("change", (event) => {
  for (const input of [password, again]) input.type = event.target.checked ? "text" : "password";
});

if (!token) end("This link is not complete. Open it from the letter again, or ask for another one.", true);
