// The page's behaviour. All text of the data goes through textContent, never through innerHTML.
(function () {
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const NUMBER = new Intl.NumberFormat("en-US");
const NONE = 0, KEEP = 1, DROP = 2;
const MARKS = ["", "keep", "drop"];
const n = data.names.length;

function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

const quality = unpack(data.quality);
const scores = data.issues.map((issue) => unpack(issue.scores));
const thresholds = data.issues.map((issue) => issue.threshold);
const searchable = data.names.map((name) => (data.prefix + name).toLowerCase());

// ------------------------------------------------------------------ flags and decisions

const flags = data.issues.map(() => new Uint8Array(n));
const found = new Uint8Array(n); // how many issues each image has
const flaws = new Uint8Array(n); // those among them for which it is dropped
const marks = new Uint8Array(n);
const decisions = new Uint8Array(n);
for (const row of data.unscored) { found[row] += 1; flaws[row] += 1; }
data.issues.forEach((_, issue) => flag(issue));

function flag(issue) {
  const own = scores[issue], was = flags[issue], limit = thresholds[issue];
  const drops = data.issues[issue].drops ? 1 : 0;
  for (let row = 0; row < n; row++) {
    const is = own[row] < limit ? 1 : 0; // false for NaN
    if (is !== was[row]) {
      found[row] += is - was[row];
      flaws[row] += drops * (is - was[row]);
      was[row] = is;
    }
  }
}

function decide() {
  for (let row = 0; row < n; row++) {
    decisions[row] = marks[row] || (flaws[row] ? DROP : KEEP);
  }
  for (const group of data.groups) {
    const stay = staying(group);
    for (const row of group.rows) {
      if (!marks[row] && !stay.includes(row)) decisions[row] = DROP;
    }
  }
}

// Of a group of duplicates: the copies that the user keeps, else the plan's, else the best.
function staying(group) {
  const chosen = group.rows.filter((row) => marks[row] === KEEP);
  if (chosen.length) return chosen;
  const able = group.rows.filter((row) => decisions[row] === KEEP);
  if (able.includes(group.kept)) return [group.kept];
  return able.sort((one, other) => quality[other] - quality[one]).slice(0, 1);
}

// How many of the images that the page does not hold lie below a threshold.
function countRest(issue) {
  const rest = data.issues[issue].rest, limit = thresholds[issue];
  if (!rest || limit <= rest.low) return { count: 0, exact: true };
  if (limit > rest.high) return { count: rest.total, exact: true };
  const place = (limit - rest.low) / (rest.high - rest.low) * (rest.below.length - 1);
  const left = Math.floor(place), right = Math.min(left + 1, rest.below.length - 1);
  const count = rest.below[left] + (place - left) * (rest.below[right] - rest.below[left]);
  return { count: Math.round(count), exact: false };
}

const total = (array, test) => array.reduce((sum, value) => sum + (test(value) ? 1 : 0), 0);
const moved = () => thresholds.some((limit, issue) => limit !== data.issues[issue].threshold);
const approximately = (count, exact) => (exact ? "" : "≈ ") + NUMBER.format(count);

// ------------------------------------------------------------------ small parts

function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name in made) made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const title = (issue) => data.issues[issue].name.replaceAll("_", " ");
// What would break lines or turn text round is shown as an escape: "photo\u202egpj.exe" is no "photoexe.jpg".
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const literally = (text) => text.replace(UNSEEN, (character) => "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0"));
const fullName = (row) => data.named ? data.prefix + data.names[row] : data.names[row];
const shownName = (row) => data.named ? data.names[row] : "image " + data.names[row];
// Not at the backslash of an escape, which stands for a byte that is no text.
const fileName = (row) => shownName(row).split(/\/|\\(?!ud[89a-f][0-9a-f]{2})/).pop();
const folderName = (row) => shownName(row).slice(0, -fileName(row).length);
const issuesOf = (row) => data.issues.map((_, issue) => issue).filter((issue) => flags[issue][row]);
const digits = (score, many = 3) => Number.isFinite(score) ? Number(score.toPrecision(many)).toString() : "–";

