// The search: sections that have every word that was typed, wherever in it, the likeliest first.
//
// Japanese and Chinese have no spaces, Russian has endings. Where nothing has the words as they were typed, each pair of
// signs is looked for, and words without their last letters. Where nothing has all of them, those with most come first.

(() => {
  const MOST = 40, AROUND = 70, EACH = 100, WIDE = /[\u3040-\u30ff\u3400-\u9fff]/;
  const field = document.querySelector("form[role=search] input"), list = document.querySelector("#results");
  const status = document.querySelector("#found");
  const plain = (text) => text.normalize("NFKC").toLowerCase().replaceAll("ё", "е");
  const rows = (globalThis.sections ?? []).map(([address, title, heading, text]) =>
    ({ address, title, heading, text, inTitle: plain(title), inHeading: plain(heading), inText: plain(text) }));

  const pairs = (word) => word.length > 2 && WIDE.test(word)
    ? [...word].slice(1).map((sign, at) => [...word][at] + sign) : [word];
  const stem = (word) => word.length > 4 ? word.slice(0, Math.max(4, word.length - 2)) : word;

  function score(row, words, some) {
    let points = 0;
    for (const word of words) {
      const times = row.inText.split(word).length - 1;
      const one = (row.inHeading.includes(word) ? 10 : 0) + (row.inTitle.includes(word) ? 5 : 0) + Math.min(times, 3);
      if (!one && !some) return 0;
      points += one && one + (row.inHeading.startsWith(word) ? 5 : 0) + (some ? EACH : 0);
    }
    return points;
  }

  const search = (words, some = false) => rows.map((row) => ({ row, points: score(row, words, some) }))
    .filter((one) => one.points).sort((one, other) => other.points - one.points);

  function excerpt(row, words) {
    const node = document.createElement("p");
    const at = words.map((word) => row.inText.indexOf(word)).find((place) => place >= 0) ?? -1;
    const word = words.find((one) => row.inText.indexOf(one) === at) ?? "";
    if (at < 0 || row.inText.length !== row.text.length) {
      node.textContent = row.text.slice(0, 2 * AROUND);
      return node;
    }
    const from = Math.max(0, at - AROUND), to = at + word.length, mark = document.createElement("mark");
    mark.textContent = row.text.slice(at, to);
    node.append(from ? "…" : "", row.text.slice(from, at), mark, row.text.slice(to, to + AROUND), "…");
    return node;
  }

  function show() {
    const typed = plain(field.value).split(/\s+/).filter(Boolean);
    const tries = [typed, typed.flatMap(pairs), typed.flatMap(pairs).map(stem)];
    const whole = tries.find((one) => one.length && search(one).length);
    const words = whole ?? tries[2].filter((word) => word.length > 2 || WIDE.test(word));
    const found = typed.length ? search(words, !whole) : [];
    status.textContent = !typed.length ? status.dataset.ask : !found.length ? status.dataset.none
      : status.dataset[whole ? "found" : "some"].replace("{count}", String(found.length));
    list.replaceChildren(...found.slice(0, MOST).map(({ row }) => {
      const item = document.createElement("li"), link = document.createElement("a");
      link.href = row.address;
      link.textContent = row.heading === row.title ? row.title : `${row.title}: ${row.heading}`;
      item.append(link, excerpt(row, words));
      return item;
    }));
  }

  field.value = new URLSearchParams(location.search).get("q") ?? "";
  field.addEventListener("input", () => {
    show();
    history.replaceState(null, "", `?${new URLSearchParams({ q: field.value })}`);
  });
  if (!field.value) field.focus();
  show();
})();
