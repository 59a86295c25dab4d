// The documents are being made: look until they are there, then show what was asked for.

const MAKING = 202, PAUSE = 1000; // milliseconds

async function look() {
  const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (answer && answer.status !== MAKING) location.reload();
  else setTimeout(look, PAUSE);
}

setTimeout(look, PAUSE);
