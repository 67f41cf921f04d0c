import { useState } from "react";
import { clock } from "../clock";
import { useElapsed } from "../useElapsed";

export function Stopwatch() {
  const { elapsed, running, toggle, reset } = useElapsed();
  const [laps, setLaps] = useState<number[]>([]);
  const hundredths = String(Math.floor((elapsed % 1000) / 10)).padStart(2, "0");

  return (
    <div className="text-center">
      <p className="font-mono text-6xl font-light tabular-nums" role="timer">
        {clock(elapsed)}
        <span className="text-3xl text-zinc-500">.{hundredths}</span>
      </p>

      <div className="mt-8 flex justify-center gap-3">
        <button
          type="button"
          onClick={toggle}
          className="w-32 rounded-full bg-(--accent) py-3 font-semibold text-white transition hover:opacity-90"
        >
          {running ? "Pause" : "Start"}
        </button>
        <button
          type="button"
          onClick={() => {
            if (running) {
              setLaps([elapsed, ...laps]);
            } else {
              reset();
              setLaps([]);
            }
          }}
          disabled={elapsed === 0}
          className="w-28 rounded-full border border-zinc-700 py-3 text-zinc-300 transition hover:border-zinc-500 disabled:opacity-40"
        >
          {running ? "Lap" : "Reset"}
        </button>
      </div>

      <ol className="mt-6 max-h-48 divide-y divide-zinc-800 overflow-y-auto text-sm">
        {laps.map((lap, index) => (
          <li key={laps.length - index} className="flex justify-between py-2 text-zinc-400">
            <span>Lap {laps.length - index}</span>
            <span className="font-mono tabular-nums">{clock(lap)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
