// The pages that mails link to: one sets a new password, one confirms a mail address, one makes an account with an
// invitation. The token in the address of the page is the proof.

const query = new URLSearchParams(location.search);
const token = query.get("token") ?? "";
const result = document.getElementById("result");
const FORMS = { reset_password_complete: "password", do_verify_email: "address", signup_user_complete: "signup" };
const page = FORMS[location.pathname.split("/").pop()];
const form = document.getElementById(page);

/** Returns what the link of an invitation says about itself. Only the token counts. */
function described() {
  try {
    const data = JSON.parse(query.get("d") ?? "{}");
    return { team: String(data.display_name ?? "the team"), email: String(data.email ?? "") };
  } catch {
    return { team: "the team", email: "" };
  }
}

/** Sends `body` to the API and shows the outcome. */
async function send(path, body, done) {
  const button = form.querySelector("button");
  button.disabled = true;
  result.textContent = "";
  try {
    const answer = await fetch(new URL(`api/v4/${path}`, location.href), {
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
  if (page === "address") {
    send("users/email/verify", { token }, "Your mail address is confirmed. You can log in now.");
    return;
  }
  if (page === "signup") {
    const [username, password] = ["username", "first-password"].map((id) => document.getElementById(id).value);
    const proof = new URLSearchParams({ t: query.get("t") ?? "" });
    const account = { email: described().email, username, password };
    send(`users?${proof}`, account, "Your account is made. You can log in now.");
    return;
  }
  const [password, again] = ["new-password", "again"].map((id) => document.getElementById(id).value);
  if (password !== again) {
    result.textContent = "The two passwords differ.";
    return;
  }
  send("users/password/reset", { token, new_password: password }, "Your password is set. You can log in now.");
});
if (page === "signup") {
  document.getElementById("team").textContent = described().team;
  document.getElementById("invited").textContent = described().email;
}
form.hidden = false;
