import { useState } from "react";
import type { Card } from "../card";

type Props = {
  name: string;
  cards: Card[];
  isFirst: boolean;
  isLast: boolean;
  onAdd: (text: string) => void;
  onMove: (id: string, by: number) => void;
  onRemove: (id: string) => void;
};

const ARROW = "rounded-md px-2 py-0.5 transition hover:bg-(--accent) hover:text-white disabled:opacity-20";

export function Column({ name, cards, isFirst, isLast, onAdd, onMove, onRemove }: Props) {
  const [text, setText] = useState("");

  return (
    <section className="rounded-3xl bg-white/70 p-5 shadow-sm backdrop-blur">
      <h2 className="flex items-center justify-between font-semibold">
        {name}
        <span className="rounded-full bg-slate-100 px-2.5 py-0.5 text-xs text-slate-500">
          {cards.length}
        </span>
      </h2>

      <ul className="mt-4 space-y-3">
        {cards.map((card) => (
          <li
            key={card.id}
            className="rounded-2xl border border-slate-100 border-l-(--accent) border-l-4 bg-white p-4 shadow-sm"
          >
            <p className={isLast ? "text-slate-400 line-through" : ""}>{card.text}</p>
            <div className="mt-3 flex gap-1 text-sm text-slate-400">
              <button
                type="button"
                disabled={isFirst}
                onClick={() => onMove(card.id, -1)}
                aria-label={`Move ${card.text} back`}
                className={ARROW}
              >
                ←
              </button>
              <button
                type="button"
                disabled={isLast}
                onClick={() => onMove(card.id, 1)}
                aria-label={`Move ${card.text} on`}
                className={ARROW}
              >
                →
              </button>
              <button
                type="button"
                onClick={() => onRemove(card.id)}
                aria-label={`Remove ${card.text}`}
                className="ml-auto rounded-md px-2 transition hover:text-red-500"
              >
                ✕
              </button>
            </div>
          </li>
        ))}
      </ul>

      <form
        className="mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() === "") return;
          onAdd(text.trim());
          setText("");
        }}
      >
        <input
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder="Add a card"
          aria-label={`Add a card to ${name}`}
          maxLength={200}
          className="w-full rounded-xl border border-dashed border-slate-300 bg-transparent px-4 py-2 text-sm outline-none transition focus:border-(--accent)"
        />
      </form>
    </section>
  );
}
