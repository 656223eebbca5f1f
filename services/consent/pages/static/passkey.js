// Signs and enrols with a passkey, where the browser can. Without scripts, and in the browsers inside
// other apps, which cannot, everything else on the page works as it is: the code by SMS is its equal.
"use strict";

const able = Boolean(window.PublicKeyCredential && navigator.credentials);

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// What newer browsers do themselves (WebAuthn Level 3, 5.1.8 to 5.1.10), for those that do not yet.
function asked(options) {
  const listed = (all) => (all || []).map((one) => ({ ...one, id: bytes(one.id) }));
  const whole = { ...options, challenge: bytes(options.challenge) };
  if (options.user) whole.user = { ...options.user, id: bytes(options.user.id) };
  if (options.allowCredentials) whole.allowCredentials = listed(options.allowCredentials);
  if (options.excludeCredentials) whole.excludeCredentials = listed(options.excludeCredentials);
  return whole;
}

function answered(credential) {
  if (credential.toJSON) return credential.toJSON();
  const given = credential.response;
  const response = { clientDataJSON: text(given.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (given[name]) response[name] = text(given[name]);
  }
  if (given.getTransports) response.transports = given.getTransports();
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: {},
  };
}

async function sent(address, body) {
  const answer = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
  const document = await answer.json().catch(() => ({}));
  if (answer.ok) return document;
  throw new Error(document.sentence || "");
}

function told(form, words) {
  const place = form.querySelector("[data-told]");
  place.textContent = words || place.dataset.told;
  place.hidden = false;
}

// One press, one act: the buttons rest while the device is asked.
async function once(form, act) {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((one) => { one.disabled = true; });
  try {
    window.location.assign((await act()).location);
  } catch (error) {
    told(form, error.name === "NotAllowedError" ? "" : error.message);
    buttons.forEach((one) => { one.disabled = false; });
  }
}

for (const form of document.querySelectorAll("form[data-sign]")) {
  const ways = form.querySelector("[data-ways]");
  if (!able || !ways) continue;
  ways.hidden = false;
  form.querySelectorAll("button[disabled]").forEach((one) => { one.disabled = false; });
  form.addEventListener("submit", (event) => {
    // Older browsers know no FormData of form and button: they would leave out what was pressed.
    const fields = new URLSearchParams(new FormData(form));
    const pressed = event.submitter;
    if (fields.get("way") !== "passkey" || !pressed) return;
    if (pressed.name) fields.set(pressed.name, pressed.value);
    event.preventDefault();
    once(form, async () => {
      const { challenge_id: id, options } = await sent(form.dataset.sign, fields);
      const credential = await navigator.credentials.get({ publicKey: asked(options) });
      const body = new URLSearchParams({ answer: JSON.stringify(answered(credential)), lang: fields.get("lang") });
      return sent(`${form.dataset.signed}/${id}/passkey`, body);
    });
  });
}

for (const form of document.querySelectorAll("form[data-enrol]")) {
  if (!able) continue;
  form.querySelector("button").disabled = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    once(form, async () => {
      const options = JSON.parse(form.dataset.enrol);
      const credential = await navigator.credentials.create({ publicKey: asked(options) });
      const body = new URLSearchParams(new FormData(form));
      body.set("answer", JSON.stringify(answered(credential)));
      return sent(form.action, body);
    });
  });
}

if (!able) {
  document.querySelectorAll("[data-unable]").forEach((one) => { one.hidden = false; });
}
