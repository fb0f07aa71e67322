// The page works without this: it adds a filter by suite, tables that sort, and sections that open for what is linked.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Where a link leads into what is closed, it is opened.
  const reveal = () => {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { return; }
    const target = name && document.getElementById(name);
    if (!target) return;
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);

  // All or none of the sections open.
  const tools = document.getElementById("tools");
  const toggle = document.getElementById("toggle");
  const more = all("details.more");
  if (more.length) {
    tools.hidden = false;
    toggle.addEventListener("click", () => {
      const open = toggle.getAttribute("aria-pressed") !== "true";
      toggle.setAttribute("aria-pressed", String(open));
      toggle.textContent = open ? "Close all" : "Open all";
      more.forEach((one) => { one.open = open; });
    });
  }
  addEventListener("beforeprint", () => all("details").forEach((one) => { one.open = true; }));

  // Only what is of the chosen suite, and what is of none.
  const filter = document.getElementById("suite");
  const left = document.getElementById("filtered");
  const apply = () => {
    all("[data-suite]").forEach((one) => {
      one.hidden = filter.value !== "" && one.dataset.suite !== "" && one.dataset.suite !== filter.value;
    });
    const without = all("main section.measured").filter((one) => {
      const of = all("[data-suite]", one).filter((each) => each.dataset.suite !== "");
      const none = filter.value !== "" && of.length > 0 && of.every((each) => each.hidden);
      one.classList.toggle("without", none);
      return none;
    });
    const none = without.length === 1 ? "1 section has" : `${without.length} sections have`;
    left.textContent = filter.value === "" ? "" : `${none} nothing of this suite`;
  };
  if (matchMedia("(max-width: 56rem)").matches) document.querySelector(".top details").append(filter.closest("p"), tools);
  if (filter.options.length > 2) {
    filter.closest("p").hidden = false;
    filter.addEventListener("change", apply);
  }

  // A click on a column's name sorts by it; a second one the other way round. Numbers are sorted as such.
  const value = (cell) => {
    const words = cell.textContent.trim().replace(/\u2212/g, "-").replace(/,(?=\d{3})/g, "");
    const number = /^<?\s*([-+]?\d*\.?\d+)(?![\w.])/.exec(words);
    return number ? parseFloat(number[1]) : words;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  };
  all("table").forEach((table) => {
    const body = table.tBodies[0];
    if (body.rows.length < 2) return;
    all("thead th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        all("th", head.parentElement).forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sign = down ? -1 : 1;
        const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
        rows.sort((a, b) => sign * compare(a[0], b[0]));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
  });
  reveal();
})();
