const RADIUS = 70;
const LENGTH = 2 * Math.PI * RADIUS;

export function Ring({ value, goal }: { value: number; goal: number }) {
  const part = Math.min(Math.max(value / goal, 0), 1);

  return (
    <div className="relative mx-auto my-8 size-48">
      <svg viewBox="0 0 160 160" className="size-full -rotate-90" aria-hidden="true">
        <circle cx="80" cy="80" r={RADIUS} fill="none" strokeWidth="10" className="stroke-slate-700" />
        <circle
          cx="80"
          cy="80"
          r={RADIUS}
          fill="none"
          strokeWidth="10"
          strokeLinecap="round"
          strokeDasharray={LENGTH}
          strokeDashoffset={LENGTH * (1 - part)}
          className="stroke-(--accent) transition-all duration-300"
          opacity={part === 0 ? 0 : 1}
        />
      </svg>
      <div className="absolute inset-0 flex flex-col items-center justify-center">
        <output className="text-5xl font-black tabular-nums">{value}</output>
        <span className="mt-1 text-xs text-slate-400">
          {value >= goal ? "goal reached" : `of ${goal}`}
        </span>
      </div>
    </div>
  );
}
