// The body of a function of Gradio's, which gives `element`, the page, and `server`, the functions that answer it.
const settings = JSON.parse(element.querySelector("[data-settings]").dataset.settings);
const find = (id) => element.querySelector(`#${id}`);
const file = find("file"), drop = find("drop"), isFace = find("is-face"), first = find("first"), second = find("second");
const video = find("video"), take = find("take"), viewfinder = find("viewfinder"), problem = find("ask-problem");

// The picture stays here, in the browser; the server is sent it again when it is to be looked at otherwise.
let asked = {};
let number = 0;
let chosen = 0;
let faceBySample = false;
let follows = settings.champion;

const hasPicture = () => asked.sample !== undefined || asked.picture !== undefined;
const models = () => ({ first: first.value, second: second ? second.value : "" });

// Gradio's own client tells nobody why a question was refused.
let refusal = "";
const fetching = window.fetch;
window.fetch = async (...request) => {
  const response = await fetching(...request);
  if (!response.ok && request[1]?.body?.includes?.('"fn_name":"answer"')) {
    const isPlain = response.headers.get("content-type")?.startsWith("text/plain");
    refusal = isPlain ? await response.clone().text() : `${response.status} ${response.statusText}`.trim();
  }
  return response;
};

async function ask() {
  const mine = ++number;
  find("waiting").hidden = false;
  find("answer").classList.add("busy");
  let found;
  refusal = "";
  try {
    found = await server.answer({ ...asked, ...models(), is_face: isFace.checked });
  } catch {
    found = { gone: true };
  }
  if (mine !== number) return; // asked anew meanwhile
  find("waiting").hidden = true;
  find("answer").classList.remove("busy");
  if (!found || found.gone) {
    const words = refusal ? "The server refused the question." : "There is no answer from the server.";
    find("answer").replaceChildren(notice(words, refusal || "Is it still running? Then try again."));
    find("said").textContent = `${words} ${refusal}`.trim();
    return;
  }
  // Escaped by the server's templates.
  if (found.models !== undefined) find("models").innerHTML = found.models;
  if (found.answer) find("answer").innerHTML = found.answer;
  find("said").textContent = found.said;
  if (hasPicture() && found.answer && matchMedia("(max-width: 56rem)").matches) {
    element.querySelector(".side").scrollIntoView({ block: "start" });
  }
}

