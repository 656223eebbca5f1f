// Reads the notice aloud, where the device has a voice for the page's language. Without one, or
// without scripts, there is no button and nothing is missing from the page.
"use strict";

const place = document.querySelector("[data-read]");
const speech = window.speechSynthesis;

const voice = () =>
  speech.getVoices().find((one) => one.lang.toLowerCase().startsWith(document.documentElement.lang));

function offer() {
  if (place.firstChild || !voice()) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = place.dataset.read;
  button.addEventListener("click", read);
  place.append(button);
}

// Block by block: some voices fall silent in the middle of a long text.
function read() {
  if (speech.speaking) {
    speech.cancel();
    return;
  }
  for (const block of document.querySelectorAll("#notice > *")) {
    const said = new SpeechSynthesisUtterance(block.textContent);
    said.lang = document.documentElement.lang;
    said.voice = voice();
    speech.speak(said);
  }
}

if (place && speech) {
  offer();
  speech.addEventListener("voiceschanged", offer);
  window.addEventListener("pagehide", () => speech.cancel());
}
