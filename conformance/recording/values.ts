/**
 * A copy of a JSON value with some of its parts replaced.
 * @param replace is given each part with the key it stands under (in a list: that of the list); undefined lets it stay
 */
export function mapValues(
  value: unknown,
  replace: (part: unknown, key: string | undefined) => unknown,
  key?: string,
): unknown {
  const instead = replace(value, key);
  if (instead !== undefined) return instead;
  if (Array.isArray(value)) return value.map((item) => mapValues(item, replace, key));
  if (typeof value !== 'object' || value === null) return value;
  // By way of entries, so that a key such as `__proto__` is a key like any other.
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, mapValues(part, replace, name)]));
}
