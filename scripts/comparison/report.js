/* Curves and maps of the page, drawn by plotly.js; FIGURES has one record per scenario (scripts/comparison/page.py). */

const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#777777"]; /* Okabe and Ito */
const DASHES = ["solid", "dash", "dot", "dashdot"];
const CONFIG = { displaylogo: false, responsive: true, toImageButtonOptions: { format: "svg" } };

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(more) {
  const axis = { gridcolor: style("--rule"), zerolinecolor: style("--rule"), linecolor: style("--rule") };
  const { xaxis = {}, yaxis = {}, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: style("--text"), size: 13 },
    margin: { l: 70, r: 20, t: 20, b: 50 }, hoverlabel: { namelength: -1 },
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

function fill(select, values, names = values) {
  select.replaceChildren(...values.map((value, number) => new Option(names[number], value)));
}

function curveTraces(figure, metric, shown) {
  const traces = [];
  figure.learners.forEach((label, number) => {
    const curve = figure.curves[metric][label];
    if (!curve || !shown.has(label)) return;
    const color = COLOURS[number % COLOURS.length], dash = DASHES[Math.floor(number / COLOURS.length) % DASHES.length];
    const common = { x: curve.x, legendgroup: label, mode: "lines" };
    if (curve.low) {
      const edge = { ...common, line: { width: 0, color }, hoverinfo: "skip", showlegend: false };
      traces.push({ ...edge, y: curve.low }, { ...edge, y: curve.high, fill: "tonexty", fillcolor: color + "33" });
    }
    const ends = curve.low ? curve.x.map((_, i) => [curve.low[i], curve.high[i]]) : undefined;
    const range = curve.low ? " (%{customdata[0]:.4~g} to %{customdata[1]:.4~g})" : "";
    traces.push({
      ...common, y: curve.y, name: label, line: { color, dash, width: 2 }, customdata: ends,
      hovertemplate: `%{y:.4~g}${range}`,
    });
  });
  return traces;
}

function drawCurves(section, figure, shown) {
  const metric = section.querySelector(".metric").value;
  const changes = figure.changes.map(x => ({
    type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: style("--soft"), dash: "dot", width: 1 },
  }));
  Plotly.react(section.querySelector(".chart.curves"), curveTraces(figure, metric, shown), layout({
    xaxis: { title: { text: "simulated time [h]" } }, yaxis: { title: { text: metric } },
    hovermode: "x unified", shapes: changes,
    legend: window.innerWidth < 700 ? { orientation: "h", y: -0.25 } : {},
  }), CONFIG);
}

const MAP_COLOURS = {
  "spreading factor": (map, chosen) => chosen.points.map(point => point[0]), /* its place in map.sf */
  "channel": (map, chosen) => chosen.points.map(point => (point[2] < 0 ? null : point[2])),
  "transmit power [dBm]": (map, chosen) => chosen.points.map(point => map.tp[point[3]]),
  "PDR [%]": (map, chosen) => chosen.sent.map((sent, node) => (sent ? 100 * chosen.delivered[node] / sent : null)),
};

/* Spreading factors are names, not amounts: one colour for each, those of the printed map. */
function factorScale(map) {
  const count = map.sf.length;
  return {
    colorscale: map.sf_colours.flatMap((colour, place) => [[place / count, colour], [(place + 1) / count, colour]]),
    cmin: -0.5, cmax: count - 0.5,
    colorbar: { tickvals: map.sf.map((_, place) => place), ticktext: map.sf.map(sf => `SF${sf}`) },
  };
}

function drawMap(section, figure) {
  const map = figure.map, picked = name => section.querySelector(name).value;
  const seed = map.seeds[picked(".seed")], chosen = seed.learners[picked(".learner")], colour = picked(".colour");
  const values = MAP_COLOURS[colour](map, chosen);
  const text = seed.nodes.map((_, node) => {
    const [sf, , channel, tp] = chosen.points[node], sent = chosen.sent[node];
    const name = map.ids.length ? `${map.ids[node]} (node ${node})` : `node ${node}`;
    const where = channel < 0 ? "hops" : `channel ${channel}`;
    return `${name}<br>SF${map.sf[sf]}, ${where}, ${map.tp[tp]} dBm<br>${chosen.delivered[node]} of ${sent} packets delivered`;
  });
  const escaped = text.map(line => line.replace(/&/g, "&amp;").replace(/<(?!br>)/g, "&lt;"));
  const nodes = {
    x: seed.nodes.map(xy => xy[0]), y: seed.nodes.map(xy => xy[1]), mode: "markers", type: "scatter", name: "nodes",
    text: escaped, hovertemplate: "%{text}<extra></extra>",
    marker: { size: 9, color: values, colorscale: "Viridis", showscale: true, colorbar: { title: { text: colour, side: "right" } } },
  };
  if (colour === "spreading factor") Object.assign(nodes.marker, factorScale(map));
  const gateways = {
    x: map.gateways.map(xy => xy[0]), y: map.gateways.map(xy => xy[1]), mode: "markers", type: "scatter",
    name: "gateways", hovertemplate: "gateway %{pointNumber}<extra></extra>",
    marker: { size: 15, symbol: "triangle-up", color: COLOURS[1], line: { color: style("--text"), width: 1 } },
  };
  Plotly.react(section.querySelector(".chart.map"), [nodes, gateways], layout({
    xaxis: { title: { text: "x [m]" } }, yaxis: { title: { text: "y [m]" }, scaleanchor: "x" }, showlegend: false,
  }), CONFIG);
}

document.querySelectorAll("section[id^=scenario-]").forEach((section, number) => {
  const figure = FIGURES[number], seeds = Object.keys(figure.map.seeds);
  fill(section.querySelector(".metric"), Object.keys(figure.curves));
  fill(section.querySelector(".seed"), seeds);
  fill(section.querySelector(".colour"), Object.keys(MAP_COLOURS));
  section.querySelector(".band").textContent = figure.band;
  if (figure.map.left_out) {
    section.querySelector(".left-out").textContent = `the maps of ${figure.map.left_out} more seeds are left out, for size`;
  }
  const shown = () => new Set([...section.querySelectorAll("input.show")].filter(box => box.checked).map(box => box.value));
  const draw = () => {
    const learners = figure.learners.filter(label => shown().has(label)), select = section.querySelector(".learner");
    const before = select.value;
    fill(select, learners.length ? learners : figure.learners);
    if (learners.includes(before)) select.value = before;
    drawCurves(section, figure, shown());
    drawMap(section, figure);
  };
  section.addEventListener("learners", draw);
  section.querySelector(".metric").addEventListener("change", () => drawCurves(section, figure, shown()));
  for (const name of [".seed", ".learner", ".colour"]) {
    section.querySelector(name).addEventListener("change", () => drawMap(section, figure));
  }
  draw();
});
