import type { Note } from "../note";
import { ago } from "../note";

type Props = {
  notes: Note[];
  selectedId: string;
  onSelect: (id: string) => void;
};

export function NoteList({ notes, selectedId, onSelect }: Props) {
  if (notes.length === 0) {
    return <p className="px-5 pb-6 text-sm text-stone-400">Nothing found.</p>;
  }
  return (
    <ul className="flex-1 space-y-1 overflow-y-auto px-3 pb-4">
      {notes.map((note) => (
        <li key={note.id}>
          <button
            type="button"
            onClick={() => onSelect(note.id)}
            aria-current={note.id === selectedId}
            className={`w-full rounded-xl border-l-4 px-4 py-3 text-left transition ${
              note.id === selectedId
                ? "border-(--accent) bg-amber-50"
                : "border-transparent hover:bg-stone-50"
            }`}
          >
            <span className="flex items-center justify-between gap-2">
              <span className="truncate font-medium">{note.title || "Untitled"}</span>
              {note.pinned && <span className="text-xs text-(--accent)">pinned</span>}
            </span>
            <span className="mt-0.5 block truncate text-sm text-stone-500">
              {note.body.split("\n")[0] || "No text yet"}
            </span>
            <span className="mt-1 block text-xs text-stone-400">{ago(note.changed)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
