export type Card = { id: string; text: string; column: number };

export const COLUMNS = ["Ideas", "Doing", "Done"];

export const FIRST_CARDS: Card[] = [
  { id: "1", text: "Say in one sentence who it is for", column: 2 },
  { id: "2", text: "Draw the first screen on paper", column: 1 },
  { id: "3", text: "Show it to somebody who was not asked", column: 0 },
  { id: "4", text: "Leave out half of it", column: 0 },
];
