// A passage around what is marked in it. Offsets count characters; JavaScript would count two for 𠮷.

export function cut(passage, item) {
  const from = Math.max(item.start, passage.start) - passage.start, to = Math.min(item.end, passage.end) - passage.start;
  if (from >= to) return null;
  const letters = Array.from(passage.text);
  return [letters.slice(0, from), letters.slice(from, to), letters.slice(to)].map((part) => part.join(""));
}
