export default function App() {
  return (
    <main className="flex min-h-screen items-center justify-center bg-stone-50 p-6 text-stone-800 dark:bg-stone-950 dark:text-stone-200">
      <div className="max-w-md text-center">
        <img src="/favicon.svg" alt="" className="mx-auto size-14" />
        <h1 className="mt-6 text-2xl font-semibold tracking-tight">Ready for your first prompt</h1>
        <p className="mt-3 text-stone-500 dark:text-stone-400">
          React, Vite and Tailwind are running. Say what this app should do, and it appears here.
        </p>
      </div>
    </main>
  );
}
