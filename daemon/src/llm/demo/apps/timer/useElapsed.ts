import { useEffect, useState } from "react";

/** Milliseconds that a clock has run, however often it was paused. */
export function useElapsed() {
  const [before, setBefore] = useState(0);
  const [startedAt, setStartedAt] = useState<number | null>(null);
  const [now, setNow] = useState(0);

  const running = startedAt !== null;
  const elapsed = before + (startedAt === null ? 0 : Math.max(now - startedAt, 0));

  useEffect(() => {
    if (!running) return;
    const interval = setInterval(() => setNow(Date.now()), 50);
    return () => clearInterval(interval);
  }, [running]);

  function toggle() {
    const moment = Date.now();
    if (startedAt === null) {
      setNow(moment);
      setStartedAt(moment);
    } else {
      setBefore(before + moment - startedAt);
      setStartedAt(null);
    }
  }

  function reset() {
    setBefore(0);
    setStartedAt(null);
  }

  return { elapsed, running, toggle, reset };
}