class Pager {
  constructor(name, perPage, draw) {
    Object.assign(this, { name, perPage, draw, page: 0, count: 0 });
    this.places = document.querySelectorAll(`[data-pager="${name}"]`);
  }
  get pages() { return Math.max(1, Math.ceil(this.count / this.perPage)); }
  get range() { return [this.page * this.perPage, Math.min(this.count, (this.page + 1) * this.perPage)]; }
  resize(count) { this.count = count; this.go(this.page); }
  go(page) {
    this.page = Math.min(Math.max(page, 0), this.pages - 1);
    this.draw();
    for (const place of this.places) this.fill(place);
  }
  fill(place) {
    if (this.pages === 1) { place.replaceChildren(); return; }
    if (!place.firstChild) {
      const button = (text, label, step) => element("button", {
        type: "button", textContent: text, ariaLabel: label, onclick: () => this.go(this.page + step),
      });
      const input = element("input", { type: "number", min: 1, ariaLabel: "Page" });
      input.addEventListener("change", () => this.go(Number(input.value) - 1 || 0));
      place.append(button("‹", "Previous page", -1), "page ", input, element("span"), button("›", "Next page", 1));
    }
    const [back, forward] = place.querySelectorAll("button");
    back.disabled = this.page === 0;
    forward.disabled = this.page === this.pages - 1;
    const input = place.querySelector("input");
    input.value = this.page + 1;
    input.max = this.pages;
    place.querySelector("span").textContent = "of " + NUMBER.format(this.pages);
  }
}

// ------------------------------------------------------------------ tiles

function picture(row) {
  const text = data.thumbnails[row];
  if (!text) return element("span", { textContent: data.reasons[row] ? "cannot be read" : "no thumbnail" });
  const image = element("img", { alt: "", decoding: "async", src: "data:image/jpeg;base64," + text });
  image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < 96 && image.naturalHeight < 96));
  return image;
}

function makeTile(row, link) {
  const button = (mark) => element("button", {
    type: "button", tabIndex: -1, className: MARKS[mark], textContent: mark === KEEP ? "✓ keep" : "✕ drop",
    onclick: () => toggle(row, mark),
  });
  const tile = element("div", { className: "tile", tabIndex: -1, role: "group" },
    element("div", { className: "picture", onclick: () => focusTile(tile) }, picture(row)),
    element("span", { className: "badge" }),
    element("div", { className: "name", title: fullName(row), textContent: literally(fileName(row)) }),
    element("div", { className: "name folder", textContent: literally(folderName(row)) }),
    element("div", { className: "why" }),
    element("div", { className: "marks" }, button(KEEP), button(DROP)));
  tile.dataset.row = row;
  tile.dataset.link = link || "";
  refreshTile(tile);
  return tile;
}

const MOST_TOLD = 3; // issues on a tile; all are in its label and in the list

function refreshTile(tile) {
  const row = Number(tile.dataset.row), decision = decisions[row];
  const inGroup = tile.closest("#groups") !== null || tile.dataset.link !== "";
  tile.classList.toggle("drop", decision === DROP);
  tile.classList.toggle("keep", decision === KEEP);
  tile.classList.toggle("kept", decision === KEEP && (inGroup || marks[row] === KEEP));
  const badge = tile.querySelector(".badge");
  badge.textContent = decision === DROP ? "✕ drop" : inGroup || marks[row] ? "✓ keep" : "";
  badge.hidden = badge.textContent === "";
  const why = tile.querySelector(".why");
  why.replaceChildren();
  if (tile.dataset.link) why.append(literally(tile.dataset.link), element("br"));
  const chosen = filters.issue;
  if (chosen >= 0 && !flags[chosen][row]) why.append(`${title(chosen)} ${digits(scores[chosen][row], 2)}`, element("br"));
  const told = issuesOf(row).filter((issue) => !data.issues[issue].duplicates || !tile.dataset.link);
  told.sort((one, other) => (other === chosen) - (one === chosen) || one - other);
  for (const issue of told.slice(0, MOST_TOLD)) {
    const score = data.reasons[row] || !data.issues[issue].slider ? "" : " " + digits(scores[issue][row], 2);
    why.append(element("b", { textContent: title(issue) }), score, element("br"));
  }
  if (told.length > MOST_TOLD) why.append(`and ${told.length - MOST_TOLD} more`, element("br"));
  if (data.reasons[row]) why.append(literally(data.reasons[row]), element("br"));
  if (data.codes.length && data.codes[row] >= 0) why.append("class " + literally(data.classes[data.codes[row]]));
  tile.querySelectorAll(".marks button").forEach((button, which) => {
    button.ariaPressed = String(marks[row] === which + 1);
    button.ariaLabel = `${which ? "Drop" : "Keep"} ${literally(shownName(row))}`;
  });
  const names = issuesOf(row).map(title).join(", ") || "no issue";
  tile.ariaLabel = `${literally(shownName(row))}: ${names}; ${MARKS[decision]}${marks[row] ? ", marked by you" : ""}`;
}

