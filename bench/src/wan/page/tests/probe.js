addEventListener("load", () => {
  const found = new Set();
  const colour = (text) => text.match(/[\d.]+/g).map(Number);
  // WCAG 2.2, "relative luminance" and "contrast ratio".
  const luminance = (rgb) => rgb.slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const card = colour(getComputedStyle(document.querySelector(".card")).backgroundColor);
  const standsOut = (element, property, least) => {
    const ratio = contrast(colour(getComputedStyle(element)[property]), card);
    if (ratio < least) found.add(`${element.getAttribute("class")} stands out by ${ratio.toFixed(1)} only`);
  };
  for (const name of ["segment", "again", "drop", "told", "window", "wire", "arrival"]) {
    standsOut(document.querySelector(`path.${name}`), "stroke", name === "wire" ? 2 : 3);
  }
  for (const name of ["own", "off", "doubtful"]) standsOut(document.querySelector(`rect.${name}`), "fill", 3);
  for (const text of document.querySelectorAll("svg text")) standsOut(text, "fill", 4.5);
  for (const verdict of document.querySelectorAll("td.good, td.bad, td.noisy")) standsOut(verdict, "color", 3);

  const drawings = document.querySelectorAll("svg.topology, figure svg");
  for (const drawing of drawings) {
    const frame = drawing.getBoundingClientRect();
    const texts = [...drawing.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
    const name = drawing.querySelector("title").textContent;
    texts.forEach(([text, box], at) => {
      if (box.width === 0 || box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
        found.add(`${name}: ${text.textContent} is cut`);
      }
      for (const [other, around] of texts.slice(at + 1)) {
        const across = Math.min(box.right, around.right) - Math.max(box.left, around.left);
        const down = Math.min(box.bottom, around.bottom) - Math.max(box.top, around.top);
        // Lines of letters have room above and below them.
        if (across > 1 && down > box.height / 3) {
          found.add(`${name}: ${text.textContent} lies on ${other.textContent}`);
        }
      }
    });
    const boxes = [...drawing.querySelectorAll("rect.host")].map((box) => box.getBoundingClientRect());
    for (const wire of drawing.querySelectorAll("path.wire")) {
      const length = wire.getTotalLength();
      const scale = frame.width / drawing.viewBox.baseVal.width;
      for (let at = 0; at <= 1; at += 0.02) {
        const place = wire.getPointAtLength(at * length);
        const [x, y] = [frame.left + place.x * scale, frame.top + place.y * scale];
        if (boxes.some((box) => x > box.left + 1 && x < box.right - 1 && y > box.top + 1 && y < box.bottom - 1)) {
          found.add(`${name}: a link lies on a host`);
        }
      }
    }
  }
  const page = document.scrollingElement;
  if (page.scrollWidth > innerWidth) found.add(`it scrolls sideways: ${page.scrollWidth}`);
  const links = document.querySelectorAll("a");
  for (const link of links) {
    if (!document.querySelector(`section${link.getAttribute("href")}`)) found.add(`${link.textContent} leads nowhere`);
  }
  const mode = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const bars = document.querySelectorAll(".bars svg").length;
  const list = [...found].join("; ") || "nothing";
  document.body.append(`[probe:${mode}: ${drawings.length} drawings of links and plots, ${bars} bars, `
    + `${links.length} links: ${list}:probe]`);
});
