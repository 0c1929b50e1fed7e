"use strict";
// Charts are drawn when their section is open; tables are sorted by their headers.

const drawn = JSON.parse(document.getElementById("drawn").textContent);
const pending = new Set();

function rowsOf(columns) {
  const names = Object.keys(columns);
  const length = names.length ? columns[names[0]].length : 0;
  return Array.from({ length }, (_, row) => Object.fromEntries(names.map((name) => [name, columns[name][row]])));
}

function announce() {
  if (!pending.size) document.body.dataset.charts = "drawn";
}

async function draw(element) {
  if (element.dataset.state) return;
  element.dataset.state = "begun";
  document.body.dataset.charts = "drawing";
  pending.add(element);
  // An entry of the legend needs so many pixels: where all do not stand in one row, they stand in columns.
  const entry = Number(element.dataset.entry ?? 95);
  const legend = { ...drawn.config.legend, columns: Math.max(1, Math.floor((element.clientWidth - 40) / entry)) };
  const spec = {
    ...drawn.charts[element.dataset.chart],
    datasets: { ...drawn.charts[element.dataset.chart].datasets, rows: rowsOf(drawn.rows[element.dataset.rows]) },
  };
  try {
    // The interpreter needs no eval, which the page's policy forbids.
    const { view } = await vegaEmbed(element, spec, {
      actions: false,
      ast: true,
      config: { ...drawn.config, legend },
      renderer: "svg",
      tooltip: { theme: "custom" },
    });
    // What the chart shows is said in its label; its marks one by one would only be noise.
    element.querySelector("svg").setAttribute("aria-hidden", "true");
    const chooser = document.querySelector(`[data-chooses="${element.id}"]`);
    if (element.id && chooser) {
      chooser.addEventListener("change", () => view.signal("cost", chooser.value).runAsync());
    }
    element.dataset.state = "drawn";
  } catch (error) {
    element.textContent = "This chart could not be drawn.";
    console.error(`${element.dataset.chart}: ${error.message}`);
  }
  pending.delete(element);
  announce();
}

function drawOpen(root) {
  for (const element of root.querySelectorAll("[data-chart]")) {
    const closed = element.closest("details:not([open])");
    if (!closed) draw(element);
  }
}

function sortBy(button) {
  const header = button.closest("th");
  const table = header.closest("table");
  const place = [...header.parentElement.children].indexOf(header);
  const first = header.dataset.first || "ascending";
  const now = header.getAttribute("aria-sort");
  const other = { ascending: "descending", descending: "ascending" };
  const order = now ? other[now] : first;
  for (const each of table.querySelectorAll("th[aria-sort]")) each.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  const key = (row) => row.children[place].dataset.value ?? row.children[place].textContent.trim();
  const sign = order === "ascending" ? 1 : -1;
  const compare = (one, another) => {
    const [a, b] = [key(one), key(another)];
    // What is not known stands last in either order.
    if (a === "" || b === "") return (a === "") - (b === "");
    const [x, y] = [Number(a), Number(b)];
    return sign * (Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en") : x - y);
  };
  body.append(...[...body.rows].sort(compare));
}

function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button));
}
for (const section of document.querySelectorAll("details")) {
  section.addEventListener("toggle", () => section.open && drawOpen(section));
}
for (const button of document.querySelectorAll("[data-all]")) {
  button.addEventListener("click", () => {
    for (const section of document.querySelectorAll("details.model")) section.open = button.dataset.all === "open";
  });
}
window.addEventListener("hashchange", openTarget);
openTarget();
drawOpen(document);
announce();
