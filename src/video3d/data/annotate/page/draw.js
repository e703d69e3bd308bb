// Everything that is drawn: the frame with its layers and boxes, the map from above, the compass, the depth legend.
// Pixels have their centres at +0.5, so a box's pixel coordinates times the scale are canvas coordinates.

const ANSWER = "#4ade80";
const OTHER = "rgba(255, 255, 255, .45)";

// An object has one colour in its mask, its box, the list and the map. colors: of every object by its id.
function colorOf({ role, id }, colors) {
  return role === "answer" ? ANSWER : `rgb(${(colors.get(id) || [200, 200, 200]).join(",")})`;
}

// Sizes a canvas to its place on the screen and returns its context, in CSS pixels.
function prepared(canvas, width, height) {
  const dense = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  return pen;
}

export function frameScale(stage, sizeHw) {
  return Math.max(0.1, Math.min(stage.clientWidth / sizeHw[1], stage.clientHeight / sizeHw[0]));
}

// picture, mask: loaded images or null. boxes: those of the frame. points: [{x, y}] in pixels, marked and joined.
export function drawFrame(canvas, stage, { sizeHw, picture, mask, boxes, show, colors, points }) {
  const scale = frameScale(stage, sizeHw);
  const pen = prepared(canvas, Math.floor(sizeHw[1] * scale), Math.floor(sizeHw[0] * scale));
  if (picture) pen.drawImage(picture, 0, 0, sizeHw[1] * scale, sizeHw[0] * scale);
  if (mask) {
    pen.imageSmoothingEnabled = false;
    pen.drawImage(mask, 0, 0, sizeHw[1] * scale, sizeHw[0] * scale);
  }
  const drawn = boxes.filter((box) => show === "all" || (show === "named" && box.role !== "other"));
  drawn.sort((a, b) => (a.role === "other" ? 0 : 1) - (b.role === "other" ? 0 : 1));
  const labels = [];
  for (const box of drawn) drawBox(pen, box, scale, colors, labels);
  const taken = [];
  for (const label of labels.reverse()) drawLabel(pen, label, canvas, taken);
  drawPoints(pen, points, scale);
}

function drawBox(pen, box, scale, colors, labels) {
  const color = colorOf(box, colors), small = box.role === "other";
  const path = new Path2D();
  let top = [Infinity, Infinity];
  for (const [x0, y0, x1, y1] of box.segments) {
    path.moveTo(x0 * scale, y0 * scale);
    path.lineTo(x1 * scale, y1 * scale);
    for (const [x, y] of [[x0, y0], [x1, y1]]) if (y < top[1]) top = [x, y];
  }
  pen.setLineDash(box.role === "answer" ? [7, 4] : []);
  if (!small) {
    pen.strokeStyle = box.role === "answer" ? "rgba(0, 0, 0, .6)" : "rgba(255, 255, 255, .9)";
    pen.lineWidth = 4.5;
    pen.stroke(path);
  }
  pen.strokeStyle = small ? OTHER : color;
  pen.lineWidth = small ? 1 : 2.5;
  pen.stroke(path);
  pen.setLineDash([]);
  labels.push({ text: box.name, x: top[0] * scale, y: top[1] * scale, color, small });
}

function drawLabel(pen, { text, x, y, color, small }, canvas, taken) {
  pen.font = `${small ? 11 : 13}px system-ui, sans-serif`;
  const width = pen.measureText(text).width + 14, height = small ? 15 : 19;
  const right = parseFloat(canvas.style.width) - width - 2, bottom = parseFloat(canvas.style.height) - height - 2;
  const left = Math.min(Math.max(2, x - width / 2), right);
  let top = Math.min(Math.max(2, y - height - 3), bottom);
  // A name that would lie on another moves below it.
  for (const [l, t, w, h] of taken.sort((a, b) => a[1] - b[1])) {
    if (left < l + w && l < left + width && top < t + h && t < top + height) top = t + h + 1;
  }
  taken.push([left, top, width, height]);
  pen.fillStyle = "rgba(15, 16, 19, .78)";
  pen.fillRect(left, top, width, height);
  pen.fillStyle = color;
  pen.fillRect(left, top, 4, height);
  pen.fillStyle = small ? "rgba(255, 255, 255, .8)" : "#fff";
  pen.textBaseline = "middle";
  pen.fillText(text, left + 9, top + height / 2 + 0.5);
}

function drawPoints(pen, points, scale) {
  pen.strokeStyle = "#fff";
  pen.lineWidth = 1.5;
  if (points.length === 2) {
    pen.beginPath();
    pen.moveTo(points[0].x * scale, points[0].y * scale);
    pen.lineTo(points[1].x * scale, points[1].y * scale);
    pen.stroke();
  }
  for (const { x, y } of points) {
    pen.beginPath();
    pen.arc(x * scale, y * scale, 5, 0, 2 * Math.PI);
    pen.stroke();
  }
}

