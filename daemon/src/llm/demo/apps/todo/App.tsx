import type { CSSProperties } from "react";
import { useState } from "react";
import { TaskForm } from "./components/TaskForm";
import { TaskItem } from "./components/TaskItem";
import type { Task } from "./components/TaskItem";
import { useStored } from "./useStored";

const TITLE = "Today";
const TAGLINE = "A short list is a list that gets done.";
const ACCENT = "#4f46e5";

const FIRST_TASKS: Task[] = [
  { id: "1", text: "Water the plants", done: true },
  { id: "2", text: "Answer Mira's letter", done: false },
  { id: "3", text: "Book the train for Friday", done: false },
];

const FILTERS = ["All", "Open", "Done"] as const;
type Filter = (typeof FILTERS)[number];

export default function App() {
  const [tasks, setTasks] = useStored<Task[]>("tasks", FIRST_TASKS);
  const [filter, setFilter] = useState<Filter>("All");

  const done = tasks.filter((task) => task.done).length;
  const open = tasks.length - done;
  const shown = tasks.filter((task) => filter === "All" || task.done === (filter === "Done"));
  const percent = tasks.length === 0 ? 0 : Math.round((done / tasks.length) * 100);

  function add(text: string) {
    setTasks([{ id: Date.now().toString(36), text, done: false }, ...tasks]);
  }

  function change(changed: Task) {
    setTasks(tasks.map((task) => (task.id === changed.id ? changed : task)));
  }

  return (
    <main
      style={{ "--accent": ACCENT } as CSSProperties}
      className="min-h-screen bg-stone-100 px-4 py-12 text-stone-800 sm:py-20"
    >
      <div className="mx-auto max-w-lg">
        <header className="mb-8">
          <h1 className="text-4xl font-bold tracking-tight text-(--accent)">{TITLE}</h1>
          <p className="mt-2 text-stone-500">{TAGLINE}</p>
        </header>

        <section className="rounded-3xl bg-white p-6 shadow-xl shadow-stone-300/40">
          <TaskForm onAdd={add} />

          <div className="mt-6 flex items-center gap-3">
            <div className="h-2 flex-1 overflow-hidden rounded-full bg-stone-100">
              <div
                className="h-full rounded-full bg-(--accent) transition-all duration-500"
                style={{ width: `${percent}%` }}
              />
            </div>
            <span className="w-10 text-right text-sm text-stone-500 tabular-nums">{percent}%</span>
          </div>

          <ul className="mt-4 divide-y divide-stone-100">
            {shown.map((task) => (
              <TaskItem
                key={task.id}
                task={task}
                onChange={change}
                onRemove={() => setTasks(tasks.filter((other) => other.id !== task.id))}
              />
            ))}
          </ul>
          {shown.length === 0 && (
            <p className="py-10 text-center text-stone-400">
              {filter === "Done" ? "Nothing done yet." : "Nothing left. Go outside."}
            </p>
          )}

          <footer className="mt-4 flex items-center justify-between text-sm">
            <span className="text-stone-500">{open} open</span>
            <div className="flex gap-1 rounded-full bg-stone-100 p-1">
              {FILTERS.map((name) => (
                <button
                  key={name}
                  type="button"
                  onClick={() => setFilter(name)}
                  aria-pressed={filter === name}
                  className={`rounded-full px-3 py-1 transition ${
                    filter === name ? "bg-white font-medium shadow-sm" : "text-stone-500"
                  }`}
                >
                  {name}
                </button>
              ))}
            </div>
            <button
              type="button"
              onClick={() => setTasks(tasks.filter((task) => !task.done))}
              disabled={done === 0}
              className="text-stone-500 transition hover:text-(--accent) disabled:opacity-30"
            >
              Clear done
            </button>
          </footer>
        </section>
      </div>
    </main>
  );
}