function notice(words, more, button) {
  const made = document.createElement("div");
  made.className = "notice";
  const [strong, line, then] = ["strong", "p", "p"].map((name) => document.createElement(name));
  strong.textContent = words;
  then.textContent = more;
  line.append(strong);
  made.append(line, then, ...(button ? [button] : []));
  return made;
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

async function look(blob) {
  const mine = ++chosen;
  problem.textContent = "";
  stop();
  if (blob.size > settings.mostBytes) {
    problem.textContent = `This file is too large: at most ${Math.floor(settings.mostBytes / 2 ** 20)} MB.`;
    return;
  }
  let picture;
  try {
    // An empty file has no base64 after the comma, nor a comma in some browsers.
    picture = blob.size ? await base64(blob) : "";
  } catch {
    problem.textContent = "This file cannot be read.";
    return;
  }
  if (mine !== chosen) return; // a smaller one, chosen later, was read sooner
  asked = { picture };
  // A face that a sample said to be one; what people said stays.
  if (faceBySample) isFace.checked = faceBySample = false;
  press(null);
  ask();
}

function press(button) {
  for (const each of element.querySelectorAll("[data-sample]")) each.setAttribute("aria-pressed", each === button);
}

file.addEventListener("change", () => {
  if (file.files.length) look(file.files[0]);
  file.value = ""; // the same file may be chosen again
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) look(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const pasted = [...event.clipboardData.files];
  if (pasted.length) look(pasted[0]);
  else if (!event.target.matches("input, textarea")) problem.textContent = "There is no picture in the clipboard.";
});

for (const button of element.querySelectorAll("[data-sample]")) {
  button.setAttribute("aria-pressed", false);
  button.addEventListener("click", () => {
    ++chosen;
    problem.textContent = "";
    stop();
    asked = { sample: button.dataset.sample };
    isFace.checked = faceBySample = Boolean(button.dataset.face);
    press(button);
    ask();
  });
}
isFace.addEventListener("change", () => {
  faceBySample = false;
  if (hasPicture()) ask();
});
for (const choice of [first, second]) choice?.addEventListener("change", ask);

let opening = 0;
function stop() {
  ++opening;
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  viewfinder.hidden = take.disabled = true;
}
find("camera").addEventListener("click", async () => {
  problem.textContent = "";
  stop();
  const mine = opening;
  if (!navigator.mediaDevices) {
    problem.textContent = "Browsers give a page the camera over https or on the same machine only. Choose a picture instead: phones offer their camera there, too.";
    return;
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  } catch {
    if (mine === opening) problem.textContent = "There is no camera, or it may not be used.";
    return;
  }
  if (mine !== opening) {
    // While people were asked whether it may be used, they chose something else.
    for (const track of stream.getTracks()) track.stop();
    return;
  }
  video.srcObject = stream;
  viewfinder.hidden = false;
  video.play().catch(() => {}); // closed before it began
});
video.addEventListener("loadeddata", () => {
  take.disabled = false;
  take.focus();
});
take.addEventListener("click", () => {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  stop();
  find("camera").focus({ preventScroll: true });
  canvas.toBlob((blob) => {
    if (blob) look(blob);
    else problem.textContent = "The camera gave no picture. Try again.";
  }, "image/jpeg", 0.92);
});
find("close").addEventListener("click", () => {
  stop();
  find("camera").focus();
});

// --- The registry: is there another champion? -----------------------------------------------------

let shown = "", offered = "", champion = settings.champion;
function offer(select, versions) {
  const [value, before] = [select.value, [...select.options]];
  const keys = versions.map(([key]) => key);
  const none = before.filter((each) => each.value === "");
  // One that is chosen and is no longer there stays until another one is.
  const gone = before.filter((each) => each.value === value && value && !keys.includes(value));
  select.replaceChildren(...none, ...versions.map(([key, title]) => new Option(title, key)), ...gone);
  select.value = value;
}
function follow(key) {
  // What was compared with the new one is compared with the old one, if that is still there.
  if (second?.value === key) second.value = [...second.options].some((each) => each.value === first.value) ? first.value : "";
  follows = first.value = key;
}
function tell(standing) {
  const now = JSON.stringify(standing.versions);
  if (now !== offered && standing.versions.length) {
    offered = now;
    for (const select of [first, second]) if (select) offer(select, standing.versions);
  }
  if (standing.answers && standing.champion !== champion) {
    champion = standing.champion;
    // Nobody has seen an answer of the old one yet.
    if (champion && follows && first.value === follows && !hasPicture()) follow(champion);
    refresh();
  }
  const isOther = follows && standing.champion && standing.champion !== follows;
  const state = !standing.answers ? "silent" : isOther ? standing.champion : "";
  if (state === shown) return;
  shown = state;
  const place = find("standing");
  if (!state) return place.replaceChildren();
  if (state === "silent") {
    place.replaceChildren(notice("The registry does not answer.", "Whether there is a newer champion is not known; the models that are open go on answering."));
    return;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.className = "solid";
  button.id = "load-champion";
  button.textContent = "Load the new champion";
  button.addEventListener("click", () => {
    follow(state);
    tell({ ...standing, champion: follows });
    first.focus();
    ask();
  });
  place.replaceChildren(notice(`Version ${state} is the champion now.`, `This page was opened with version ${follows}.`, button));
}
// Who is champion is said beside the models, too.
async function refresh() {
  const of = JSON.stringify(models());
  const found = await server.answer(models()).catch(() => null);
  if (found?.models !== undefined && of === JSON.stringify(models())) find("models").innerHTML = found.models;
}
async function poll() {
  if (!element.isConnected) return;
  if (!document.hidden) {
    try {
      tell(await server.standing({}));
    } catch {
      // The server has ended, or is about to start again: a question will say so.
    }
  }
  setTimeout(poll, settings.pollSeconds * 1000);
}
if (settings.pollSeconds) poll();
