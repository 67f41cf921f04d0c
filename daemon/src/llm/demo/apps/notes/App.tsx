import type { CSSProperties } from "react";
import { useState } from "react";
import { Editor } from "./components/Editor";
import { NoteList } from "./components/NoteList";
import type { Note } from "./note";
import { FIRST_NOTES, newNote } from "./note";

const TITLE = "Notes";
const TAGLINE = "Write it down, find it again.";
const ACCENT = "#d97706";

export default function App() {
  const [notes, setNotes] = useState<Note[]>(FIRST_NOTES);
  const [selectedId, setSelectedId] = useState(FIRST_NOTES[0]?.id ?? "");
  const [query, setQuery] = useState("");

  const words = query.trim().toLowerCase();
  const shown = notes
    .filter((note) => `${note.title} ${note.body}`.toLowerCase().includes(words))
    .sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.changed - a.changed);
  const selected = notes.find((note) => note.id === selectedId);

  function change(changed: Note) {
    setNotes(notes.map((note) => (note.id === changed.id ? changed : note)));
  }

  function add() {
    const note = newNote();
    setNotes([note, ...notes]);
    setSelectedId(note.id);
    setQuery("");
  }

  function remove(id: string) {
    const rest = notes.filter((note) => note.id !== id);
    setNotes(rest);
    setSelectedId(rest[0]?.id ?? "");
  }

  return (
    <main
      style={{ "--accent": ACCENT } as CSSProperties}
      className="flex min-h-screen flex-col bg-amber-50 text-stone-800 md:h-screen md:flex-row"
    >
      <aside className="flex flex-col border-stone-200 bg-white md:w-80 md:border-r">
        <header className="p-5">
          <div className="flex items-center justify-between">
            <h1 className="text-2xl font-bold">{TITLE}</h1>
            <button
              type="button"
              onClick={add}
              className="rounded-lg bg-(--accent) px-3 py-1.5 text-sm font-semibold text-white transition hover:opacity-90"
            >
              New note
            </button>
          </div>
          <p className="mt-1 text-sm text-stone-500">{TAGLINE}</p>
          <input
            value={query}
            onChange={(event) => setQuery(event.target.value)}
            placeholder={`Search ${notes.length} notes`}
            aria-label="Search notes"
            className="mt-4 w-full rounded-lg bg-stone-100 px-3 py-2 text-sm outline-none focus:ring-2 focus:ring-(--accent)"
          />
        </header>
        <NoteList notes={shown} selectedId={selectedId} onSelect={setSelectedId} />
      </aside>

      {selected ? (
        <Editor
          key={selected.id}
          note={selected}
          onChange={change}
          onRemove={() => remove(selected.id)}
        />
      ) : (
        <p className="m-auto p-10 text-stone-400">No notes. Write the first one.</p>
      )}
    </main>
  );
}