function refreshTiles() {
  document.querySelectorAll(".tile").forEach(refreshTile);
}

// ------------------------------------------------------------------ gallery

const filters = { issue: -1, class: -1, decision: "", sort: "worst", text: "" };
let visible = [];
const gallery = new Pager("gallery", 48, drawGallery);

function matches(row) {
  if (filters.issue >= 0 ? !flags[filters.issue][row] : filters.issue === -1 && !found[row]) return false;
  if (filters.class >= 0 && data.codes[row] !== filters.class) return false;
  if (filters.decision === "marked" && !marks[row]) return false;
  if (filters.decision === "unmarked" && marks[row]) return false;
  if (filters.decision === "drop" && decisions[row] !== DROP) return false;
  if (filters.decision === "keep" && decisions[row] !== KEEP) return false;
  return filters.text === "" || searchable[row].includes(filters.text);
}

function findVisible() {
  visible = [];
  for (let row = 0; row < n; row++) if (matches(row)) visible.push(row);
  if (filters.sort !== "name") {
    const own = filters.issue >= 0 ? scores[filters.issue] : quality;
    const sign = filters.sort === "best" ? -1 : 1;
    const key = (row) => Number.isNaN(own[row]) ? 2 : own[row];
    visible.sort((one, other) => sign * (key(one) - key(other)) || one - other);
  } else {
    visible.sort((one, other) => searchable[one] < searchable[other] ? -1 : searchable[one] > searchable[other] ? 1 : one - other);
  }
  gallery.resize(visible.length);
}

function drawGallery() {
  const [first, last] = gallery.range;
  const tiles = visible.slice(first, last).map((row) => makeTile(row));
  if (!tiles.length) tiles.push(element("p", { className: "empty", textContent: "No image matches." }));
  byId("tiles").replaceChildren(...tiles);
  rove(byId("tiles"));
  byId("shown").textContent = visible.length
    ? `${NUMBER.format(first + 1)}–${NUMBER.format(last)} of ${NUMBER.format(visible.length)} images`
    : "0 images";
}

// ------------------------------------------------------------------ duplicates, unreadable

const MEMBERS = 24;
const groups = new Pager("groups", 10, drawGroups);
const broken = Object.keys(data.reasons).map(Number);
const unreadable = new Pager("unreadable", 50, drawUnreadable);

function drawGroups() {
  const [first, last] = groups.range;
  byId("groups").replaceChildren(...data.groups.slice(first, last).map((group, at) => {
    const tiles = element("div", { className: "tiles" });
    const text = `Group ${NUMBER.format(first + at + 1)}: ${NUMBER.format(group.size)} images`;
    const box = element("div", { className: "group", role: "group", ariaLabel: text },
      element("strong", { textContent: text }), tiles);
    const more = element("button", { type: "button", onclick: extend });
    // The kept copy first: the eye compares the others with it.
    const order = group.rows.map((_, member) => member)
      .sort((one, other) => (group.rows[other] === group.kept) - (group.rows[one] === group.kept) || one - other);
    let drawn = 0;
    function extend() {
      const next = order.slice(drawn, drawn + MEMBERS);
      tiles.append(...next.map((member) => makeTile(group.rows[member], group.links[member] || "duplicate")));
      drawn += next.length;
      more.hidden = drawn >= order.length;
      more.textContent = `Show more of the other ${NUMBER.format(order.length - drawn)}`;
      rove(tiles);
    }
    box.append(more);
    if (group.size > group.rows.length) {
      box.append(element("p", { className: "hint", textContent: `${group.size - group.rows.length} members are left out of this page.` }));
    }
    extend();
    return box;
  }));
}

function drawUnreadable() {
  const [first, last] = unreadable.range;
  byId("unreadable-rows").replaceChildren(...broken.slice(first, last).map((row) => element("tr", {},
    element("td", {}, element("bdi", { textContent: literally(fullName(row)) })),
    element("td", { textContent: literally(data.reasons[row]) }))));
}

// ------------------------------------------------------------------ issues and numbers

