// What a page of the portal cannot do alone. Without it every form still works; only the counting of ticks is missing.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  sendOnce();
  countTicks();
  focusOnSlash();
  submitOnChange();
  tickTogether();
  focusWhatAsksForIt();
  waitForTheNextScan();
  selectWhatWasSearched();
  goBackAsItWas();
  focusInDetails();
  showTab();
  refresh();
  answerInSight();
});

// On a narrow screen the strip of tabs is longer than the page: it begins at the one that is open.
function showTab() {
  for (const tab of document.querySelectorAll('.sc-tabs [aria-current="page"]')) {
    const strip = tab.parentElement;
    strip.scrollLeft = tab.offsetLeft - strip.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
  }
}

// A form that was sent is not sent again by a second click; coming back to the page makes it whole again.
// What cannot be taken back at once (data-asks) is asked about first.
function sendOnce() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.asks && !form.classList.contains("sc-sent") && !window.confirm(form.dataset.asks)) {
      event.preventDefault();
      return;
    }
    if (form.classList.contains("sc-sent")) event.preventDefault();
    form.classList.add("sc-sent");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form.sc-sent")) form.classList.remove("sc-sent");
  });
}

// The shipments list: how many are ticked, and buttons that wait until something is.
function countTicks() {
  const form = document.getElementById("shipments");
  const said = document.getElementById("said");
  if (!form || !said) return;
  const ticks = [...form.querySelectorAll('input[name="shipment"]')];
  const page = document.getElementById("tick-page");
  const all = document.getElementById("all-matching");
  let last = null;

  const show = () => {
    const chosen = ticks.filter((tick) => tick.checked).length;
    const isAll = Boolean(all && all.checked);
    for (const tick of ticks) tick.closest("tr").classList.toggle("sc-chosen", tick.checked || isAll);
    if (page) {
      page.checked = chosen === ticks.length;
      page.indeterminate = chosen > 0 && chosen < ticks.length;
    }
    const count = isAll ? form.dataset.matching : chosen;
    said.parentElement.classList.toggle("sc-some", isAll || chosen > 0);
    said.textContent = isAll || chosen ? said.dataset.some.replace("%s", count) : said.dataset.none;
    for (const button of form.querySelectorAll("[data-needs-choice]")) button.disabled = !isAll && !chosen;
  };
  const tickAll = (to) => ticks.forEach((tick) => { tick.checked = to; });

  page?.addEventListener("change", () => { tickAll(page.checked); if (all) all.checked = false; show(); });
  all?.addEventListener("change", () => { tickAll(all.checked); show(); });
  // With shift, everything between the last tick and this one follows it.
  form.addEventListener("click", (event) => {
    const here = ticks.indexOf(event.target);
    if (here < 0) return;
    if (event.shiftKey && last !== null) {
      for (let at = Math.min(here, last); at <= Math.max(here, last); at += 1) ticks[at].checked = event.target.checked;
    }
    last = here;
    if (all) all.checked = false;
    show();
  });
  window.addEventListener("pageshow", show);
  show();
}

// What is chosen from a list narrows the page at once.
function submitOnChange() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });
}

// One tick for all of a form's boxes of a name.
function tickTogether() {
  for (const all of document.querySelectorAll("[data-ticks]")) {
    all.addEventListener("change", () => {
      for (const box of all.form.querySelectorAll(`input[name="${all.dataset.ticks}"]`)) box.checked = all.checked;
    });
  }
}

// "/" leads to the search box, wherever one is on the page.
function focusOnSlash() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const box = document.querySelector('form[role="search"] input[type="search"]');
    if (!box) return;
    event.preventDefault();
    box.select();
  });
}

// A browser on a busy machine may forget an autofocus, and what is scanned then goes nowhere.
function focusWhatAsksForIt() {
  if (window.location.hash || document.activeElement !== document.body) return;
  document.querySelector("[autofocus]")?.focus({ preventScroll: true });
}

// A page that somebody scanned their way to is ready for the next scan; not where it shall show a place further down, nor
// on a phone, where a keyboard would cover it.
function waitForTheNextScan() {
  const box = document.querySelector("[data-focuses]");
  if (box && !window.location.hash && window.matchMedia("(pointer: fine)").matches) box.focus({ preventScroll: true });
}

// What was searched last is replaced by the next scan, and not added to.
function selectWhatWasSearched() {
  const box = document.activeElement;
  if (box instanceof HTMLInputElement && box.type === "search") box.select();
}

// Back from a page of consequences the list is as it was left: its ticks, and how far it was scrolled.
function goBackAsItWas() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-back]");
    if (!link || link.href !== document.referrer) return;
    event.preventDefault();
    window.history.back();
  });
}

// What is unfolded to be scanned into is ready for the scanner.
function focusInDetails() {
  document.addEventListener("toggle", (event) => {
    if (event.target.open) event.target.querySelector("input:not([type=hidden])")?.focus();
  }, true);
}

// Parts that say so are asked for again until nothing on them is on its way; not while somebody chooses or looks away.
const FIRST_REFRESH_MS = 3000, LONGEST_REFRESH_MS = 30000;

function refresh(after = FIRST_REFRESH_MS) {
  if (!document.querySelector("[data-refreshes]")) return;
  window.setTimeout(async () => {
    const isBusy = document.hidden || document.querySelector("#shipments input:checked, .sc-sent, [data-refreshes] select:focus");
    if (!isBusy) await replaceParts().catch(() => {});  // the next time finds the server again
    refresh(Math.min(after * 1.2, LONGEST_REFRESH_MS));
  }, after);
}

async function replaceParts() {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (document.querySelector("#shipments input:checked")) return;
  for (const part of document.querySelectorAll("[data-refreshes]")) {
    const fresh = page.getElementById(part.id);
    if (fresh) part.replaceWith(document.adoptNode(fresh));
    else part.removeAttribute("data-refreshes");
  }
  countTicks();
  showTab();
}

// Where a part of the page is asked for: a failure is shown as a page of its own and not swallowed, a log-in is not drawn
// into the part, and what comes by itself waits while something of the part is pressed.
function answerInSight() {
  const ask = ({ verb, elt }, address) => verb === "post" ? elt.submit() : window.location.assign(address);
  for (const failure of ["htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(failure, ({ detail }) => {
      if (detail.requestConfig.verb === "post") ask(detail.requestConfig);
    });
  }
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig, target } = event.detail;
    const answered = new URL(xhr.responseURL), asked = new URL(requestConfig.path, window.location);
    if (answered.pathname !== asked.pathname) ask(requestConfig, answered);
    else if (requestConfig.verb !== "get" || !target.querySelector(":active")) return;
    event.detail.shouldSwap = false;
  });
}
