export type Note = {
  id: string;
  title: string;
  body: string;
  pinned: boolean;
  changed: number;
};

const HOUR = 3_600_000;

export const FIRST_NOTES: Note[] = [
  {
    id: "bread",
    title: "Bread, second try",
    body: "Less water this time: 340 g for 500 g of flour.\n\nOvernight in the fridge, then 45 minutes at 230 degrees, the first 20 with the lid on.",
    pinned: true,
    changed: Date.now() - 2 * HOUR,
  },
  {
    id: "trip",
    title: "Lisbon in spring",
    body: "- Tram 28 early in the morning\n- The tile museum\n- Dinner in Alfama, ask Rita where",
    pinned: false,
    changed: Date.now() - 26 * HOUR,
  },
  {
    id: "books",
    title: "To read",
    body: "The Left Hand of Darkness\nInvisible Cities\nThe Dispossessed",
    pinned: false,
    changed: Date.now() - 75 * HOUR,
  },
];

export function newNote(): Note {
  return { id: Date.now().toString(36), title: "", body: "", pinned: false, changed: Date.now() };
}

/** How long ago, in one word or two. */
export function ago(moment: number): string {
  const hours = Math.floor((Date.now() - moment) / HOUR);
  if (hours < 1) return "just now";
  if (hours < 24) return `${hours} h ago`;
  return `${Math.floor(hours / 24)} d ago`;
}
