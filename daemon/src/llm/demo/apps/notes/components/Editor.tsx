import type { Note } from "../note";

type Props = {
  note: Note;
  onChange: (note: Note) => void;
  onRemove: () => void;
};

export function Editor({ note, onChange, onRemove }: Props) {
  const words = note.body.split(/\s+/).filter((word) => word !== "").length;

  function edit(change: Partial<Note>) {
    onChange({ ...note, ...change, changed: Date.now() });
  }

  return (
    <article className="mx-auto flex w-full max-w-3xl flex-1 flex-col p-6 md:p-12">
      <input
        value={note.title}
        onChange={(event) => edit({ title: event.target.value })}
        placeholder="Title"
        aria-label="Title"
        className="bg-transparent text-3xl font-bold outline-none placeholder:text-stone-300"
      />
      <textarea
        value={note.body}
        onChange={(event) => edit({ body: event.target.value })}
        placeholder="Start writing"
        aria-label="Text"
        className="mt-6 min-h-64 flex-1 resize-none bg-transparent leading-relaxed outline-none placeholder:text-stone-300"
      />
      <footer className="flex items-center justify-between border-t border-stone-200 pt-4 text-sm text-stone-500">
        <span>{words} words</span>
        <div className="flex gap-4">
          <button
            type="button"
            onClick={() => onChange({ ...note, pinned: !note.pinned })}
            className="transition hover:text-(--accent)"
          >
            {note.pinned ? "Unpin" : "Pin"}
          </button>
          <button type="button" onClick={onRemove} className="transition hover:text-red-600">
            Delete
          </button>
        </div>
      </footer>
    </article>
  );
}
