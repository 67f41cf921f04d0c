export function History({ values }: { values: number[] }) {
  const low = Math.min(...values);
  const range = Math.max(...values) - low || 1;
  const points = values
    .map((value, index) => {
      const x = values.length === 1 ? 0 : (index / (values.length - 1)) * 300;
      return `${x.toFixed(1)},${(46 - ((value - low) / range) * 42).toFixed(1)}`;
    })
    .join(" ");

  return (
    <figure className="mt-8">
      <svg viewBox="0 0 300 50" className="h-12 w-full overflow-visible" role="img" aria-label="History">
        <polyline
          points={points}
          fill="none"
          strokeWidth="2.5"
          strokeLinejoin="round"
          strokeLinecap="round"
          className="stroke-(--accent)"
        />
      </svg>
      <figcaption className="mt-2 text-xs text-slate-500">
        {values.length === 1 ? "Count something to see its history" : `Last ${values.length} values`}
      </figcaption>
    </figure>
  );
}