function drawIssue(card) {
  const issue = Number(card.dataset.issue), limit = thresholds[issue], facts = data.issues[issue];
  const rest = countRest(issue);
  const count = total(flags[issue], Boolean) + rest.count;
  card.querySelector(".images").textContent = approximately(count, rest.exact);
  card.querySelector(".share").textContent = (100 * count / data.images).toFixed(2) + " %";
  card.classList.toggle("none", count === 0);
  card.classList.toggle("selected", filters.issue === issue);
  if (!card.querySelector(".slider")) return;
  const svg = card.querySelector(".plot > svg"), box = svg.viewBox.baseVal;
  const share = Math.min(Math.max((limit - facts.low) / (facts.high - facts.low), 0), 1);
  card.querySelector(".below").setAttribute("width", share * box.width);
  card.querySelector(".cut").setAttribute("d", `M${share * box.width} 0V${box.height}`);
  card.querySelector(".reset").hidden = limit === facts.threshold;
}

function drawNumbers() {
  const exact = !moved() || data.images === n;
  byId("number-flagged").textContent = approximately(total(found, Boolean) + data.restFlagged, exact);
  byId("number-drop").textContent = approximately(total(decisions, (one) => one === DROP) + data.restDrop, exact);
  const kept = total(marks, (one) => one === KEEP), dropped = total(marks, (one) => one === DROP);
  byId("marked").textContent = `You marked ${NUMBER.format(kept)} to keep, ${NUMBER.format(dropped)} to drop`;
  byId("clear").disabled = !(kept || dropped);
}

function setThreshold(card, limit, from) {
  if (!Number.isFinite(limit)) return;
  const issue = Number(card.dataset.issue);
  thresholds[issue] = limit;
  if (from !== "slider") card.querySelector(".slider").value = limit;
  if (from !== "exact") card.querySelector(".exact").value = Number(limit.toPrecision(4));
  card.querySelector(".slider").ariaValueText = Number(limit.toPrecision(4)).toString();
  flag(issue);
  decide();
  drawIssue(card);
  drawNumbers();
  findVisible();
  document.querySelectorAll("#groups .tile").forEach(refreshTile);
}

// A slider sends more events than can be drawn.
function oncePerFrame(action) {
  let waiting = null;
  return (...values) => {
    if (waiting === null) requestAnimationFrame(() => { const last = waiting; waiting = null; action(...last); });
    waiting = values;
  };
}

const cards = [...document.querySelectorAll(".card")];
for (const card of cards) {
  const issue = Number(card.dataset.issue);
  card.querySelector(".show").addEventListener("click", () => {
    select(issue);
    byId("gallery").scrollIntoView();
    byId("tiles").querySelector(".tile")?.focus({ preventScroll: true });
  });
  const slider = card.querySelector(".slider");
  if (!slider) continue;
  const exact = card.querySelector(".exact");
  const slide = oncePerFrame((limit) => setThreshold(card, limit, "slider"));
  slider.addEventListener("input", () => slide(slider.valueAsNumber));
  exact.addEventListener("input", () => setThreshold(card, exact.valueAsNumber, "exact"));
  card.querySelector(".reset").addEventListener("click", () => {
    setThreshold(card, data.issues[issue].threshold, "reset");
    slider.focus();
  });
}

function select(issue) {
  filters.issue = issue;
  byId("filter-issue").value = issue;
  gallery.page = 0;
  findVisible();
  for (const card of cards) card.classList.toggle("selected", Number(card.dataset.issue) === issue);
}

// ------------------------------------------------------------------ marks

const KEY = "imagequality-marks-" + data.id;

function toggle(row, mark) {
  setMarks([row], marks[row] === mark ? NONE : mark);
}

function setMarks(rows, mark) {
  for (const row of rows) marks[row] = mark;
  marksChanged();
}

function marksChanged() {
  decide();
  refreshTiles();
  drawNumbers();
  store(KEY, JSON.stringify(Array.from(marks).flatMap((mark, row) => mark ? [[row, mark]] : [])));
}

function store(key, text) {
  try { localStorage.setItem(key, text); } catch { /* a page may be forbidden to store anything */ }
}