// The map: metres, +y up. Static things have one outline, moving ones one a frame.
export function drawMap(canvas, map, frame, colors, ink) {
  const size = canvas.clientWidth;
  if (!size) return 0;
  const pen = prepared(canvas, size, size);
  canvas.style.width = canvas.style.height = "";
  const outlines = map.things.map((thing) => ({
    ...thing, outline: thing.outlines[Math.min(frame, thing.outlines.length - 1)],
  }));
  const way = map.camera.filter(Boolean);
  const wanted = [...way.map(([x, y]) => [x, y]), ...(map.room ? map.room.floor : [])];
  for (const thing of outlines) {
    const near = map.room || thing.role !== "other" || !way.length
      || thing.outline.some(([x, y]) => Math.hypot(x - way[0][0], y - way[0][1]) < 30);
    if (near) wanted.push(...thing.outline);
  }
  if (!wanted.length) return 0;
  const xs = wanted.map((p) => p[0]), ys = wanted.map((p) => p[1]);
  const low = [Math.min(...xs), Math.min(...ys)], high = [Math.max(...xs), Math.max(...ys)];
  const scale = (size - 28) / Math.max(high[0] - low[0], high[1] - low[1], 0.5);
  const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
  const at = ([x, y]) => [size / 2 + (x - middle[0]) * scale, size / 2 - (y - middle[1]) * scale];
  const trace = (points) => {
    pen.beginPath();
    points.forEach((p, i) => (i ? pen.lineTo(...at(p)) : pen.moveTo(...at(p))));
    pen.closePath();
  };
  if (map.room) {
    trace(map.room.floor);
    pen.strokeStyle = ink;
    pen.lineWidth = 2;
    pen.stroke();
  }
  // What is small lies on what is large.
  outlines.sort((a, b) => spread(b.outline) - spread(a.outline));
  for (const thing of outlines) {
    if (!thing.outline.length) continue;
    trace(thing.outline);
    const special = thing.role !== "other";
    pen.globalAlpha = special ? 0.85 : 0.2;
    pen.fillStyle = special ? colorOf(thing, colors) : ink;
    pen.fill();
    pen.globalAlpha = special ? 1 : 0.55;
    pen.setLineDash(thing.role === "answer" ? [4, 3] : []);
    pen.strokeStyle = ink;
    pen.lineWidth = special ? 1.5 : 0.8;
    pen.stroke();
    pen.setLineDash([]);
  }
  pen.globalAlpha = 1;
  drawWay(pen, map.camera, frame, at, ink);
  return scale;
}

function spread(outline) {
  const [xs, ys] = [outline.map((p) => p[0]), outline.map((p) => p[1])];
  return outline.length ? (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys)) : 0;
}

function drawWay(pen, camera, frame, at, ink) {
  pen.strokeStyle = ink;
  pen.lineWidth = 1.5;
  pen.beginPath();
  let begun = false;
  for (const pose of camera) {
    if (!pose) { begun = false; continue; }
    if (begun) pen.lineTo(...at(pose)); else pen.moveTo(...at(pose));
    begun = true;
  }
  pen.stroke();
  const pose = camera[frame];
  if (!pose) return;
  const [x, y] = at(pose), heading = Math.atan2(-pose[3], pose[2]);
  pen.beginPath();
  pen.moveTo(x, y);
  pen.arc(x, y, 26, heading - 0.55, heading + 0.55);
  pen.closePath();
  pen.fillStyle = "rgba(43, 95, 158, .35)";
  pen.fill();
  pen.beginPath();
  pen.arc(x, y, 4.5, 0, 2 * Math.PI);
  pen.fillStyle = "#2b5f9e";
  pen.fill();
}

const WORD_ANGLES = {
  ahead: 0, "ahead-left": 45, left: 90, "behind-left": 135, behind: 180, "behind-right": -135, right: -90, "ahead-right": -45,
};

// An arrow from above: up is ahead, the angle counts to the left.
export function drawCompass(canvas, word, angleDeg, ink, accent) {
  const pen = prepared(canvas, 76, 76);
  pen.strokeStyle = ink;
  pen.globalAlpha = 0.35;
  pen.beginPath();
  pen.arc(38, 38, 34, 0, 2 * Math.PI);
  pen.moveTo(38, 4);
  pen.lineTo(38, 12);
  pen.stroke();
  pen.globalAlpha = 1;
  pen.fillStyle = pen.strokeStyle = accent;
  const angle = angleDeg ?? WORD_ANGLES[word];
  if (angle === undefined) {
    pen.font = "600 26px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText({ up: "↑", down: "↓", still: "•" }[word] || "?", 38, 39);
    return;
  }
  pen.translate(38, 38);
  pen.rotate((-angle * Math.PI) / 180);
  pen.lineWidth = 3;
  pen.beginPath();
  pen.moveTo(0, 18);
  pen.lineTo(0, -14);
  pen.stroke();
  pen.beginPath();
  pen.moveTo(0, -28);
  pen.lineTo(9, -11);
  pen.lineTo(-9, -11);
  pen.fill();
}

export function drawLegend(holder, legend) {
  const canvas = document.createElement("canvas");
  const pen = prepared(canvas, 120, 9);
  const shade = pen.createLinearGradient(0, 0, 120, 0);
  legend.forEach(({ rgb }, i) => shade.addColorStop(i / (legend.length - 1), `rgb(${rgb.join(",")})`));
  pen.fillStyle = shade;
  pen.fillRect(0, 0, 120, 9);
  holder.replaceChildren(canvas);
}

export function swatch(rgb) {
  const canvas = document.createElement("canvas");
  const pen = prepared(canvas, 10, 10);
  pen.fillStyle = `rgb(${rgb.join(",")})`;
  pen.fillRect(0, 0, 10, 10);
  return canvas;
}
