export type Task = { id: string; text: string; done: boolean };

type Props = {
  task: Task;
  onChange: (task: Task) => void;
  onRemove: () => void;
};

export function TaskItem({ task, onChange, onRemove }: Props) {
  return (
    <li className="group flex items-center gap-3 py-3">
      <label className="flex flex-1 cursor-pointer items-center gap-3">
        <input
          type="checkbox"
          checked={task.done}
          onChange={(event) => onChange({ ...task, done: event.target.checked })}
          className="size-5 accent-(--accent)"
        />
        <span className={task.done ? "text-stone-400 line-through" : ""}>{task.text}</span>
      </label>
      <button
        type="button"
        onClick={onRemove}
        aria-label={`Remove ${task.text}`}
        className="rounded-md px-2 text-stone-300 transition hover:text-red-500 focus:text-red-500"
      >
        ✕
      </button>
    </li>
  );
}
