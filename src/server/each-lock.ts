/** The same for each lock of a list, side by side. */

/** Does all of it even if some of it is refused; then throws the first refusal. */
export function allOf<Item, Result>(
  items: readonly Item[],
  act: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const [only] = items;
  // Mostly it is one.
  if (items.length === 1 && only !== undefined) return act(only, 0).then((result) => [result]);
  return allOfMany(items, act);
}

async function allOfMany<Item, Result>(
  items: readonly Item[],
  act: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const outcomes = await Promise.allSettled(items.map(act));
  return outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}
