const FEATURES = [
  {
    icon: "💧",
    title: "Water to the drop",
    text: "A probe beside each root says when it is dry. Nothing is watered on a schedule.",
  },
  {
    icon: "🌤️",
    title: "Knows the weather",
    text: "Rain tomorrow means no watering today. Frost tonight means a word to you in time.",
  },
  {
    icon: "🔋",
    title: "Years without a cable",
    text: "A palm-sized solar cell is enough, in winter too. There is no battery to change.",
  },
];

export function Features() {
  return (
    <section id="features" className="bg-slate-50 py-24">
      <div className="mx-auto max-w-6xl px-6">
        <h2 className="text-3xl font-bold tracking-tight">Less work, more garden</h2>
        <div className="mt-12 grid gap-6 md:grid-cols-3">
          {FEATURES.map((feature) => (
            <article
              key={feature.title}
              className="rounded-3xl bg-white p-8 shadow-sm transition hover:-translate-y-1 hover:shadow-lg"
            >
              <div className="grid size-12 place-items-center rounded-2xl bg-(--accent)/10 text-2xl">
                {feature.icon}
              </div>
              <h3 className="mt-6 text-lg font-semibold">{feature.title}</h3>
              <p className="mt-2 text-slate-600">{feature.text}</p>
            </article>
          ))}
        </div>
      </div>
    </section>
  );
}
