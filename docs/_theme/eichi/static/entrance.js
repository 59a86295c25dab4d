// To the reader's language: the page's choice, else the first of the browser's that there is; without one, English.

(() => {
  const links = [...document.querySelectorAll("a[hreflang]")], there = links.map((link) => link.hreflang);
  const chosen = /(?:^|; )eichi_language=([^;]+)/.exec(document.cookie)?.[1];
  for (const wanted of [chosen, ...navigator.languages, "en"].filter(Boolean)) {
    const base = wanted.toLowerCase().split("-")[0];
    const at = there.findIndex((code) => code.toLowerCase() === wanted.toLowerCase());
    const near = at < 0 ? there.findIndex((code) => code.toLowerCase().split("-")[0] === base) : at;
    if (near >= 0) return location.replace(links[near].href);
  }
})();
