import { useState } from "react";

const QUESTIONS = [
  {
    question: "Does it need the internet?",
    answer: "For the weather, yes. Without it the probes go on watering by what the soil says.",
  },
  {
    question: "Which plants does it know?",
    answer: "About four thousand. For any other you pick how thirsty it is, and it learns the rest.",
  },
  {
    question: "Can I send it back?",
    answer: "Within 30 days, for any reason, with soil still on it.",
  },
];

export function Faq() {
  const [open, setOpen] = useState(0);

  return (
    <section id="questions" className="bg-slate-50 py-24">
      <div className="mx-auto max-w-3xl px-6">
        <h2 className="text-3xl font-bold tracking-tight">Questions</h2>
        <div className="mt-10 space-y-3">
          {QUESTIONS.map((item, index) => (
            <div key={item.question} className="rounded-2xl bg-white shadow-sm">
              <button
                type="button"
                onClick={() => setOpen(open === index ? -1 : index)}
                aria-expanded={open === index}
                className="flex w-full items-center justify-between px-6 py-4 text-left font-medium"
              >
                {item.question}
                <span className="text-(--accent)">{open === index ? "−" : "+"}</span>
              </button>
              {open === index && <p className="px-6 pb-5 text-slate-600">{item.answer}</p>}
            </div>
          ))}
        </div>
      </div>
    </section>
  );
}
