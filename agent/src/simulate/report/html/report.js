// The crosshair: one moment in all panels of a scenario, with the values there. Everything else of the
// report works without this script.
"use strict";
(() => {
  const LEFT = 46, RIGHT = 590, WIDTH = 600, DAY_S = 86400, NEAR = 7;
  const number = new Intl.NumberFormat("en");

  const clock = (scenario, t) => {
    const at = scenario.start + t, minutes = Math.floor(at % DAY_S / 60);
    const two = (value) => String(value).padStart(2, "0");
    const time = two(Math.floor(minutes / 60)) + ":" + two(minutes % 60);
    return scenario.duration > 1.5 * DAY_S ? "day " + (Math.floor(at / DAY_S) + 1) + " " + time : time;
  };

  const panelOf = (figure) => ({
    figure,
    svg: figure.querySelector("svg"),
    cross: figure.querySelector(".cross"),
    readout: figure.querySelector(".readout"),
    title: figure.querySelector(".readout").textContent,
    course: JSON.parse(figure.querySelector("script").textContent),
    marks: [...figure.querySelectorAll(".mark")].map((mark) => ({
      t: Number(mark.dataset.t),
      text: mark.querySelector("title").textContent,
    })),
  });

  const values = (course, index) => {
    const at = (name) => number.format(course[name][index]);
    const some = ["booting", "draining"].filter((name) => course[name][index] > 0);
    const members = [at("active") + " active", ...some.map((name) => at(name) + " " + name)].join(", ");
    const harm = ["lost", "cut"].filter((name) => course[name][index] > 0);
    return ["demand " + at("demand"), at("calls") + " carried of " + at("capacity"), members,
      ...harm.map((name) => at(name) + " " + name)].join(" · ");
  };

  const nearest = (scenario, panel, t) => {
    const reach = NEAR / (RIGHT - LEFT) * scenario.duration;
    let best = null;
    for (const mark of panel.marks) {
      const distance = Math.abs(mark.t - t);
      if (distance <= reach && (!best || distance < best.distance)) best = { distance, text: mark.text };
    }
    return best && best.text;
  };

  const show = (scenario, t) => {
    scenario.t = Math.min(Math.max(t, 0), scenario.duration);
    const x = LEFT + (RIGHT - LEFT) * scenario.t / scenario.duration;
    for (const panel of scenario.panels) {
      const { course } = panel;
      const last = course.demand.length - 1;
      if (last < 0) continue;
      const index = Math.min(Math.max(Math.round((scenario.t - course.first) / (course.step || 1)), 0), last);
      panel.cross.setAttribute("transform", "translate(" + x.toFixed(1) + " 0)");
      panel.cross.setAttribute("visibility", "visible");
      const time = document.createElement("b");
      time.textContent = clock(scenario, scenario.t);
      const mark = nearest(scenario, panel, scenario.t);
      const lines = [time, " " + values(course, index)];
      if (mark) lines.push(document.createElement("br"), mark);
      panel.readout.replaceChildren(...lines);
    }
  };

  const hide = (scenario) => {
    for (const panel of scenario.panels) {
      panel.cross.setAttribute("visibility", "hidden");
      panel.readout.textContent = panel.title;
    }
  };

  for (const section of document.querySelectorAll(".scenario")) {
    const scenario = {
      duration: Number(section.dataset.duration),
      start: Number(section.dataset.start),
      panels: [...section.querySelectorAll(".panel")].map(panelOf),
      t: 0,
    };
    let frame = 0;
    for (const panel of scenario.panels) {
      const move = (event) => {
        const box = panel.svg.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width * WIDTH;
        const t = (x - LEFT) / (RIGHT - LEFT) * scenario.duration;
        cancelAnimationFrame(frame);
        frame = requestAnimationFrame(() => show(scenario, t));
      };
      const leave = () => {
        cancelAnimationFrame(frame);
        hide(scenario);
      };
      panel.svg.addEventListener("pointermove", move);
      panel.svg.addEventListener("pointerdown", move);
      panel.svg.addEventListener("pointerleave", leave);
      panel.figure.addEventListener("blur", leave);
      panel.figure.addEventListener("keydown", (event) => {
        const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
        if (!steps) return;
        event.preventDefault();
        show(scenario, scenario.t + steps * scenario.duration / 288);
      });
    }
  }
})();
