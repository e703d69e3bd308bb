// The page: which row is shown, the film, the keys, and what is decided. Drawing is in draw.js, answers in answer.js.
// People count frames from 1, as the questions do ("frame 4 of 16"); rows and everything in here count from 0.

import { drawFrame, drawLegend, drawMap, frameScale } from "./draw.js";
import { el, fillEditor, listObjects, readEditor, showAnswer } from "./answer.js";

const $ = (id) => document.getElementById(id);
const REASONS = [
  "the answer is wrong", "the question is ambiguous", "what it needs is not seen", "it can be guessed without the video",
  "the words are bad", "the picture or a box is wrong",
];
const SAID = { accept: "Accepted", edit: "Edited", reject: "Rejected", unsure: "Unsure" };
const FRAMES_PER_S = 5;

let session, detail = null, queue = [], total = 0, at = 0, frame = 0, playing = null, busy = false;
let shownSince = 0, spentMs = 0, points = [], pointing = null;
const layers = { depth: false, mask: false, boxes: "named" };
const mine = []; // ids of decisions made on this page, the last at the end
const pictures = new Map();

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", "x-annotate-token": session.token },
  };
  let answer, content;
  try {
    answer = await fetch(path, options);
    content = await answer.json();
  } catch {
    throw new Error("No answer from the server. Is it still running?");
  }
  if (answer.ok) return content;
  const { thing, expected, got, do: hint } = content.error;
  const fault = new Error(`${thing}: expected ${expected}, got ${got}${hint ? `; ${hint}` : ""}`);
  fault.status = answer.status;
  throw fault;
}

function say(words, isFault = false) {
  $("status").textContent = words;
  $("status").classList.toggle("fault", isFault);
}

// One thing at a time: a key held down or pressed twice does not decide two rows.
async function once(action) {
  if (busy) return;
  busy = true;
  try {
    await action();
  } catch (fault) {
    say(fault.message, true);
  } finally {
    busy = false;
  }
}

// ---- which row --------------------------------------------------------------------------------------------------------

function wish(offset) {
  const wanted = { split: $("split").value, type: $("type").value, subtype: $("subtype").value, state: $("state").value, offset };
  if ($("order").value) wanted.seed = $("order").value;
  return `/api/queue?${new URLSearchParams(wanted)}`;
}

async function loadQueue(offset = 0) {
  const found = await ask(wish(offset));
  queue = offset ? queue.concat(found.row_ids) : found.row_ids;
  total = found.total;
  if (!offset) await go(0);
}

async function go(place) {
  if (place >= queue.length && queue.length) {
    if ($("state").value === "undecided") return loadQueue();
    if (queue.length < total) await loadQueue(queue.length);
  }
  at = Math.max(0, Math.min(place, queue.length - 1));
  if (!queue.length) return showNothing();
  await show(queue[at]);
}

function showNothing() {
  detail = null;
  stop();
  for (const id of ["question-zh", "answer", "answer-en", "answer-zh", "meta", "objects", "ticks"]) $(id).replaceChildren();
  $("question-en").textContent = $("state").value === "undecided" ? "Nothing left to decide here." : "No such rows.";
  $("decided").hidden = $("legend").hidden = $("pointed").hidden = true;
  for (const id of ["accept", "edit", "reject", "unsure"]) $(id).disabled = true;
  for (const id of ["canvas", "map"]) $(id).getContext("2d").clearRect(0, 0, $(id).width, $(id).height);
  $("position").textContent = "0 of 0";
}

