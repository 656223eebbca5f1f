// What is easier with a script, and works without: a slider shows its state when it is let go, and
// a page on which something is still under way looks again by itself.
"use strict";
for (const range of document.querySelectorAll("input[type=range][data-go]")) {
  range.addEventListener("change", () => range.form.submit());
}
if (document.querySelector("[data-again]")) setTimeout(() => location.reload(), 2000);
