// The site's own script: draws plotly figures in place of their images, and takes boxes that hold all of their content
// out of the order of the Tab key. Without it the pages show the images, and every box can be reached.
"use strict";

/** Draws one figure from the JSON inside it; its image stays where plotly cannot. */
async function draw(holder) {
  const { data, layout, frames } = JSON.parse(holder.querySelector("script").textContent);
  const image = holder.querySelector("img");
  const room = document.createElement("div");
  holder.append(room);
  // A figure of a fixed width is a small one: it may shrink with the page, and does not grow.
  if (layout.width) holder.style.maxWidth = `${layout.width}px`;
  delete layout.width;
  try {
    const config = {
      responsive: true,
      displaylogo: false,
      modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    };
    await Plotly.newPlot(room, { data, layout: { ...layout, autosize: true }, frames, config });
    if (image) image.hidden = true;
  } catch (error) {
    room.remove();
    console.error(error);
  }
}

/** Only what scrolls needs the keyboard's focus. */
function focusWhatScrolls() {
  for (const box of document.querySelectorAll(".content pre, .content .scroll")) {
    const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

/** Brings the current page into sight in the list of pages, where that has its own scroll bar. */
function showCurrentPage() {
  const list = document.querySelector(".pages");
  const current = list.querySelector("[aria-current]");
  if (current && list.scrollHeight > list.clientHeight)
    list.scrollTop += current.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 3;
}

addEventListener("DOMContentLoaded", async () => {
  showCurrentPage();
  focusWhatScrolls();
  addEventListener("resize", focusWhatScrolls);
  if (typeof Plotly === "undefined") return;
  for (const holder of document.querySelectorAll(".plotly-figure")) await draw(holder);
});
