// The pages that mails link to: one sets a new password, the other confirms a mail address. The token in the address of
// the page is the proof.

const token = new URLSearchParams(location.search).get("token") ?? "";
const result = document.getElementById("result");
const isPassword = location.pathname.endsWith("/reset_password_complete");
const form = document.getElementById(isPassword ? "password" : "address");

/** Sends `body` to the API and shows the outcome. */
async function send(path, body, done) {
  const button = form.querySelector("button");
  button.disabled = true;
  result.textContent = "";
  try {
    const answer = await fetch(new URL(`api/v4/users/${path}`, location.href), {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const failure = answer.ok ? null : await answer.json();
    result.textContent = failure ? failure.message : done;
    form.hidden = answer.ok;
  } catch {
    result.textContent = "The server could not be reached. Try again.";
  } finally {
    button.disabled = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isPassword) {
    send("email/verify", { token }, "Your mail address is confirmed. You can log in now.");
    return;
  }
  const [password, again] = ["new-password", "again"].map((id) => document.getElementById(id).value);
  if (password !== again) {
    result.textContent = "The two passwords differ.";
    return;
  }
  send("password/reset", { token, new_password: password }, "Your password is set. You can log in now.");
});
form.hidden = false;