function stored(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

try {
  for (const [row, mark] of JSON.parse(stored(KEY) || "[]")) if (row < n) marks[row] = mark;
} catch { /* written by another page: no marks then */ }

byId("clear").addEventListener("click", () => { marks.fill(NONE); marksChanged(); });
for (const button of document.querySelectorAll("[data-mark-page]")) {
  button.addEventListener("click", () => {
    const [first, last] = gallery.range;
    setMarks(visible.slice(first, last), MARKS.indexOf(button.dataset.markPage));
  });
}

// ------------------------------------------------------------------ keyboard

// One tile of each set can be reached by Tab, the others by arrow keys.
function rove(tiles) {
  const all = [...tiles.querySelectorAll(".tile")];
  if (all.length && !all.some((tile) => tile.tabIndex === 0)) all[0].tabIndex = 0;
}

function focusTile(tile) {
  for (const other of tile.parentElement.children) other.tabIndex = -1;
  tile.tabIndex = 0;
  tile.focus();
}

function columnsOf(tiles) {
  const top = tiles[0].offsetTop;
  const next = tiles.findIndex((tile) => tile.offsetTop !== top);
  return next < 0 ? tiles.length : next;
}

function turnPage(step) {
  gallery.go(gallery.page + step);
  const first = byId("tiles").querySelector(".tile");
  if (first) focusTile(first);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "/") {
    event.preventDefault();
    byId("search").focus();
    return;
  }
  const tile = event.target.closest(".tile");
  if (!tile) return;
  const row = Number(tile.dataset.row), siblings = [...tile.parentElement.querySelectorAll(".tile")];
  const at = siblings.indexOf(tile), columns = columnsOf(siblings);
  const goals = {
    ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns,
    Home: 0, End: siblings.length - 1,
  };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in goals) {
    if (siblings[goals[key]]) focusTile(siblings[goals[key]]);
  } else if (key === "k") toggle(row, KEEP);
  else if (key === "d") toggle(row, DROP);
  else if (key === "u") setMarks([row], NONE);
  else if (key === "PageDown" && tile.closest("#gallery")) turnPage(1);
  else if (key === "PageUp" && tile.closest("#gallery")) turnPage(-1);
  else return;
  event.preventDefault();
});

// ------------------------------------------------------------------ filters

data.issues.forEach((issue, number) => byId("filter-issue").append(element("option", { value: number, textContent: title(number) })));
data.classes.forEach((name, number) => byId("filter-class").append(element("option", { value: number, textContent: literally(name) })));
byId("for-class").hidden = !data.classes.length;

function filter(id, name, read, event = "change") {
  byId(id).addEventListener(event, () => {
    filters[name] = read(byId(id).value);
    gallery.page = 0;
    findVisible();
    for (const card of cards) card.classList.toggle("selected", Number(card.dataset.issue) === filters.issue);
  });
}
filter("filter-issue", "issue", Number);
filter("filter-class", "class", Number);
filter("filter-decision", "decision", String);
filter("sort", "sort", String);
filter("search", "text", (text) => text.toLowerCase(), "input");
byId("per-page").addEventListener("change", () => {
  gallery.perPage = Number(byId("per-page").value);
  gallery.page = 0;
  findVisible();
});

// ------------------------------------------------------------------ download

// A spreadsheet takes a cell that begins so for a formula and runs it.
const guarded = (text) => /^'*[=+\-@\t\r\n＝＋－＠]/.test(text) ? "'" + text : text;
const cell = (value) => '"' + guarded(String(value)).replaceAll('"', '""') + '"';

function listAsCsv() {
  const lines = [["image", "decision", "your_mark", "issues", "plan", "quality_score", "class", "reason"]];
  for (let row = 0; row < n; row++) {
    if (!found[row] && !marks[row] && decisions[row] !== DROP) continue;
    lines.push([
      fullName(row), MARKS[decisions[row]], MARKS[marks[row]],
      issuesOf(row).map((issue) => data.issues[issue].name).join(";"),
      data.plan[row] === "d" ? "drop" : "keep", digits(quality[row]),
      data.codes.length && data.codes[row] >= 0 ? data.classes[data.codes[row]] : "",
      data.reasons[row] || "",
    ]);
  }
  return lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

byId("download").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([listAsCsv()], { type: "text/csv;charset=utf-8" }));
  const link = element("a", { href: address, download: "image_decisions.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
});

// ------------------------------------------------------------------ theme

const THEMES = { "": "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name; else delete document.documentElement.dataset.theme;
  byId("theme").textContent = THEMES[name];
  store("imagequality-theme", name);
}
byId("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES), now = document.documentElement.dataset.theme || "";
  setTheme(names[(names.indexOf(now) + 1) % names.length]);
});
const theme = stored("imagequality-theme");
if (theme in THEMES && theme) setTheme(theme);

// ------------------------------------------------------------------ begin

for (const [section, count] of [["duplicates", data.groups.length], ["unreadable", broken.length]]) {
  byId(section).hidden = !count;
  document.querySelector(`nav [data-for="${section}"]`).hidden = !count;
}
decide();
for (const card of cards) drawIssue(card);
drawNumbers();
findVisible();
groups.resize(data.groups.length);
unreadable.resize(broken.length);
}());
