// One stream for all tabs of a browser in a language: HTTP/1.1 allows six connections to a server for all of them.

const ports = new Set(), language = new URL(location.href).searchParams.get("language");
const kept = { jobs: new Map(), rest: {}, open: true, heard: false };

/** @param {any} message */
function tell(message) {
  for (const port of ports) port.postMessage(message);
}

/** What a tab that comes later must know. */
function whole() {
  if (!kept.heard) return { open: kept.open };
  return { ...kept.rest, full: true, jobs: [...kept.jobs.values()], open: kept.open };
}

/** @param {any} change */
function remember(change) {
  const { full, jobs = [], removed = [], ...rest } = change;
  if (full) kept.jobs.clear();
  kept.heard = true;
  for (const job of jobs) kept.jobs.set(job.id, job);
  for (const id of removed) kept.jobs.delete(id);
  Object.assign(kept.rest, rest);
}

function connect() {
  const source = new EventSource(`/api/v1/events?language=${language}`);
  source.onopen = () => tell({ open: (kept.open = true) });
  source.onerror = () => {
    tell({ open: (kept.open = false) });
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
  source.onmessage = (event) => {
    const change = JSON.parse(event.data);
    remember(change);
    tell(change);
  };
}

connect();
self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data === "bye") ports.delete(port);
    else {
      ports.add(port);
      port.postMessage(whole());
    }
  };
  port.start();
};
