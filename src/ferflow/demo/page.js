// The body of a function of Gradio's, which gives `element`, the page, and `server`, the functions that answer it.
const settings = JSON.parse(element.querySelector("[data-settings]").dataset.settings);
const find = (id) => element.querySelector(`#${id}`);
const file = find("file"), drop = find("drop"), isFace = find("is-face"), first = find("first"), second = find("second");
const video = find("video"), viewfinder = find("viewfinder"), problem = find("ask-problem");

// The picture stays here, in the browser; the server is sent it again when it is to be looked at otherwise.
let asked = {};
let number = 0;
let faceBySample = false;
let follows = settings.champion;

const models = () => ({ first: first.value, second: second ? second.value : "" });

async function ask(scroll) {
  const mine = ++number;
  find("waiting").hidden = false;
  find("answer").classList.add("busy");
  let found;
  try {
    found = await server.answer({ ...asked, ...models(), is_face: isFace.checked });
  } catch {
    found = { gone: true };
  }
  if (mine !== number) return; // asked anew meanwhile
  find("waiting").hidden = true;
  find("answer").classList.remove("busy");
  if (!found || found.gone) {
    find("answer").replaceChildren(notice("There is no answer from the server.", "Is it still running? Then try again."));
    find("said").textContent = "There is no answer from the server.";
    return;
  }
  // Escaped by the server's templates.
  if (found.models !== undefined) find("models").innerHTML = found.models;
  if (found.answer) find("answer").innerHTML = found.answer;
  find("said").textContent = found.said;
  if (scroll && found.answer && matchMedia("(max-width: 56rem)").matches) {
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
  problem.textContent = "";
  if (blob.size > settings.mostBytes) {
    problem.textContent = `This file is too large: at most ${Math.floor(settings.mostBytes / 2 ** 20)} MB.`;
    return;
  }
  try {
    // An empty file has no base64 after the comma, nor a comma in some browsers.
    asked = { picture: blob.size ? await base64(blob) : "" };
  } catch {
    problem.textContent = "This file cannot be read.";
    return;
  }
  // A face that a sample said to be one; what people said stays.
  if (faceBySample) isFace.checked = faceBySample = false;
  press(null);
  ask(true);
}

function press(button) {
  for (const each of element.querySelectorAll("[data-sample]")) each.setAttribute("aria-pressed", each === button);
}

file.addEventListener("change", () => {
  if (file.files.length) look(file.files[0]);
  file.value = ""; // the same file may be chosen again
});
for (const kind of ["dragenter", "dragover"]) {
  element.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) element.addEventListener(kind, () => drop.classList.remove("over"));
element.addEventListener("drop", (event) => {
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
    problem.textContent = "";
    asked = { sample: button.dataset.sample };
    isFace.checked = faceBySample = Boolean(button.dataset.face);
    press(button);
    ask(true);
  });
}
isFace.addEventListener("change", () => {
  faceBySample = false;
  if (asked.sample || asked.picture !== undefined) ask(false);
});
for (const choice of [first, second]) choice?.addEventListener("change", () => ask(false));

function stop() {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  viewfinder.hidden = true;
}
find("camera").addEventListener("click", async () => {
  problem.textContent = "";
  if (!navigator.mediaDevices) {
    problem.textContent = "Browsers give a page the camera over https or on the same machine only. Choose a picture instead: phones offer their camera there, too.";
    return;
  }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  } catch {
    problem.textContent = "There is no camera, or it may not be used.";
    return;
  }
  viewfinder.hidden = false;
  await video.play();
  find("take").focus();
});
find("take").addEventListener("click", () => {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  stop();
  canvas.toBlob((blob) => look(blob), "image/jpeg", 0.92);
});
find("close").addEventListener("click", () => {
  stop();
  find("camera").focus();
});

// --- The registry: is there another champion? -----------------------------------------------------

let shown = "";
function offer(select, versions) {
  for (const [key, title] of versions) {
    if (![...select.options].some((each) => each.value === key)) select.append(new Option(title, key));
  }
  for (const option of select.options) {
    const known = versions.find(([key]) => key === option.value);
    if (known) option.textContent = known[1];
  }
}
function tell(standing) {
  for (const select of [first, second]) if (select) offer(select, standing.versions);
  const state = !standing.answers ? "silent" : standing.champion && standing.champion !== follows ? standing.champion : "";
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
  button.className = "main";
  button.id = "load-champion";
  button.textContent = "Load the new champion";
  button.addEventListener("click", () => {
    follows = first.value = state;
    tell({ ...standing, champion: follows });
    first.focus();
    ask(false);
  });
  place.replaceChildren(notice(`Version ${state} is the champion now.`, `This page was opened with version ${follows}.`, button));
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
if (follows) poll();