async function show(rowId) {
  say("");
  detail = await ask(`/api/rows/${encodeURIComponent(rowId)}`);
  const { row, clip, objects } = detail;
  close();
  points = [];
  pictures.clear();
  shownSince = performance.now();
  spentMs = 0;
  $("meta").replaceChildren(...[row.subtype, `reference frame: ${row.frame}`, row.split, clip.source, `${clip.scenario}, ${clip.viewer}`, row.row_id]
    .map((words) => el("span", {}, words)));
  showWords(row);
  $("slider").max = clip.num_frames - 1;
  $("ticks").replaceChildren(...row.evidence_frames.filter((f) => f < clip.num_frames).map((f) => {
    const tick = el("i");
    tick.style.left = `${clip.num_frames > 1 ? (100 * f) / (clip.num_frames - 1) : 50}%`;
    return tick;
  }));
  $("evidence-text").textContent = row.evidence_frames.length ? "evidence" : "";
  $("layer-depth").disabled = !clip.has_depth;
  $("layer-mask").disabled = !clip.has_mask;
  if (clip.legend) {
    drawLegend($("legend-bar"), clip.legend);
    $("legend-near").textContent = `${clip.legend[0].m} m`;
    $("legend-far").textContent = `${clip.legend.at(-1).m} m`;
  }
  listObjects($("objects"), objects, row.object_ids, clip.num_frames);
  $("objects-count").textContent = `${objects.length}, seen in frames`;
  $("position").textContent = `${at + 1} of ${Math.max(total, queue.length)}`;
  for (const id of ["accept", "edit", "reject", "unsure"]) $(id).disabled = false;
  showDecision();
  turnTo(row.evidence_frames[0] ?? 0);
  for (let f = 0; f < clip.num_frames; f += 1) picture(f, "colour");
}

function showWords(row) {
  const style = getComputedStyle(document.body);
  $("question-en").textContent = row.question.en;
  $("question-zh").textContent = row.question.zh || "";
  $("answer-en").textContent = row.answer_text.en;
  $("answer-zh").textContent = row.answer_text.zh || "";
  showAnswer($("answer"), row.answer, style.color, getComputedStyle($("accept")).color);
}

function showDecision() {
  const { decision } = detail;
  $("decided").hidden = !decision;
  if (!decision) return;
  const when = new Date(decision.decided_at).toLocaleString();
  $("decided").className = decision.verdict;
  $("decided").textContent = `${SAID[decision.verdict]} by you, ${when}${decision.reason ? `: ${decision.reason}` : ""}`;
  if (decision.row) showWords(decision.row);
}

function showProgress(progress) {
  for (const verdict of Object.keys(SAID)) {
    document.querySelector(`#progress-track .${verdict}`).style.width = `${(100 * progress[verdict]) / progress.rows}%`;
  }
  $("progress").setAttribute("aria-valuemax", progress.rows);
  $("progress").setAttribute("aria-valuenow", progress.decided);
  $("progress-text").textContent = `${progress.decided} of ${progress.rows}`;
  $("progress").title = Object.keys(SAID).map((verdict) => `${SAID[verdict]}: ${progress[verdict]}`).join(", ");
}

// ---- the film ---------------------------------------------------------------------------------------------------------

function picture(number, layer) {
  const address = `/api/clips/${encodeURIComponent(detail.clip.clip_id)}/${detail.version}/${number}/${layer}.png`;
  let found = pictures.get(address);
  if (!found) {
    found = new Image();
    found.addEventListener("load", draw);
    found.src = address;
    pictures.set(address, found);
  }
  return found.complete && found.naturalWidth ? found : null;
}

function draw() {
  if (!detail) return;
  const { clip, boxes, objects } = detail;
  const colors = new Map(objects.map((found) => [found.id, found.rgb]));
  const depth = layers.depth && clip.has_depth;
  drawFrame($("canvas"), $("stage"), {
    sizeHw: clip.size_hw, boxes: boxes[frame], show: layers.boxes, colors, points: points.map((p) => p.at),
    picture: picture(frame, depth ? "depth" : "colour"),
    mask: layers.mask && clip.has_mask ? picture(frame, "mask") : null,
  });
  const scale = drawMap($("map"), detail.map, frame, colors, getComputedStyle(document.body).color);
  const room = detail.map.room ? `, room ${detail.map.room.height_m.toFixed(2)} m high` : "";
  $("map-text").textContent = scale ? `${($("map").clientWidth / scale).toFixed(1)} m across${room}` : "";
  $("legend").hidden = !depth || !clip.legend;
  const time = clip.times_s[frame];
  $("frame-text").value = `frame ${frame + 1} of ${clip.num_frames}${time === null ? "" : ` · ${time.toFixed(2)} s`}`;
  $("canvas").setAttribute("aria-label", `Frame ${frame + 1}${depth ? ", depth" : ""}`);
  for (const name of ["depth", "mask"]) $(`layer-${name}`).setAttribute("aria-pressed", layers[name]);
  $("layer-boxes").setAttribute("aria-pressed", layers.boxes !== "none");
  $("boxes-text").textContent = layers.boxes;
}

