import type { CSSProperties } from "react";
import { useState } from "react";
import { Focus } from "./components/Focus";
import { Stopwatch } from "./components/Stopwatch";

const TITLE = "Focus";
const TAGLINE = "One thing at a time.";
const ACCENT = "#e11d48";

const TABS = ["Timer", "Stopwatch"] as const;
type Tab = (typeof TABS)[number];

export default function App() {
  const [tab, setTab] = useState<Tab>("Timer");

  return (
    <main
      style={{ "--accent": ACCENT } as CSSProperties}
      className="flex min-h-screen flex-col items-center justify-center bg-zinc-950 p-4 text-zinc-100"
    >
      <header className="mb-8 text-center">
        <h1 className="text-3xl font-semibold tracking-tight">{TITLE}</h1>
        <p className="mt-1 text-zinc-400">{TAGLINE}</p>
      </header>

      <section className="w-full max-w-md rounded-3xl border border-zinc-800 bg-zinc-900 p-8">
        <div className="mb-8 grid grid-cols-2 gap-1 rounded-full bg-zinc-800 p-1" role="tablist">
          {TABS.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              aria-selected={tab === name}
              onClick={() => setTab(name)}
              className={`rounded-full py-2 text-sm font-medium transition ${
                tab === name ? "bg-(--accent) text-white" : "text-zinc-400 hover:text-zinc-200"
              }`}
            >
              {name}
            </button>
          ))}
        </div>
        {tab === "Timer" ? <Focus /> : <Stopwatch />}
      </section>
    </main>
  );
}
