import type { CSSProperties } from "react";
import { useState } from "react";
import { Column } from "./components/Column";
import type { Card } from "./card";
import { COLUMNS, FIRST_CARDS } from "./card";

const TITLE = "Your plan";
const TAGLINE = "Move what you work on to the right.";
const ACCENT = "#7c3aed";

export default function App() {
  const [cards, setCards] = useState<Card[]>(FIRST_CARDS);
  const done = cards.filter((card) => card.column === COLUMNS.length - 1).length;

  function move(id: string, by: number) {
    setCards(
      cards.map((card) => {
        const column = Math.min(Math.max(card.column + by, 0), COLUMNS.length - 1);
        return card.id === id ? { ...card, column } : card;
      }),
    );
  }

  return (
    <main
      style={{ "--accent": ACCENT } as CSSProperties}
      className="min-h-screen bg-gradient-to-br from-slate-50 to-violet-100 px-4 py-10 text-slate-800 sm:px-8"
    >
      <div className="mx-auto max-w-6xl">
        <header className="mb-10 flex flex-wrap items-end justify-between gap-4">
          <div>
            <h1 className="text-4xl font-bold tracking-tight">{TITLE}</h1>
            <p className="mt-2 text-slate-500">{TAGLINE}</p>
          </div>
          <p className="rounded-full bg-white px-4 py-2 text-sm shadow-sm">
            <strong className="text-(--accent)">{done}</strong> of {cards.length} done
          </p>
        </header>

        <div className="grid gap-6 md:grid-cols-3">
          {COLUMNS.map((name, index) => (
            <Column
              key={name}
              name={name}
              cards={cards.filter((card) => card.column === index)}
              isFirst={index === 0}
              isLast={index === COLUMNS.length - 1}
              onAdd={(text) =>
                setCards([...cards, { id: Date.now().toString(36), text, column: index }])
              }
              onMove={move}
              onRemove={(id) => setCards(cards.filter((card) => card.id !== id))}
            />
          ))}
        </div>
      </div>
    </main>
  );
}
