// What is live on the page: fragments of HTML from the server into their places, buttons back to its calls.
// No word is put together here; everything that is shown comes from the server in the visitor's language.
(() => {
  const language = document.currentScript.dataset.language;
  const last = {};
  let boot = null;
  let told = null;

  function place(name, element) {
    if (element.shownHtml === last[name]) return;
    element.shownHtml = last[name];
    if (name === "stage") return stage(element, last[name]);
    const playing = element.querySelector("video:not([data-idle])");
    if (name === "history" && playing && !playing.paused) { element.shownHtml = null; return; }
    element.innerHTML = last[name];
  }

  // A video that plays goes on playing: only what is beside it is put anew.
  function stage(element, html) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const [now, next] = [element.querySelector(".show"), fresh.content.querySelector(".show")];
    const same = now && next && next.dataset.video && now.dataset.video === next.dataset.video;
    const frame = fresh.content.querySelector(".stage");
    if (same) {
      const side = element.querySelector(".side");
      side.innerHTML = fresh.content.querySelector(".side").innerHTML;
      Object.assign(element.querySelector(".stage").dataset, frame.dataset);
    } else {
      element.innerHTML = html;
      const room = element.querySelector("[data-video]");
      if (room) {
        const video = document.createElement("video");
        Object.assign(video, {controls: true, loop: true, muted: true, autoplay: true, playsInline: true, src: room.dataset.video});
        video.setAttribute("aria-label", frame.dataset.title);
        room.append(video);
      }
    }
    tell(frame);
  }

  function tell(frame) {
    const state = `${frame.dataset.job}:${frame.dataset.status}`;
    const ended = ["done", "failed"].includes(frame.dataset.status);
    if (told !== null && told !== state && ended && frame.dataset.job) {
      if (localStorage.getItem("sound") === "1") beep();
      if (localStorage.getItem("notify") === "1" && window.Notification?.permission === "granted")
        new Notification("FramePack-eichi", {body: frame.dataset.title, tag: state});
    }
    told = state;
    document.title = frame.dataset.title ? `${frame.dataset.title} · FramePack-eichi` : "FramePack-eichi";
  }

  function beep() {
    const sound = new AudioContext();
    [660, 880].forEach((pitch, place) => {
      const [tone, volume] = [sound.createOscillator(), sound.createGain()];
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.15, sound.currentTime + place * 0.2);
      volume.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + place * 0.2 + 0.4);
      tone.connect(volume).connect(sound.destination);
      tone.start(sound.currentTime + place * 0.2);
      tone.stop(sound.currentTime + place * 0.2 + 0.4);
    });
  }

  function show() {
    document.querySelectorAll("[data-live]").forEach(element => {
      if (last[element.dataset.live] !== undefined) place(element.dataset.live, element);
    });
    const tab = document.getElementById("queue-place-button");
    if (tab && tab.dataset.count !== (last.count ?? "")) tab.dataset.count = last.count ?? "";
    document.querySelectorAll("[data-keep]").forEach(tick => { tick.checked = localStorage.getItem(tick.dataset.keep) === "1"; });
  }

  function follow() {
    const source = new EventSource(`/api/v1/live/${language}`);
    const sign = hidden => { const mark = document.getElementById("connection"); if (mark) mark.hidden = hidden; };
    source.onerror = () => sign(false);
    source.onmessage = event => {
      sign(true);
      const fragments = JSON.parse(event.data);
      // A server that was started anew knows nothing of this page's controls; they are written down there.
      if (boot !== null && fragments.boot !== undefined && fragments.boot !== boot) return location.reload();
      boot = fragments.boot ?? boot;
      Object.assign(last, fragments);
      show();
    };
  }

  const CALLS = {
    "hold-all": () => ["POST", "/api/v1/queue/hold"],
    "resume-all": () => ["POST", "/api/v1/queue/resume"],
    "remove-files": id => ["DELETE", `/api/v1/jobs/${id}?files=true`],
  };

  async function act(button) {
    if (button.dataset.ask && !confirm(button.dataset.ask)) return;
    const name = button.dataset.do;
    const [method, address] = CALLS[name]?.(button.dataset.id) ?? ["POST", `/api/v1/jobs/${button.dataset.id}/${name}`];
    button.disabled = true;
    const answer = await fetch(address, {method}).catch(() => null);
    button.disabled = false;
    if (answer && !answer.ok) toast((await answer.json()).message);
  }

  function toast(text) {
    const note = document.createElement("div");
    note.className = "eichi-toast";
    note.setAttribute("role", "alert");
    note.textContent = text;
    document.body.append(note);
    setTimeout(() => note.remove(), 6000);
  }

  document.addEventListener("click", event => {
    const button = event.target.closest?.("[data-do]");
    if (button) act(button);
  });
  document.addEventListener("change", event => {
    const tick = event.target.closest?.("[data-keep]");
    if (!tick) return;
    localStorage.setItem(tick.dataset.keep, tick.checked ? "1" : "0");
    if (tick.dataset.keep === "notify" && tick.checked) window.Notification?.requestPermission();
    if (tick.dataset.keep === "sound" && tick.checked) beep();
  });
  // Gradio builds a place when it is opened.
  new MutationObserver(() => show()).observe(document.documentElement, {childList: true, subtree: true});
  follow();
})();
