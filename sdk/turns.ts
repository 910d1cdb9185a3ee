/**
 * Calls for one thing, a volume or an endpoint, run one after the other; a dead server behind one holds up no other.
 * @example
 * const inTurn = turns();
 * Mount: ({ Name }) => inTurn(Name, () => mount(Name)),
 */
export function turns() {
  const tails = new Map<string, Promise<unknown>>();
  return <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const before = tails.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    const tail = mine.then(
      () => {},
      () => {}, // The caller hears of it; the next in turn must not.
    );
    tails.set(name, tail);
    void tail.then(() => {
      if (tails.get(name) === tail) tails.delete(name);
    });
    return mine;
  };
}
