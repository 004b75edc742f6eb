// Everything works without this: it copies ids, listens to keys, and says when the session is about to end.
"use strict";
(() => {
  const body = document.body;
  const status = document.getElementById("status");
  const say = (text) => { if (status) status.textContent = text; };

  // What went wrong is read first.
  const wrong = document.querySelector("[data-focus]");
  if (wrong) wrong.focus();

  // Ids can be copied, where the browser lets us.
  if (navigator.clipboard) {
    for (const code of document.querySelectorAll("[data-copy-text]")) {
      const text = code.textContent;
      if (text === "–") continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = body.dataset.copy;
      button.setAttribute("aria-label", `${body.dataset.copy} ${text}`);
      button.addEventListener("click", () => {
        navigator.clipboard.writeText(text).then(() => say(body.dataset.copied), () => {});
      });
      code.after(button);
    }
  }

  // Keys, where the account has not turned them off.
  const screens = { o: "/", s: "/search", a: "/account" };
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(input|select|textarea)$/i.test(event.target.tagName);
    if (!("shortcuts" in body.dataset) || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const field = document.getElementById("q") || document.getElementById("find");
      if (field) { event.preventDefault(); field.focus(); field.select(); }
    } else if (Object.hasOwn(screens, event.key)) {
      location.assign(screens[event.key]);
    }
  });

  // Two minutes before the session ends, used or not.
  const ends = Number(body.dataset.ends), idle = Number(body.dataset.idle);
  if (ends) {
    const at = Math.min(ends * 1000, Date.now() + idle * 1000) - 120000;
    setTimeout(() => say(body.dataset.ending), Math.max(0, at - Date.now()));
  }
})();
