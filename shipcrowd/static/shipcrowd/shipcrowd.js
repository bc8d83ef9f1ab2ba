// The few things of the portal that a page cannot do alone. Everything works without it but the tick boxes' counting.
"use strict";

(() => {
  // A form that was sent is not sent again by a second click; coming back to the page makes it whole again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.classList.contains("sc-sent")) event.preventDefault();
    form.classList.add("sc-sent");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form.sc-sent")) form.classList.remove("sc-sent");
  });
})();
