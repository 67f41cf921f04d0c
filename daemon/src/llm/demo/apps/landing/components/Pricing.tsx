import { useState } from "react";

const PLANS = [
  { name: "Balcony", month: 4, points: ["6 plants", "Weather", "Phone app"] },
  { name: "Garden", month: 9, points: ["40 plants", "Weather and frost", "Sharing", "Camera"] },
  { name: "Grower", month: 29, points: ["500 plants", "Several sites", "Reports", "Support by phone"] },
];

export function Pricing() {
  const [yearly, setYearly] = useState(true);

  return (
    <section id="pricing" className="mx-auto max-w-6xl px-6 py-24">
      <div className="flex flex-wrap items-end justify-between gap-6">
        <h2 className="text-3xl font-bold tracking-tight">One price, no surprises</h2>
        <label className="flex cursor-pointer items-center gap-3 text-sm text-slate-600">
          <input
            type="checkbox"
            checked={yearly}
            onChange={(event) => setYearly(event.target.checked)}
            className="size-4 accent-(--accent)"
          />
          Pay by the year, two months free
        </label>
      </div>

      <div className="mt-12 grid gap-6 md:grid-cols-3">
        {PLANS.map((plan) => {
          const featured = plan.name === "Garden";
          return (
            <article
              key={plan.name}
              className={`rounded-3xl border p-8 ${
                featured ? "border-(--accent) shadow-xl" : "border-slate-200"
              }`}
            >
              <h3 className="font-semibold">{plan.name}</h3>
              <p className="mt-4 text-4xl font-extrabold tabular-nums">
                ${yearly ? plan.month * 10 : plan.month}
                <span className="text-base font-normal text-slate-500">
                  {yearly ? " a year" : " a month"}
                </span>
              </p>
              <ul className="mt-6 space-y-2 text-slate-600">
                {plan.points.map((point) => (
                  <li key={point}>
                    <span className="mr-2 text-(--accent)">✓</span>
                    {point}
                  </li>
                ))}
              </ul>
              <a
                href="#start"
                className={`mt-8 block rounded-full py-3 text-center font-semibold transition ${
                  featured ? "bg-(--accent) text-white hover:opacity-90" : "bg-slate-100 hover:bg-slate-200"
                }`}
              >
                Choose {plan.name}
              </a>
            </article>
          );
        })}
      </div>
    </section>
  );
}