function turnTo(number) {
  if (!detail) return;
  frame = Math.max(0, Math.min(number, detail.clip.num_frames - 1));
  $("slider").value = frame;
  points = [];
  $("pointed").hidden = true;
  draw();
}

function stop() {
  clearInterval(playing);
  playing = null;
  $("play").textContent = "▶";
  $("play").setAttribute("aria-label", "Play");
  $("play").setAttribute("aria-pressed", "false");
}

function playOrPause() {
  if (playing) return stop();
  if (!detail) return;
  playing = setInterval(() => detail && turnTo((frame + 1) % detail.clip.num_frames), 1000 / FRAMES_PER_S);
  $("play").textContent = "⏸";
  $("play").setAttribute("aria-label", "Pause");
  $("play").setAttribute("aria-pressed", "true");
}

function place(event) {
  const corner = $("canvas").getBoundingClientRect(), scale = frameScale($("stage"), detail.clip.size_hw);
  return { x: (event.clientX - corner.left) / scale, y: (event.clientY - corner.top) / scale };
}

async function pointAt({ x, y }) {
  const number = frame, where = new URLSearchParams({ x: x.toFixed(2), y: y.toFixed(2) });
  const found = await ask(`/api/clips/${encodeURIComponent(detail.clip.clip_id)}/frames/${number}/probe?${where}`);
  if (number !== frame) return null;
  const words = [found.object, found.depth_m === null ? null : `${found.depth_m.toFixed(2)} m away`,
    found.point_world && `${found.point_world[2].toFixed(2)} m high`].filter(Boolean);
  const marked = points.map((p) => p.found.point_world);
  if (marked.length === 2 && marked[0] && marked[1]) {
    words.unshift(`${Math.hypot(...marked[0].map((v, i) => v - marked[1][i])).toFixed(2)} m between the two`);
  }
  $("pointed").textContent = words.join(" · ");
  $("pointed").hidden = !words.length;
  return found;
}

// ---- deciding ---------------------------------------------------------------------------------------------------------

function close() {
  $("editor").hidden = $("rejecter").hidden = true;
  $("decide").hidden = $("card").hidden = false;
}

async function decide(verdict, more = {}) {
  if (!detail) return;
  const seconds = Math.min(86400, (spentMs + (document.hidden ? 0 : performance.now() - shownSince)) / 1000);
  const seen = detail.decision ? detail.decision.decision_id : null;
  const { row_id } = detail.row;
  let made;
  try {
    made = await ask("/api/decide", { row_id, verdict, seen, seconds, ...more });
  } catch (fault) {
    if (fault.status === 409) await show(row_id); // what stands now is shown, and then the fault
    throw fault;
  }
  mine.push(made.decision.decision_id);
  showProgress(made.progress);
  close();
  document.activeElement.blur();
  await go(at + 1);
  say(`${SAID[verdict]} ${row_id}.`);
}

async function undo() {
  const taken = await ask("/api/undo", { decision_id: mine.pop() ?? null });
  showProgress(taken.progress);
  const found = queue.indexOf(taken.row_id);
  if (found < 0) queue.splice(at, 0, taken.row_id);
  await go(found < 0 ? at : found);
  say(`Taken back: ${SAID[taken.undone].toLowerCase()} ${taken.row_id}.`);
}

function edit() {
  if (!detail || busy) return;
  close();
  fillEditor($("editor"), detail.decision?.row || detail.row, () => frame);
  $("edit-cancel").addEventListener("click", close);
  $("editor").hidden = false;
  $("card").hidden = $("decide").hidden = true;
  $("edit-question-en").focus();
}

function reject() {
  if (!detail || busy) return;
  close();
  $("reason").value = "";
  $("rejecter").hidden = false;
  $("decide").hidden = true;
  $("reasons").firstElementChild.focus();
  $("rejecter").scrollIntoView({ block: "end" });
}

