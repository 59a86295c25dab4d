// Light or dark as it was chosen here or on the page, before anything is drawn.

(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("eichi.scheme");
  } catch { /* a browser that keeps nothing has the system's */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.scheme = chosen;
})();
