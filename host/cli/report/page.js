/* SPDX-License-Identifier: Apache-2.0 */
/* The switch of light and dark, saving of figures, and tables that print opened. Without this script
 * the page shows everything, too. */
(function () {
  "use strict";
  var root = document.documentElement;
  var button = document.getElementById("theme");
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  }
  function name() {
    button.textContent = isDark() ? "Light colours" : "Dark colours";
  }
  button.hidden = false;
  button.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  dark.addEventListener("change", name);
  name();

  function save(text, type, file) {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: type }));
    link.download = file;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
  }
  /* A program that opens the file must not take a name for a formula. */
  function field(cell) {
    var text = "v" in cell.dataset ? cell.dataset.v : cell.textContent;
    if (!("v" in cell.dataset) && /^[=+\-@\t\r]/.test(text)) { text = "'" + text; }
    return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }
  function csv(figure) {
    return Array.from(figure.querySelectorAll("table")).map(function (table) {
      return Array.from(table.rows).map(function (row) {
        return Array.from(row.cells).map(field).join(",") + "\n";
      }).join("");
    }).join("\n");
  }
  /* The chart as gnuplot drew it, on white: its own colours are the light ones. */
  function svg(figure) {
    var copy = figure.querySelector(".plot.wide svg").cloneNode(true);
    var box = copy.viewBox.baseVal;
    var back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    copy.setAttribute("width", box.width);
    copy.setAttribute("height", box.height);
    back.setAttribute("width", "100%");
    back.setAttribute("height", "100%");
    back.setAttribute("fill", "#ffffff");
    copy.insertBefore(back, copy.firstChild);
    return new XMLSerializer().serializeToString(copy);
  }
  document.querySelectorAll("figure .tools").forEach(function (tools) {
    var figure = tools.closest("figure");
    tools.hidden = false;
    tools.querySelectorAll("button").forEach(function (save_button) {
      save_button.addEventListener("click", function () {
        if (save_button.dataset.save === "svg") {
          save(svg(figure), "image/svg+xml", figure.id + ".svg");
        } else {
          save(csv(figure), "text/csv", figure.id + ".csv");
        }
      });
    });
  });

  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (details) { details.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (details) { details.open = false; });
  });
}());
