import type { CSSProperties } from "react";
import { useEffect, useState } from "react";
import { History } from "./components/History";
import { Ring } from "./components/Ring";

const TITLE = "Counter";
const TAGLINE = "Arrow keys work too.";
const ACCENT = "#0d9488";

const STEPS = [1, 5, 10];
const GOAL = 100;

export default function App() {
  const [values, setValues] = useState<number[]>([0]);
  const [step, setStep] = useState(1);
  const count = values[values.length - 1] ?? 0;

  function move(by: number) {
    setValues((before) => [...before.slice(-39), (before[before.length - 1] ?? 0) + by]);
  }

  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (event.key === "ArrowUp") move(step);
      if (event.key === "ArrowDown") move(-step);
    }
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [step]);

  return (
    <main
      style={{ "--accent": ACCENT } as CSSProperties}
      className="flex min-h-screen items-center justify-center bg-slate-900 p-4 text-slate-100"
    >
      <section className="w-full max-w-sm rounded-3xl bg-slate-800 p-8 text-center shadow-2xl">
        <h1 className="text-2xl font-bold">{TITLE}</h1>
        <p className="mt-1 text-sm text-slate-400">{TAGLINE}</p>

        <Ring value={count} goal={GOAL} />

        <div className="grid grid-cols-2 gap-3">
          <button
            type="button"
            onClick={() => move(-step)}
            aria-label="Count down"
            className="rounded-2xl bg-slate-700 py-4 text-3xl font-bold transition hover:bg-slate-600 active:scale-95"
          >
            −
          </button>
          <button
            type="button"
            onClick={() => move(step)}
            aria-label="Count up"
            className="rounded-2xl bg-(--accent) py-4 text-3xl font-bold text-white transition hover:opacity-90 active:scale-95"
          >
            +
          </button>
        </div>

        <div className="mt-4 flex items-center justify-between text-sm">
          <div className="flex gap-1" role="group" aria-label="Step">
            {STEPS.map((size) => (
              <button
                key={size}
                type="button"
                onClick={() => setStep(size)}
                aria-pressed={step === size}
                className={`rounded-lg px-3 py-1 transition ${
                  step === size ? "bg-slate-100 font-semibold text-slate-900" : "text-slate-400"
                }`}
              >
                ±{size}
              </button>
            ))}
          </div>
          <div className="flex gap-3 text-slate-400">
            <button
              type="button"
              onClick={() => setValues((before) => (before.length > 1 ? before.slice(0, -1) : before))}
              disabled={values.length < 2}
              className="transition hover:text-slate-100 disabled:opacity-30"
            >
              Undo
            </button>
            <button
              type="button"
              onClick={() => setValues([0])}
              className="transition hover:text-slate-100"
            >
              Reset
            </button>
          </div>
        </div>

        <History values={values} />
      </section>
    </main>
  );
}
