// What is live on the page: fragments of HTML from the server into their places, buttons back to its calls.
// No word is put together here; everything that is shown comes from the server in the visitor's language.
(() => {
  const {language, more} = document.currentScript.dataset;
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
    if (name === "files") offer();
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
    const menu = document.querySelector("#places .overflow-menu > button");
    if (menu && menu.ariaLabel !== more) menu.ariaLabel = more;
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

  // The place of latent files: tools work on what is ticked, in the order in which it was.
  let ticked = [];
  function offer() {
    const kinds = ticked.map(name => document.querySelector(`[data-file="${CSS.escape(name)}"]`)?.dataset.kind);
    const fits = {
      join: kinds.length > 1 && kinds.every(kind => kind === "latents"),
      fill: kinds.length === 2 && kinds.every(kind => kind === "latents"),
      "from-mp4": kinds.length === 1 && kinds[0] === "video",
    };
    document.querySelectorAll("form.tool").forEach(form => {
      form.querySelector("button").disabled = !(fits[form.dataset.tool] ?? (kinds.length === 1 && kinds[0] === "latents"));
    });
    document.querySelectorAll("[data-file]").forEach(tick => {
      tick.checked = ticked.includes(tick.dataset.file);
      tick.dataset.turn = tick.checked && ticked.length > 1 ? ticked.indexOf(tick.dataset.file) + 1 : "";
    });
  }
  const headers = {"content-type": "application/json"};
  const heard = async answer => {
    const said = await answer.json().catch(() => ({message: answer.statusText}));
    if (!answer.ok) toast(said.message ?? answer.statusText);
    return answer.ok;
  };
  document.addEventListener("submit", async event => {
    const form = event.target.closest?.("form.tool");
    if (!form) return;
    event.preventDefault();
    const values = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    const longer = form.dataset.tool === "extend";
    const body = JSON.stringify(longer ? {file: ticked[0], ...values} : {files: ticked, values});
    const address = longer ? "/api/v1/latents/extend" : `/api/v1/tools/${form.dataset.tool}`;
    if (await heard(await fetch(address, {method: "POST", headers, body}))) ticked = [];
    offer();
  });
  // A folder of eichi 1.9: what was taken and what was not, and why.
  document.addEventListener("submit", async event => {
    const form = event.target.closest?.("form[data-import]");
    if (!form) return;
    event.preventDefault();
    const body = JSON.stringify({folder: form.elements.folder.value});
    const answer = await fetch("/api/v1/import", {method: "POST", headers, body});
    const report = form.querySelector("[data-report]");
    report.replaceChildren();
    if (!(await heard(answer.clone()))) return;
    const {summary, items} = await answer.json();
    for (const text of [summary, ...items.map(item => [(item.taken ? "✓ " : "– ") + item.text, ...item.notes].join(" "))]) {
      report.append(Object.assign(document.createElement("li"), {textContent: text}));
    }
  });
  // A result that is dropped beside all controls gives its options back, as the button does.
  const room = event => !event.defaultPrevented && [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", event => { if (room(event)) event.preventDefault(); });
  document.addEventListener("drop", event => {
    const buttons = [...document.querySelectorAll("#take, #frame-take")];
    const take = buttons.find(button => button.offsetParent !== null)?.previousElementSibling;
    if (!room(event) || !take || !event.dataTransfer.files.length) return;
    event.preventDefault();
    take.files = event.dataTransfer.files;
    take.dispatchEvent(new Event("change", {bubbles: true}));
  });
  document.addEventListener("change", async event => {
    const tick = event.target.closest?.("[data-file]");
    if (tick) {
      ticked = ticked.filter(name => name !== tick.dataset.file);
      if (tick.checked) ticked.push(tick.dataset.file);
      offer();
    }
    const upload = event.target.closest?.("[data-upload]");
    if (upload?.files.length) {
      const body = new FormData();
      body.append("file", upload.files[0]);
      upload.value = "";
      await heard(await fetch("/api/v1/files", {method: "POST", body}));
    }
  });

  const CALLS = {
    "hold-all": () => ["POST", "/api/v1/queue/hold"],
    "open-folder": () => ["POST", "/api/v1/folder"],
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

  // A set of options: the controls' values are one table, which goes to the server when one of them is changed.
  function fields(element, props, trigger, watch) {
    const controls = [...element.querySelectorAll("[name]")];
    const given = control => {
      if (control.type === "checkbox") return control.checked;
      if (control.type !== "number" && control.dataset.type !== "number") return control.value;
      return control.value === "" || Number.isNaN(Number(control.value)) ? null : Number(control.value);
    };
    const list = (control, value) => control.append(new Option(value.split(/[\\/]/).pop(), value));
    const twin = control => control.parentElement.querySelector("input[type=range]");
    const level = control => { twin(control).value = control.value === "" ? twin(control).min : control.value; };
    const defaults = Object.fromEntries(controls.map(control => [control.name, null]));
    // What this kind of model has no use for, and what another option makes useless.
    function hide() {
      const {mode} = element.querySelector(".fields").dataset;
      element.querySelectorAll("[data-only], [data-shown]").forEach(part => {
        const {only, shown, unless} = part.dataset;
        const other = props.value?.[shown] ?? null;
        part.hidden = Boolean((only && only !== mode) || (shown && (other === "" ? null : other) === JSON.parse(unless)));
      });
    }
    function summarise() {
      element.querySelectorAll("details.group").forEach(group => {
        const changed = [...group.querySelectorAll("[name]")].filter(control =>
          !control.closest("[hidden]") && String(given(control) ?? "") !== String(defaults[control.name] ?? ""));
        group.querySelector(".set").textContent = changed.map(control => {
          const row = control.closest(".field");
          const [label, unit] = [row.querySelector("label"), row.querySelector(".unit")].map(one => one?.textContent.trim());
          if (control.type === "checkbox") return `${control.checked ? "✓" : "✗"} ${label}`;
          const text = control.selectedOptions ? control.selectedOptions[0]?.text : control.value;
          return unit ? `${label.slice(0, -unit.length).trim()} ${text} ${unit}` : `${label} ${text}`;
        }).join(" · ");
      });
    }
    function show() {
      const root = element.querySelector(".fields");
      root.dataset.mode = props.value?.mode ?? root.dataset.mode;
      hide();
      controls.forEach(control => {
        const value = props.value?.[control.name];
        if (control === document.activeElement && control.type !== "checkbox") return;
        if (control.type === "checkbox") control.checked = Boolean(value);
        else if (control.selectedOptions && typeof value === "number")
          control.value = [...control.options].find(one => Number(one.value) === value)?.value ?? "";
        else {
          if (control.dataset.source && value && ![...control.options].some(one => one.value === value)) list(control, value);
          control.value = value ?? "";
        }
        if (control.type === "number" && twin(control)) level(control);
      });
      summarise();
    }
    // Lists of files are as long as the disk's: asked for when the group is opened.
    element.querySelectorAll("details").forEach(group => group.addEventListener("toggle", async () => {
      for (const control of group.open ? group.querySelectorAll("[data-source]") : []) {
        const {files} = await fetch(control.dataset.source).then(answer => answer.json());
        const chosen = props.value?.[control.name] ?? "";
        control.replaceChildren(new Option("", ""), ...files.map(one => new Option(one.name, one.report.file)));
        if (chosen && control.value !== chosen) list(control, chosen);
        control.value = chosen;
      }
    }));
    element.addEventListener("input", event => {
      const control = event.target;
      if (control.type === "range") control.parentElement.querySelector("[name]").value = control.value;
      else if (control.type === "number" && twin(control)) level(control);
      props.value = {...props.value, ...Object.fromEntries(controls.map(one => [one.name, given(one)]))};
      hide();
      summarise();
      trigger("input");
    });
    const written = JSON.parse(element.querySelector(".fields").dataset.defaults);
    Object.assign(defaults, written);
    watch("value", show);
    show();
  }
  // The LoRA files: a tick and a strength each; what is chosen is one list.
  function loras(element, props, trigger, watch) {
    const room = element.querySelector(".loras");
    const told = JSON.parse(room.dataset.words);
    const rows = element.querySelector(".files");
    const chosen = () => props.value ?? [];
    const make = (tag, values) => Object.assign(document.createElement(tag), values);
    let known = [], presets = {};
    function choose(list) { props.value = list; draw(); trigger("input"); }
    function row(one) {
      const here = chosen().find(other => other.name === one.name);
      const [line, label] = [make("li"), make("label", {className: "tick"})];
      const tick = make("input", {type: "checkbox", checked: Boolean(here), disabled: !here && !one.fits.length});
      const what = make("span", {className: "what"});
      const said = one.said === null ? told.missing : one.said || one.fits.join(", ");
      what.append(make("b", {textContent: one.name}), make("small", {textContent: said, className: one.said === "" ? "" : "error"}));
      const strength = make("input", {type: "number", min: -2, max: 2, step: 0.05, value: here?.strength ?? 0.8});
      strength.setAttribute("aria-label", `${told.strength}: ${one.name}`);
      strength.disabled = !here;
      tick.addEventListener("change", () => choose(tick.checked
        ? [...chosen(), {name: one.name, strength: Number(strength.value)}]
        : chosen().filter(other => other.name !== one.name)));
      strength.addEventListener("change", () => choose(chosen().map(other =>
        other.name === one.name ? {...other, strength: Number(strength.value)} : other)));
      label.append(tick, what);
      line.append(label, strength);
      return line;
    }
    function draw() {
      const strange = chosen().filter(one => !known.some(other => other.name === one.name));
      const all = [...known, ...strange.map(one => ({name: one.name, fits: [], said: null}))];
      rows.replaceChildren(...(all.length ? all.map(row) : [make("li", {className: "none", textContent: told.none})]));
      element.querySelectorAll("[data-slot-load]").forEach(button => {
        const list = presets[button.dataset.slotLoad] ?? [];
        button.disabled = !list.length;
        button.parentElement.querySelector("small").textContent =
          list.map(one => `${one.name} ${one.strength}`).join(", ") || told.empty;
      });
    }
    async function look() {
      const [found, kept] = await Promise.all(["loras", "lora-presets"].map(name =>
        fetch(`/api/v1/${name}`).then(answer => answer.json())));
      [known, presets] = [found.files, kept.presets];
      draw();
    }
    element.addEventListener("click", async event => {
      const [load, save] = ["[data-slot-load]", "[data-slot-save]"].map(name => event.target.closest(name));
      if (load) choose(presets[load.dataset.slotLoad]);
      if (!save) return;
      const headers = {"content-type": "application/json"};
      const body = JSON.stringify({loras: chosen()});
      if (await heard(await fetch(`/api/v1/lora-presets/${save.dataset.slotSave}`, {method: "PUT", headers, body}))) look();
    });
    element.addEventListener("change", async event => {
      const upload = event.target.closest("[data-upload-lora]");
      if (!upload?.files.length) return;
      const body = new FormData();
      body.append("file", upload.files[0]);
      upload.value = "";
      if (await heard(await fetch("/api/v1/loras", {method: "POST", body}))) look();
    });
    watch("value", look);
    draw();
    look();
  }
  // A picture that is painted on: what is painted becomes a mask, black where the picture may change.
  function painter(element, props, trigger, watch) {
    const [room, drop, board] = [".painter", ".drop", ".board"].map(one => element.querySelector(one));
    const [chosen, image, canvas, tools] = ["input[type=file]", "img", "canvas", ".tools"].map(one => room.querySelector(one));
    const brush = canvas.getContext("2d", {willReadFrequently: true});
    const address = name => `/api/v1/pictures/${name.split("/").map(encodeURIComponent).join("/")}`;
    const value = () => ({image: props.value?.image ?? null, mask: props.value?.mask ?? null});
    let [shown, erasing, turn] = [{}, false, 0];

    function set(next) {
      props.value = shown = next;
      trigger("input");
    }
    async function send(file) {
      const body = new FormData();
      body.append("file", file);
      const answer = await fetch("/api/v1/pictures", {method: "POST", body});
      return await heard(answer.clone()) ? (await answer.json()).name : null;
    }
    async function take(file) {
      const name = file && await send(file);
      if (name) { set({image: name, mask: null}); draw(); }
    }
    async function draw() {
      const {image: name, mask} = value();
      [drop.hidden, board.hidden, tools.hidden] = [Boolean(name), !name, !name];
      if (!name) return image.removeAttribute("src");
      image.src = address(name);
      await image.decode().catch(() => null);
      const scale = Math.min(1, 1024 / Math.max(image.naturalWidth, image.naturalHeight, 1));
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight].map(side => Math.max(1, Math.round(side * scale)));
      if (!mask) return;
      const old = new Image();
      old.src = address(mask);
      await old.decode().catch(() => null);
      if (value().mask !== mask || !old.naturalWidth) return;
      brush.drawImage(old, 0, 0, canvas.width, canvas.height);
      each((pixels, at) => pixels.set(pixels[at] < 128 ? [217, 72, 59, 255] : [0, 0, 0, 0], at));
    }
    function each(change) {
      const whole = brush.getImageData(0, 0, canvas.width, canvas.height);
      for (let at = 0; at < whole.data.length; at += 4) change(whole.data, at);
      brush.putImageData(whole, 0, 0);
    }
    // What is painted, as a picture of black and white; null where nothing is.
    async function mask() {
      const sheet = brush.getImageData(0, 0, canvas.width, canvas.height);
      let painted = false;
      for (let at = 0; at < sheet.data.length; at += 4) {
        const here = sheet.data[at + 3] > 127;
        painted ||= here;
        sheet.data.set(here ? [0, 0, 0, 255] : [255, 255, 255, 255], at);
      }
      if (!painted) return null;
      const plain = new OffscreenCanvas(canvas.width, canvas.height);
      plain.getContext("2d").putImageData(sheet, 0, 0);
      return send(new File([await plain.convertToBlob({type: "image/png"})], "mask.png"));
    }
    async function keep() {
      const [now, name] = [++turn, value().image];
      const made = await mask();
      if (now === turn && value().image === name) set({image: name, mask: made});
    }
    function stroke(event) {
      const at = ({clientX, clientY}) => {
        const box = canvas.getBoundingClientRect();
        return [(clientX - box.left) * canvas.width / box.width, (clientY - box.top) * canvas.height / box.height];
      };
      const width = Number(tools.querySelector("input").value) / 100 * Math.max(canvas.width, canvas.height);
      Object.assign(brush, {lineWidth: width, lineCap: "round", lineJoin: "round", strokeStyle: "rgb(217 72 59)"});
      brush.globalCompositeOperation = erasing ? "destination-out" : "source-over";
      let from = at(event);
      const line = to => {
        brush.beginPath();
        brush.moveTo(...from);
        brush.lineTo(...to);
        brush.stroke();
        from = to;
      };
      line(from);
      canvas.setPointerCapture(event.pointerId);
      canvas.onpointermove = next => line(at(next));
      canvas.onpointerup = canvas.onpointercancel = () => {
        canvas.onpointermove = canvas.onpointerup = canvas.onpointercancel = null;
        brush.globalCompositeOperation = "source-over";
        keep();
      };
    }
    canvas.addEventListener("pointerdown", stroke);
    chosen.addEventListener("change", () => { take(chosen.files[0]); chosen.value = ""; });
    room.addEventListener("dragover", event => event.preventDefault());
    room.addEventListener("drop", event => { event.preventDefault(); take(event.dataTransfer.files[0]); });
    document.addEventListener("paste", event => {
      if (room.matches(":hover, :focus-within")) take([...event.clipboardData.files].find(file => file.type.startsWith("image/")));
    });
    tools.addEventListener("click", event => {
      const button = event.target.closest("[data-paint]");
      if (button?.dataset.paint === "erase") button.setAttribute("aria-pressed", String(erasing = !erasing));
      if (button?.dataset.paint === "clear") { brush.clearRect(0, 0, canvas.width, canvas.height); keep(); }
      if (button?.dataset.paint === "remove") { set({image: null, mask: null}); draw(); }
    });
    watch("value", () => {
      const {image: name, mask: painted} = value();
      if (name === (shown.image ?? null) && painted === (shown.mask ?? null)) return;
      shown = value();
      draw();
    });
    shown = value();
    draw();
  }
  window.eichi = {fields, loras, painter};

  document.addEventListener("click", event => {
    const fold = event.target.closest?.("[data-fold]");
    if (fold) fold.setAttribute("aria-expanded", String(fold.getAttribute("aria-expanded") !== "true"));
    const stop = event.target.closest?.("[data-stop-tool]");
    if (stop) fetch(`/api/v1/tools/${stop.dataset.stopTool}`, {method: "DELETE"}).then(heard);
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
