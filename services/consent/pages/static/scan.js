// Puts the SHA-256 of a chosen file into the form; the file itself never leaves the device.
"use strict";

for (const chosen of document.querySelectorAll("input[data-scan]")) {
  const form = chosen.form;
  const shown = form.querySelector("[data-scanned]");
  chosen.addEventListener("change", async () => {
    form.elements.scan_hash.value = "";
    shown.hidden = true;
    const [file] = chosen.files;
    if (!file) return;
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    if (file !== chosen.files[0]) return; // another was chosen meanwhile
    const hash = [...new Uint8Array(digest)].map((one) => one.toString(16).padStart(2, "0")).join("");
    form.elements.scan_hash.value = hash;
    shown.querySelector("code").textContent = hash;
    shown.hidden = false;
  });
}
