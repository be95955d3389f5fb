/** Plays a trace in the panel: one frame for each denoising step, each canvas position a cell. */

import type { Cell, Step, Trace } from "../protocol";

const FRAME_MS = 450;

interface View {
  readonly tokens: HTMLElement;
  readonly caption: HTMLElement;
  readonly slider: HTMLInputElement;
  readonly play: HTMLButtonElement;
}

class Player {
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly steps: readonly Step[],
    private readonly view: View,
  ) {
    view.slider.max = String(steps.length - 1);
    view.slider.addEventListener("input", () => {
      this.pause();
      this.show(Number(view.slider.value));
    });
    view.play.addEventListener("click", () => {
      if (this.timer === undefined) {
        this.play();
      } else {
        this.pause();
      }
    });
  }

  show(index: number): void {
    const step = this.steps[index];
    if (step === undefined) {
      return;
    }
    this.view.slider.value = String(index);
    this.view.caption.textContent = caption(step, index, this.steps);
    // Canvases before this one are done; they stand as their last step until now left them.
    const before = this.steps.slice(0, index).filter(({ canvas }) => canvas < step.canvas);
    const done = new Map(before.map((other) => [other.canvas, other]));
    this.view.tokens.replaceChildren(...[...done.values(), step].flatMap(({ cells }) => cells.map(tokenElement)));
  }

  play(): void {
    this.view.play.textContent = "Pause";
    let next = Number(this.view.slider.value) + 1;
    if (next >= this.steps.length) {
      next = 0;
    }
    this.show(next);
    this.timer = setInterval(() => {
      next += 1;
      if (next < this.steps.length) {
        this.show(next);
      } else {
        this.pause();
      }
    }, FRAME_MS);
  }

  private pause(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.view.play.textContent = "Play";
  }
}

function caption(step: Step, index: number, steps: readonly Step[]): string {
  const { cells } = step;
  const open = cells.filter(({ state }) => state === "masked" || state === "remasked").length;
  const canvases = new Set(steps.map(({ canvas }) => canvas)).size;
  const words = [
    `step ${index + 1} of ${steps.length}`,
    `${cells.length - open} of ${cells.length} positions decided`,
    `${step.ms.toFixed(0)} ms`,
  ];
  return canvases > 1 ? [...words, `canvas ${step.canvas + 1} of ${canvases}`].join(" · ") : words.join(" · ");
}

function tokenElement({ text, state, probability }: Cell): HTMLElement {
  const span = document.createElement("span");
  span.className = `token ${state}`;
  span.style.setProperty("--certainty", probability.toFixed(2));
  span.textContent = text === "" ? (state === "end" ? "" : "·") : text.replaceAll("\n", "↵\n");
  span.title = `${state}, probability ${probability.toFixed(2)}`;
  return span;
}

function element<K extends keyof HTMLElementTagNameMap>(name: K, className: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

function build(): View {
  const tokens = element("pre", "tokens");
  const caption = element("p", "caption");
  caption.setAttribute("aria-live", "polite");
  const slider = element("input", "slider");
  slider.type = "range";
  slider.min = "0";
  slider.setAttribute("aria-label", "Denoising step");
  const play = element("button", "play");
  play.textContent = "Play";
  const controls = element("div", "controls");
  controls.append(play, slider);
  document.body.append(tokens, controls, caption, legend());
  return { tokens, caption, slider, play };
}

function legend(): HTMLElement {
  const list = element("ul", "legend");
  const meanings = {
    masked: "masked: the model's present guess",
    new: "committed at this step",
    committed: "committed",
    remasked: "masked again",
  };
  for (const [state, meaning] of Object.entries(meanings)) {
    const item = element("li", "");
    const sample = element("span", `token ${state}`);
    sample.textContent = "abc";
    item.append(sample, ` ${meaning}`);
    list.append(item);
  }
  return list;
}

const { steps } = JSON.parse(document.getElementById("trace")?.textContent ?? '{"steps":[]}') as Trace;
const player = new Player(steps, build());
player.show(0);
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
  player.play();
}
