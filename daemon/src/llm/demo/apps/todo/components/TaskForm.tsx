import { useState } from "react";

export function TaskForm({ onAdd }: { onAdd: (text: string) => void }) {
  const [text, setText] = useState("");

  function submit() {
    const trimmed = text.trim();
    if (trimmed === "") return;
    onAdd(trimmed);
    setText("");
  }

  return (
    <form
      className="flex gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <input
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder="What needs doing?"
        aria-label="New task"
        maxLength={200}
        className="min-w-0 flex-1 rounded-xl border border-stone-200 px-4 py-3 outline-none transition focus:border-(--accent)"
      />
      <button
        type="submit"
        disabled={text.trim() === ""}
        className="rounded-xl bg-(--accent) px-5 font-semibold text-white transition hover:opacity-90 disabled:opacity-40"
      >
        Add
      </button>
    </form>
  );
}
