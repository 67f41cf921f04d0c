import type { CSSProperties } from "react";
import { Faq } from "./components/Faq";
import { Features } from "./components/Features";
import { Pricing } from "./components/Pricing";
import { SignUp } from "./components/SignUp";

const TITLE = "Gardens that look after themselves";
const TAGLINE = "Sprout measures soil, light and weather, and waters each plant as much as it needs.";
const ACCENT = "#15803d";

export default function App() {
  return (
    <div style={{ "--accent": ACCENT } as CSSProperties} className="bg-white text-slate-800">
      <nav className="sticky top-0 z-10 border-b border-slate-100 bg-white/80 backdrop-blur">
        <div className="mx-auto flex max-w-6xl items-center justify-between px-6 py-4">
          <a href="#top" className="text-lg font-bold text-(--accent)">
            sprout
          </a>
          <div className="hidden gap-8 text-sm text-slate-600 sm:flex">
            <a href="#features" className="hover:text-(--accent)">
              Features
            </a>
            <a href="#pricing" className="hover:text-(--accent)">
              Pricing
            </a>
            <a href="#questions" className="hover:text-(--accent)">
              Questions
            </a>
          </div>
          <a
            href="#start"
            className="rounded-full bg-(--accent) px-4 py-2 text-sm font-semibold text-white transition hover:opacity-90"
          >
            Get started
          </a>
        </div>
      </nav>

      <header id="top" className="relative overflow-hidden">
        <div className="absolute -top-40 right-0 size-[36rem] rounded-full bg-(--accent)/10 blur-3xl" />
        <div className="relative mx-auto max-w-6xl px-6 py-24 sm:py-32">
          <p className="mb-4 inline-block rounded-full bg-(--accent)/10 px-3 py-1 text-sm font-medium text-(--accent)">
            New: balcony kit
          </p>
          <h1 className="max-w-3xl text-5xl font-extrabold tracking-tight sm:text-6xl">{TITLE}</h1>
          <p className="mt-6 max-w-xl text-lg text-slate-600">{TAGLINE}</p>
          <div className="mt-10 flex flex-wrap gap-4">
            <a
              href="#start"
              className="rounded-full bg-(--accent) px-6 py-3 font-semibold text-white shadow-lg transition hover:-translate-y-0.5"
            >
              Try it for 30 days
            </a>
            <a
              href="#features"
              className="rounded-full border border-slate-200 px-6 py-3 font-semibold transition hover:border-(--accent)"
            >
              How it works
            </a>
          </div>
        </div>
      </header>

      <Features />
      <Pricing />
      <Faq />
      <SignUp />

      <footer className="border-t border-slate-100 py-10 text-center text-sm text-slate-500">
        Sprout Garden Systems. Made with patience.
      </footer>
    </div>
  );
}
