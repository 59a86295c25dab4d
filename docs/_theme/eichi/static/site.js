// What a page of the documents does beyond being read. All of it is extra: without scripts the text and its links stay.

(() => {
  const root = document.documentElement, said = document.body.dataset;

  // Light and dark, as on the page: the button goes to the other one, and back to the system's.
  const scheme = document.querySelector("#scheme");
  scheme.hidden = false;
  scheme.addEventListener("click", () => {
    const next = root.dataset.scheme ? null : matchMedia("(prefers-color-scheme: dark)").matches ? "light" : "dark";
    if (next) root.dataset.scheme = next;
    else delete root.dataset.scheme;
    try {
      if (next) localStorage.setItem("eichi.scheme", next);
      else localStorage.removeItem("eichi.scheme");
    } catch { /* it holds until the next page */ }
  });

  // The search has a page; the policy of the server lets no form be sent.
  const form = document.querySelector("form[role=search]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = form.q.value.trim();
    if (asked) location.href = `${form.dataset.to}?${new URLSearchParams({ q: asked })}`;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    form.q.focus();
  });

  // Another language stays at the same place of the page.
  for (const link of document.querySelectorAll(".tongues a")) {
    link.addEventListener("click", () => { link.hash = location.hash; });
  }

  if (matchMedia("(min-width: 1200px)").matches) {
    for (const parts of document.querySelectorAll(".parts")) parts.open = true;
  }
  for (const text of document.querySelectorAll(".untranslated")) {
    text.lang = "en";
    text.title = said.untranslated;
  }
  for (const block of document.querySelectorAll("pre, .scroll")) {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0; // so that the keyboard can move it
  }

  if (!navigator.clipboard) return;
  for (const block of document.querySelectorAll(".highlight-sh, .highlight-python, .highlight-json, .highlight-toml")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = said.copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("pre").textContent.trimEnd());
      button.textContent = said.copied;
      setTimeout(() => { button.textContent = said.copy; }, 2000);
    });
    block.append(button);
  }
})();
