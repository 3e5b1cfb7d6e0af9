// The frame of a whole view is as tall as the view, whose page says how tall that is.
addEventListener("message", (event) => {
  const tall = event.data?.mediawidgetTall;
  if (!(tall > 0)) return;
  for (const frame of document.querySelectorAll(".view.whole iframe")) {
    // 2: its borders.
    if (frame.contentWindow === event.source) frame.style.height = `${Math.ceil(tall) + 2}px`;
  }
});

// One that was there first is asked again.
for (const frame of document.querySelectorAll(".view.whole iframe")) {
  frame.contentWindow?.postMessage("mediawidgetTall", "*");
}