const keys = {
  a: () => once(() => decide("accept")), u: () => once(() => decide("unsure")), e: edit, r: reject, z: () => once(undo),
  n: () => once(() => go(at + 1)), p: () => once(() => go(at - 1)),
  arrowright: () => { stop(); turnTo(frame + 1); }, arrowleft: () => { stop(); turnTo(frame - 1); },
  home: () => { stop(); turnTo(0); }, end: () => { stop(); turnTo(Infinity); },
  " ": playOrPause,
  d: () => { layers.depth = !layers.depth; draw(); },
  m: () => { layers.mask = !layers.mask; draw(); },
  b: () => { layers.boxes = { named: "all", all: "none", none: "named" }[layers.boxes]; draw(); },
  "?": () => $("help").showModal(),
};

function pressed(event) {
  if ($("help").open) return;
  const typing = event.target.closest?.("textarea, select, input:not([type=range]):not([type=radio])");
  if (event.key === "Escape") {
    close();
    document.activeElement.blur();
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !$("editor").hidden) {
    $("editor").requestSubmit();
  } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    if (!$("rejecter").hidden && REASONS[event.key - 1]) return once(() => decide("reject", { reason: REASONS[event.key - 1] }));
    const onButton = event.key === " " && event.target.closest?.("button");
    const deciding = !$("editor").hidden || !$("rejecter").hidden;
    const action = keys[event.key.toLowerCase()];
    if (!action || onButton || (deciding && "aeruznp".includes(event.key.toLowerCase()))) return undefined;
    event.preventDefault();
    action();
  }
  return undefined;
}

// ---- beginning --------------------------------------------------------------------------------------------------------

function fillFilters() {
  const options = (name, kinds) => {
    const kept = $(name).value, found = [...new Set(kinds.map((kind) => kind[name]))];
    $(name).replaceChildren(el("option", { value: "" }, "any"), ...found.map((word) => el("option", { value: word }, word)));
    $(name).value = found.includes(kept) ? kept : "";
  };
  options("split", session.kinds);
  options("type", session.kinds);
  options("subtype", session.kinds.filter((kind) => !$("type").value || kind.type === $("type").value));
}

async function begin() {
  session = await ask("/api/session");
  $("annotator").textContent = session.annotator;
  $("data-name").textContent = `${session.data.version} · ${session.data.hash}`;
  fillFilters();
  $("reasons").replaceChildren(...REASONS.map((reason, i) => {
    const button = el("button", { type: "button" }, el("kbd", {}, String(i + 1)), ` ${reason}`);
    button.addEventListener("click", () => once(() => decide("reject", { reason })));
    return button;
  }));
  showProgress(await ask("/api/progress"));
  await loadQueue();
}

document.addEventListener("keydown", pressed);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) spentMs += performance.now() - shownSince; else shownSince = performance.now();
});
window.addEventListener("resize", draw);
for (const [id, key] of [["accept", "a"], ["edit", "e"], ["reject", "r"], ["unsure", "u"], ["undo", "z"], ["next", "n"],
  ["previous", "p"], ["play", " "], ["layer-depth", "d"], ["layer-mask", "m"], ["layer-boxes", "b"], ["help-open", "?"]]) {
  $(id).addEventListener("click", () => keys[key]());
}
$("help-close").addEventListener("click", () => $("help").close());
$("reject-cancel").addEventListener("click", close);
$("slider").addEventListener("input", () => { stop(); turnTo(Number($("slider").value)); });
$("editor").addEventListener("submit", (event) => {
  event.preventDefault();
  once(() => decide("edit", { edit: readEditor($("editor"), detail.decision?.row || detail.row) }));
});
$("rejecter").addEventListener("submit", (event) => {
  event.preventDefault();
  once(() => decide("reject", { reason: $("reason").value }));
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("change", () => {
  fillFilters();
  document.activeElement.blur();
  once(() => loadQueue());
});
$("canvas").addEventListener("pointermove", (event) => {
  clearTimeout(pointing);
  const where = place(event);
  pointing = setTimeout(() => pointAt(where).catch(() => undefined), 60);
});
$("canvas").addEventListener("pointerleave", () => {
  clearTimeout(pointing);
  if (points.length < 2) $("pointed").hidden = true;
});
$("canvas").addEventListener("click", async (event) => {
  stop();
  const where = place(event), found = await pointAt(where).catch(() => null);
  if (!found) return;
  points = [...points, { at: where, found }].slice(-2);
  draw();
  await pointAt(where).catch(() => undefined);
});

once(begin);
