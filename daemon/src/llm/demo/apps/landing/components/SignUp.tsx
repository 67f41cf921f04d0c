import { useState } from "react";

export function SignUp() {
  const [email, setEmail] = useState("");
  const [sent, setSent] = useState(false);

  return (
    <section id="start" className="px-6 py-24">
      <div className="mx-auto max-w-4xl rounded-3xl bg-(--accent) px-8 py-16 text-center text-white">
        <h2 className="text-3xl font-bold">Start this weekend</h2>
        {sent ? (
          <p className="mt-6 text-lg" role="status">
            Thank you. We will write to {email}.
          </p>
        ) : (
          <form
            className="mx-auto mt-8 flex max-w-md flex-col gap-3 sm:flex-row"
            onSubmit={(event) => {
              event.preventDefault();
              setSent(true);
            }}
          >
            <input
              type="email"
              required
              value={email}
              onChange={(event) => setEmail(event.target.value)}
              placeholder="you@example.org"
              aria-label="Email"
              className="flex-1 rounded-full bg-white px-5 py-3 text-slate-800 outline-none"
            />
            <button
              type="submit"
              className="rounded-full bg-slate-900 px-6 py-3 font-semibold transition hover:bg-slate-700"
            >
              Send me a kit
            </button>
          </form>
        )}
      </div>
    </section>
  );
}
