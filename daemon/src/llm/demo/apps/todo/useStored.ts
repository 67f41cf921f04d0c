import { useEffect, useState } from "react";

/** State that survives a reload, where the browser lets us keep it. */
export function useStored<T>(key: string, initial: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => {
    try {
      const stored = localStorage.getItem(key);
      return stored === null ? initial : (JSON.parse(stored) as T);
    } catch {
      return initial;
    }
  });

  useEffect(() => {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // A private window keeps nothing, and the app works all the same.
    }
  }, [key, value]);

  return [value, setValue];
}
