// An answer, shown by its kind, the list of objects, and the form in which a row is edited. All words go in as text, never as markup.

import { drawCompass, swatch } from "./draw.js";

const DIRECTIONS = [
  "ahead", "ahead-left", "left", "behind-left", "behind", "behind-right", "right", "ahead-right", "up", "down", "still",
];
const UNITS = { m: "m", m2: "m²", "m/s": "m/s", s: "s", deg: "°", count: "" };

export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const number = (value, digits = 2) => String(Number(value.toFixed(digits)));

export function showAnswer(holder, answer, ink, accent) {
  holder.replaceChildren();
  if (answer.kind === "choice") {
    holder.append(el("ol", {}, ...answer.options.map((option, i) => {
      const line = el("li", {}, el("b", {}, "ABCDEFGH"[i]), el("span", { lang: "en" }, option.en));
      if (i === answer.index) {
        line.classList.add("right");
        line.append(el("span", { className: "mark" }, "✓ right"));
      }
      if (option.zh) line.append(el("small", { lang: "zh" }, option.zh));
      return line;
    })));
  } else if (answer.kind === "number") {
    const unit = answer.unit === "count" ? "counted" : UNITS[answer.unit];
    const margin = answer.tolerance ? `  ± ${number(answer.tolerance)}` : "";
    holder.append(el("div", { className: "big" }, number(answer.value), " ", el("small", {}, unit + margin)));
  } else if (answer.kind === "direction") {
    const canvas = el("canvas", { "aria-hidden": "true" });
    const side = answer.angle_deg < 0 ? "right" : "left";
    const angle = answer.angle_deg === null ? "" : `${number(Math.abs(answer.angle_deg), 0)}° to the ${side} of ahead`;
    holder.append(el("div", { className: "turn" }, canvas,
      el("div", {}, el("div", { className: "big" }, answer.value), el("small", { className: "quiet" }, angle))));
    drawCompass(canvas, answer.value, answer.angle_deg, ink, accent);
  } else if (answer.kind === "box") {
    const yaw = number((answer.yaw_rad * 180) / Math.PI, 1);
    const lines = [
      ["centre", `${answer.center_world.map((v) => number(v)).join(", ")} m`],
      ["size", `${answer.size_m.map((v) => number(v)).join(" × ")} m`],
      ["turned", `${yaw}°`],
      ["drawn", "green, dashed, in the picture and on the map"],
    ];
    holder.append(el("dl", {}, ...lines.flatMap(([name, words]) => [el("dt", {}, name), el("dd", {}, words)])));
  } else if (answer.kind === "yes_no") {
    holder.append(el("div", { className: "pills" }, ...[["yes", true], ["no", false]].map(([word, value]) =>
      el("span", { className: value === answer.value ? "right" : "" }, value === answer.value ? `✓ ${word}` : word))));
  } else {
    const also = answer.accept.length ? `also right: ${answer.accept.join("; ")}` : "any words that say the same";
    holder.append(el("span", { className: "quiet" }, also));
  }
}

// Those that the question names come first, in its order; then what is seen.
export function listObjects(holder, objects, named, numFrames) {
  const order = ({ id }) => (named.includes(id) ? named.indexOf(id) : named.length);
  const seenFirst = (a, b) => (b.seen_frames > 0) - (a.seen_frames > 0);
  const listed = [...objects].sort((a, b) => order(a) - order(b) || seenFirst(a, b) || a.id - b.id);
  holder.replaceChildren(...listed.map((found) => {
    const seen = found.seen_frames ? `${found.seen_frames}/${numFrames}` : "unseen";
    const line = el("li", { title: `${found.kind}, ${found.motion}; ${found.size_m.join(" × ")} m` },
      swatch(found.rgb), el("span", {}, found.name), el("small", {}, seen));
    line.classList.toggle("named", found.named);
    line.classList.toggle("unseen", !found.seen_frames);
    return line;
  }));
}

const labelled = (words, field) => el("label", {}, words, field);
const area = (id, value) => el("textarea", { id, value: value || "", rows: 2, maxLength: 2000 });
const numeric = (id, value, step = "any") => el("input", { id, type: "number", step, value: value ?? "" });

