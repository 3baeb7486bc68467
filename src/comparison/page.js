"use strict";
for (const heat of document.querySelectorAll(".heat")) {
  const rows = [...heat.querySelectorAll(".row")].map((row) => {
    const output = row.querySelector("output");
    return { row, output, mean: output ? output.textContent : "" };
  });
  let shown = [];
  const show = (i) => {
    for (const span of shown) span.classList.remove("on");
    shown = i === null ? [] : [...heat.querySelectorAll(`[data-i="${i}"]`)];
    for (const span of shown) span.classList.add("on");
    for (const { row, output, mean } of rows) {
      if (!output) continue;
      const span = i === null ? null : row.querySelector(`[data-i="${i}"]`);
      output.textContent = span ? span.dataset.v ?? "–" : mean;
      output.classList.toggle("now", span !== null);
    }
  };
  const at = (event) => {
    const span = event.target.closest("[data-i]");
    show(span ? span.dataset.i : null);
  };
  heat.addEventListener("pointerover", at);
  heat.addEventListener("click", at);
  heat.addEventListener("pointerleave", () => show(null));
}
