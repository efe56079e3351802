"use strict";
const test = JSON.parse(document.getElementById("test").textContent);
const at = (id) => document.getElementById(id);
const images = new Map(test.images.map((one) => [one.n, one.uri]));
const home = `rsprep/blind/${test.test}`;
let rater = "", order = [], scores = {}, place = 0;

// Some browsers keep nothing for files: then the scores live as long as the page does.
const kept = (() => {
  const memory = new Map();
  try {
    localStorage.setItem(home + "/probe", "1");
    localStorage.removeItem(home + "/probe");
    return { get: (key) => localStorage.getItem(key), set: (key, text) => localStorage.setItem(key, text) };
  } catch (error) {
    at("unsaved").hidden = false;
    return { get: (key) => memory.get(key) ?? null, set: (key, text) => memory.set(key, text) };
  }
})();

// Each rater meets the images in an order that follows from test and name: none is always seen first.
function shuffled(name) {
  let state = 2166136261;
  for (const letter of `${test.test}/${name}`) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const found = [...images.keys()];
  for (let i = found.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [found[i], found[j]] = [found[j], found[i]];
  }
  return found;
}

function stored(name) {
  let found = {};
  try { found = JSON.parse(kept.get(`${home}/scores/${name}`)) ?? {}; } catch (error) { /* begin anew */ }
  return Object.fromEntries(Object.entries(found).filter(([n, score]) => images.has(n) && allowed(score)));
}

const allowed = (score) => Number.isInteger(score) && score >= test.low && score <= test.high;
const done = (some) => Object.keys(some).length;

function show(id) {
  for (const one of ["start", "rate", "end"]) at(one).hidden = one !== id;
}

function begin(name) {
  rater = name;
  order = shuffled(name);
  scores = stored(name);
  kept.set(`${home}/last`, name);
  const open = order.findIndex((n) => !(n in scores));
  if (open < 0) finish(); else look(open);
}

function look(where) {
  place = where;
  const score = scores[order[place]];
  show("rate");
  at("place").textContent = `Image ${place + 1} of ${order.length}`;
  at("bar").firstElementChild.style.width = `${(100 * done(scores)) / order.length}%`;
  at("image").src = images.get(order[place]);
  at("number").value = score ?? "";
  at("back").disabled = place === 0;
  slide(score);
  at("number").focus();
  at("number").select();
}

function slide(score) {
  at("slider").classList.toggle("unset", score === undefined);
  at("slider").value = score ?? (test.low + test.high) / 2;
}

// Empty, or a number that can be kept; typing one keeps it at once.
function typed() {
  const text = at("number").value;
  const score = Number(text);
  if (text === "" || !allowed(score)) return undefined;
  scores[order[place]] = score;
  kept.set(`${home}/scores/${rater}`, JSON.stringify(scores));
  return score;
}

function put(score) {
  at("number").value = Math.min(test.high, Math.max(test.low, Math.round(score)));
  slide(typed());
}

function next() {
  if (typed() === undefined) { at("number").reportValidity(); return; }
  const open = order.findIndex((n, where) => where > place && !(n in scores));
  const any = order.findIndex((n) => !(n in scores));
  if (any < 0 && place + 1 >= order.length) finish();
  else if (place + 1 < order.length) look(place + 1);
  else look(open < 0 ? any : open);
}

function finish() {
  show("end");
  at("outcome").textContent = done(scores) === order.length
    ? `All ${order.length} images have a score`
    : `${done(scores)} of ${order.length} images have a score`;
  at("text").value = csv();
}

const rows = () => order.map((n, where) => ({ position: where + 1, image: n, score: scores[n] })).filter((row) => row.score !== undefined);
const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const csv = () => ["test,rater,position,image,score", ...rows().map((row) => [test.test, quoted(rater), row.position, row.image, row.score].join(","))].join("\n") + "\n";
const json = () => JSON.stringify({ format: 1, test: test.test, rater, scores: rows() }, null, 1) + "\n";

function save(text, ending, kind) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = `scores-${test.test}-${rater.replace(/[^\p{L}\p{N}]+/gu, "-")}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

at("begin").addEventListener("submit", (event) => { event.preventDefault(); const name = at("rater").value.trim(); if (name) begin(name); });
at("score").addEventListener("submit", (event) => { event.preventDefault(); next(); });
at("number").addEventListener("input", () => slide(typed()));
at("slider").addEventListener("input", () => { put(Number(at("slider").value)); at("number").focus(); });
at("back").addEventListener("click", () => { if (place > 0) look(place - 1); });
at("stop").addEventListener("click", finish);
at("again").addEventListener("click", () => { const open = order.findIndex((n) => !(n in scores)); look(open < 0 ? order.length - 1 : open); });
at("csv").addEventListener("click", () => save(csv(), "csv", "text/csv"));
at("json").addEventListener("click", () => save(json(), "json", "application/json"));
at("number").addEventListener("keydown", (event) => {
  const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (step) { event.preventDefault(); put((typed() ?? (test.low + test.high - 1) / 2) + step * (event.shiftKey ? 10 : 1)); }
  else if (event.key === "PageUp" && place > 0) { event.preventDefault(); look(place - 1); }
  else if (event.key === "PageDown") { event.preventDefault(); next(); }
});
function told() {
  const name = at("rater").value.trim();
  const count = name ? done(stored(name)) : 0;
  at("go").textContent = count ? "Go on" : "Begin";
  at("resume").textContent = count ? `${count} of ${images.size} images have a score by this name already.` : "";
}
at("rater").addEventListener("input", told);
at("rater").value = kept.get(`${home}/last`) ?? "";
told();