function answerFields(answer) {
  if (answer.kind === "choice") {
    return [el("span", { className: "quiet" }, "Options (the right one marked)"), ...answer.options.map((option, i) =>
      el("div", { className: "option" },
        el("input", { type: "radio", name: "right", value: String(i), checked: i === answer.index, ariaLabel: `Option ${i + 1} is right` }),
        el("input", { id: `option-en-${i}`, value: option.en, maxLength: 2000, ariaLabel: `Option ${i + 1}, English` }),
        el("input", { id: `option-zh-${i}`, value: option.zh || "", maxLength: 2000, ariaLabel: `Option ${i + 1}, Chinese` })))];
  }
  if (answer.kind === "number") {
    const shown = answer.unit === "count" ? "count" : UNITS[answer.unit];
    return [el("div", { className: "pair" }, labelled(`Value (${shown})`, numeric("value", answer.value)),
      labelled("Right within ±", numeric("tolerance", answer.tolerance)))];
  }
  if (answer.kind === "direction") {
    const words = el("select", { id: "value" }, ...DIRECTIONS.map((word) => el("option", { value: word }, word)));
    words.value = answer.value;
    return [el("div", { className: "pair" }, labelled("Direction", words),
      labelled("Angle, ° to the left (may be empty)", numeric("angle", answer.angle_deg)))];
  }
  if (answer.kind === "box") {
    const text = (values) => values.map((v) => number(v, 4)).join(", ");
    return [labelled("Centre x, y, z (m)", el("input", { id: "center", value: text(answer.center_world) })),
      el("div", { className: "pair" }, labelled("Size x, y, z (m)", el("input", { id: "size", value: text(answer.size_m) })),
        labelled("Turned (°)", numeric("yaw", number((answer.yaw_rad * 180) / Math.PI, 4))))];
  }
  if (answer.kind === "yes_no") {
    const words = el("select", { id: "value" }, el("option", { value: "yes" }, "yes"), el("option", { value: "no" }, "no"));
    words.value = answer.value ? "yes" : "no";
    return [labelled("Answer", words)];
  }
  return [labelled("Other words that count as right, one a line", area("accept", answer.accept.join("\n")))];
}

export function fillEditor(form, row, frameNow) {
  const evidence = el("input", { id: "evidence", value: row.evidence_frames.map((f) => f + 1).join(", "), inputMode: "numeric" });
  const toggle = el("button", { type: "button" }, "Put in or take out the frame shown");
  toggle.addEventListener("click", () => {
    const frames = new Set(numbers(evidence.value));
    if (!frames.delete(frameNow() + 1)) frames.add(frameNow() + 1);
    evidence.value = [...frames].sort((a, b) => a - b).join(", ");
  });
  form.replaceChildren(
    labelled("Question, English", area("edit-question-en", row.question.en)),
    labelled("Question, Chinese", area("edit-question-zh", row.question.zh)),
    ...answerFields(row.answer),
    labelled("Answer in words, English", area("edit-answer-en", row.answer_text.en)),
    labelled("Answer in words, Chinese", area("edit-answer-zh", row.answer_text.zh)),
    el("div", { className: "pair" }, labelled("Evidence frames (the first is 1)", evidence),
      labelled("Objects (ids, in order)", el("input", { id: "object-ids", value: row.object_ids.join(", ") }))),
    toggle,
    el("div", { className: "buttons" }, el("button", { type: "submit", className: "edit" }, "Save ", el("kbd", {}, "Ctrl Enter")),
      el("button", { type: "button", id: "edit-cancel" }, "Cancel ", el("kbd", {}, "Esc"))),
  );
}

// "1, 2 3" as numbers; what is not one stays NaN, which the server is told as null and refuses.
const numbers = (text) => text.split(/[\s,]+/).filter(Boolean).map(Number);

export function readEditor(form, row) {
  const value = (id) => form.querySelector(`#${id}`).value;
  const text = (id) => {
    const zh = value(`${id}-zh`).trim();
    return { en: value(`${id}-en`).trim(), ...(zh ? { zh } : {}) };
  };
  const optional = (id) => (value(id).trim() === "" ? null : Number(value(id)));
  const { answer } = row;
  const read = {
    choice: () => ({
      options: answer.options.map((_, i) => {
        const zh = value(`option-zh-${i}`).trim();
        return { en: value(`option-en-${i}`).trim(), ...(zh ? { zh } : {}) };
      }),
      index: Number(form.querySelector("input[name=right]:checked").value),
    }),
    number: () => ({ value: optional("value"), unit: answer.unit, tolerance: optional("tolerance") }),
    direction: () => ({ value: value("value"), angle_deg: optional("angle") }),
    box: () => ({ center_world: numbers(value("center")), size_m: numbers(value("size")), yaw_rad: radians(optional("yaw"), answer) }),
    yes_no: () => ({ value: value("value") === "yes" }),
    text: () => ({ accept: value("accept").split("\n").map((line) => line.trim()).filter(Boolean) }),
  }[answer.kind]();
  return {
    question: text("edit-question"), answer: { kind: answer.kind, ...read }, answer_text: text("edit-answer"),
    object_ids: numbers(value("object-ids")), evidence_frames: numbers(value("evidence")).map((f) => f - 1),
  };
}

// An angle that was not touched keeps its digits; others lie within half a turn.
function radians(degrees, answer) {
  if (degrees === null || Math.abs((answer.yaw_rad * 180) / Math.PI - degrees) < 1e-4) return answer.yaw_rad;
  const turns = (degrees * Math.PI) / 180;
  return Math.atan2(Math.sin(turns), Math.cos(turns));
}
