"use strict";
(() => {
  const { figures, dark } = JSON.parse(document.getElementById("drawings").textContent);
  const night = matchMedia("(prefers-color-scheme: dark)");

  // Tables sort by a click on a heading; data-v holds a cell's number, else its text counts.
  const value = (cell) => {
    const stored = cell.dataset.v;
    if (stored === undefined) return cell.textContent.trim().toLowerCase();
    return stored === "None" ? NaN : Number(stored);
  };
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b);
    return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : Infinity) : Number.isNaN(b) ? -Infinity : a - b;
  };
  for (const button of document.querySelectorAll(".sortable th button")) {
    button.addEventListener("click", () => {
      const heading = button.closest("th");
      const body = heading.closest("table").tBodies[0];
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [value(row.cells[heading.cellIndex]), row]);
      rows.sort(([a], [b]) => {
        const order = compare(a, b);
        return Math.abs(order) === Infinity || !down ? order : -order; // undefined values stay below
      });
      body.append(...rows.map(([, row]) => row));
    });
  }

  // Names and numbers are left alone: a class may be called like a colour.
  const bare = new Set(["x", "y", "z", "text", "ticktext", "name", "customdata"]);
  const dressed = (part, colours) => {
    if (typeof part === "string") return colours[part] ?? part;
    if (Array.isArray(part)) return part.map((inner) => dressed(inner, colours));
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, bare.has(key) ? inner : dressed(inner, colours)]));
  };
  const draw = (place, printing) => {
    if (!window.Plotly || place.closest("[hidden]")) return;
    const { data, layout } = dressed(figures[place.dataset.figure], night.matches && !printing ? dark : {});
    // On a narrow page a legend of many hidden threats would leave no room for the picture.
    if (place.clientWidth < 640) for (const trace of data) if (trace.visible === "legendonly") trace.showlegend = false;
    const isNew = !place.data;
    Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
    if (isNew && place.dataset.figure.startsWith("confusion")) {
      place.on("plotly_click", ({ points: [cell] }) => {
        if (document.getElementById(`pair-${cell.y}-${cell.x}`)) location.hash = `pair-${cell.y}-${cell.x}`;
      });
    }
  };
  const charts = [...document.querySelectorAll(".chart")];
  const drawAgain = () => charts.filter((place) => place.data).forEach((place) => draw(place, false));

  for (const select of document.querySelectorAll("select[data-choose]")) {
    select.addEventListener("change", () => {
      for (const other of document.querySelectorAll("select[data-choose]")) other.value = select.value;
      for (const choice of document.querySelectorAll(".choice")) choice.hidden = choice.dataset.choice !== select.value;
      drawAgain();
    });
  }

  // A severity is a trace of the picture; the others are hidden.
  for (const range of document.querySelectorAll("input[data-severity]")) {
    const labels = range.dataset.labels.split("|");
    range.addEventListener("input", () => {
      const chosen = Number(range.value);
      figures[range.dataset.severity].data.forEach((trace, place) => (trace.visible = place === chosen));
      range.setAttribute("aria-valuetext", labels[chosen]);
      range.nextElementSibling.value = labels[chosen];
      drawAgain();
    });
  }

  const unpack = async () => {
    const text = atob(document.getElementById("library").textContent);
    const packed = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const library = document.createElement("script");
    library.textContent = await new Response(stream).text();
    document.head.append(library);
    performance.mark("unpacked");
    // A picture is drawn when it comes near the screen, so that the page opens fast however many there are.
    const near = new IntersectionObserver(
      (seen) => {
        for (const { isIntersecting, target } of seen) {
          if (!isIntersecting) continue;
          near.unobserve(target);
          draw(target, false);
        }
        document.body.dataset.drawn = "yes";
      },
      { rootMargin: "800px" },
    );
    for (const place of charts) near.observe(place);
    // The others follow in idle moments: whoever saves or prints the page finds no empty boxes.
    const rest = () => {
      const place = charts.find((each) => !each.data && !each.closest("[hidden]"));
      if (!place) return;
      near.unobserve(place);
      draw(place, false);
      if (place.data) (window.requestIdleCallback ?? setTimeout)(rest);
    };
    (window.requestIdleCallback ?? setTimeout)(rest);
  };
  addEventListener("load", () =>
    unpack().catch(() => {
      for (const place of charts) place.textContent = "This browser cannot draw the picture; the tables hold its numbers.";
    }),
  );
  night.addEventListener("change", drawAgain);
  addEventListener("beforeprint", () => charts.forEach((place) => draw(place, true)));
  addEventListener("afterprint", drawAgain);
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
