(() => {
  "use strict";
  const narrow = matchMedia("(max-width: 46rem)");
  const touch = matchMedia("(pointer: coarse)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const plotOf = host => host.querySelector(".plot");
  let playing = null;
  const series = () => css("--series").split(",").map(colour => colour.trim());
  const isPanel = host => host.classList.contains("panel");

  // The page's own colours and margins on top of the figure's layout.
  const axis = (own, panel) => ({
    ...own,
    title: { ...own?.title, standoff: 8, font: { size: 12 } },
    gridcolor: css("--line"), zerolinecolor: css("--soft"), zerolinewidth: 1, linecolor: css("--line"),
    dividercolor: css("--line"), automargin: !panel, fixedrange: touch.matches || own?.fixedrange,
  });
  const themed = (layout, panel) => {
    const last = panel && Boolean(layout.xaxis?.title?.text);
    return {
      ...layout,
      autosize: true, width: undefined, height: undefined,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: css("--soft") },
      colorway: series(),
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--ink") } },
      margin: panel ? { l: 46, r: 6, t: 8, b: last ? 42 : 22 } : { l: 56, r: 12, t: layout.title?.text ? 44 : 12, b: 44 },
      showlegend: false,
      modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: css("--ink") },
      dragmode: touch.matches ? false : "zoom",
      xaxis: axis(layout.xaxis, panel),
      yaxis: { ...axis(layout.yaxis, panel), nticks: panel ? 5 : undefined, ticklabeloverflow: "allow" },
    };
  };

  // The key stands below its chart as text of the page, so that a narrow chart keeps its room; its buttons hide a series.
  const paint = host => {
    const colours = series();
    for (const button of host.querySelectorAll(".key button")) {
      button.style.setProperty("--swatch", colours[button.value % colours.length]);
    }
  };
  const addKey = host => {
    const named = [...host.figure.data.entries()].filter(([, trace]) => trace.name && trace.type !== "heatmap");
    if (named.length === 0) return;
    const list = document.createElement("ul");
    list.className = "key";
    for (const [i, trace] of named) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", value: i, textContent: trace.name, ariaPressed: "true" });
      button.addEventListener("click", () => {
        const shown = button.ariaPressed !== "true";
        button.ariaPressed = String(shown);
        Plotly.restyle(plotOf(host), { visible: shown ? true : "legendonly" }, i);
      });
      list.appendChild(document.createElement("li")).append(button);
    }
    host.append(list);
    paint(host);
  };

  const draw = host => {
    if (host.figure || !window.Plotly) return;
    host.figure = JSON.parse(host.querySelector("script").textContent);
    const panel = isPanel(host);
    const options = {
      responsive: true,
      displayModeBar: panel || narrow.matches ? false : "hover",
      modeBarButtons: [["toImage", "resetScale2d"]],
      displaylogo: false,
    };
    Plotly.newPlot(plotOf(host), host.figure.data, themed(host.figure.layout, panel), options).then(() => {
      if (panel) link(host);
    });
    if (!panel) addKey(host);
  };

  // Panels of a clip zoom together; a click on a panel plays its sound from there.
  const link = host => {
    const clip = host.closest(".clip");
    plotOf(host).on("plotly_relayout", change => {
      const range = ["xaxis.range[0]", "xaxis.range[1]"].map(k => change[k]);
      const reset = change["xaxis.autorange"];
      if (clip.linking || (range[0] === undefined && !reset)) return;
      clip.linking = true;
      const others = [...clip.querySelectorAll(".panel")].filter(other => other !== host && other.figure);
      const update = reset ? { "xaxis.autorange": true } : { "xaxis.range": range };
      Promise.all(others.map(other => Plotly.relayout(plotOf(other), update))).finally(() => { clip.linking = false; });
    });
    plotOf(host).on("plotly_click", event => {
      const audio = host.closest(".row").querySelector("audio");
      if (!audio) return;
      playing?.pause();
      audio.currentTime = event.points[0].x;
      audio.play();
    });
  };

  // A line over the panel shows where the sound is.
  const movePlayhead = audio => {
    const host = audio.closest(".row").querySelector(".panel");
    if (!host?.figure) return;
    const line = host.querySelector(".playhead");
    const { xaxis, yaxis } = plotOf(host)._fullLayout ?? {};
    const x = xaxis ? xaxis.d2p(audio.currentTime) : -1;
    line.hidden = !(x >= 0 && x <= xaxis?._length) || audio.currentTime === 0;
    if (line.hidden) return;
    Object.assign(line.style, { left: `${xaxis._offset + x}px`, top: `${yaxis._offset}px`, height: `${yaxis._length}px` });
  };
  const follow = audio => {
    movePlayhead(audio);
    if (!audio.paused) requestAnimationFrame(() => follow(audio));
  };

  // One sound at a time; another sound of the same clip goes on where the last one was, for comparison by ear.
  for (const audio of document.querySelectorAll("audio")) {
    audio.addEventListener("play", () => {
      if (playing && playing !== audio) {
        const takeOver = !playing.paused && playing.closest(".clip") === audio.closest(".clip");
        const at = playing.currentTime;
        playing.pause();
        if (takeOver && at < audio.duration) audio.currentTime = at;
      }
      playing = audio;
      follow(audio);
    });
    audio.addEventListener("seeked", () => movePlayhead(audio));
  }

  // A table that is wider than the page says that it scrolls.
  const sizes = new ResizeObserver(entries => {
    for (const { target } of entries) {
      target.closest(".table").classList.toggle("scrolls", target.scrollWidth > target.clientWidth + 1);
    }
  });
  for (const box of document.querySelectorAll(".scroll")) sizes.observe(box);

  // plotly.js stands in the page packed.
  const unpack = async packed => {
    const bytes = Uint8Array.from(atob(packed.textContent), letter => letter.charCodeAt(0));
    const code = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.head.append(Object.assign(document.createElement("script"), { textContent: code }));
  };
  const tellOldBrowser = () => {
    const note = Object.assign(document.createElement("p"), { className: "note" });
    note.textContent = "Charts need a browser of 2023 or later; tables and sounds do not.";
    document.querySelector("main").prepend(note);
  };

  // From top to bottom, giving the page its turn between two charts.
  const charts = [...document.querySelectorAll(".chart")];
  const drawFrom = i => {
    if (i === charts.length) return;
    draw(charts[i]);
    setTimeout(() => drawFrom(i + 1));
  };
  if (charts.length === 0) return;
  if (!window.DecompressionStream) return tellOldBrowser();
  unpack(document.getElementById("plotly")).then(() => drawFrom(0));
  addEventListener("beforeprint", () => charts.forEach(draw));
  dark.addEventListener("change", () => {
    for (const host of charts) if (host.figure) {
      Plotly.react(plotOf(host), host.figure.data, themed(host.figure.layout, isPanel(host)));
      paint(host);
    }
  });
})();
