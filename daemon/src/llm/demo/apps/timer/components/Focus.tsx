import { useState } from "react";
import { clock } from "../clock";
import { useElapsed } from "../useElapsed";

const MODES = [
  { name: "Focus", minutes: 25 },
  { name: "Short break", minutes: 5 },
  { name: "Long break", minutes: 15 },
];

export function Focus() {
  const [minutes, setMinutes] = useState(25);
  const { elapsed, running, toggle, reset } = useElapsed();

  const total = minutes * 60_000;
  const left = Math.max(total - elapsed, 0);
  const over = left === 0;

  return (
    <div className="text-center">
      <div className="mb-6 flex justify-center gap-2">
        {MODES.map((mode) => (
          <button
            key={mode.name}
            type="button"
            onClick={() => {
              setMinutes(mode.minutes);
              reset();
            }}
            aria-pressed={mode.minutes === minutes}
            className={`rounded-full border px-3 py-1 text-xs transition ${
              mode.minutes === minutes
                ? "border-(--accent) text-zinc-100"
                : "border-zinc-700 text-zinc-400 hover:border-zinc-500"
            }`}
          >
            {mode.name}
          </button>
        ))}
      </div>

      <p className="font-mono text-7xl font-light tabular-nums" role="timer">
        {clock(Math.ceil(left / 1000) * 1000)}
      </p>
      <p className="mt-2 h-6 text-sm text-(--accent)">{over && "Time is up. Stand up for a moment."}</p>

      <div className="mt-4 h-1.5 overflow-hidden rounded-full bg-zinc-800">
        <div
          className="h-full rounded-full bg-(--accent)"
          style={{ width: `${Math.min((elapsed / total) * 100, 100)}%` }}
        />
      </div>

      <div className="mt-8 flex justify-center gap-3">
        <button
          type="button"
          onClick={over ? reset : toggle}
          className="w-32 rounded-full bg-(--accent) py-3 font-semibold text-white transition hover:opacity-90"
        >
          {over ? "Again" : running ? "Pause" : "Start"}
        </button>
        <button
          type="button"
          onClick={reset}
          className="rounded-full border border-zinc-700 px-6 py-3 text-zinc-300 transition hover:border-zinc-500"
        >
          Reset
        </button>
      </div>
    </div>
  );
}
