import type { Collection, Store } from './service.js';

/** Collections in memory, for tests of what does not care where they lie. */
export function memoryStore(): Pick<Store, 'collection'> {
  const collections = new Map<string, Map<string, object>>();
  return {
    collection<T extends object>(name: string) {
      const values = collections.get(name) ?? new Map<string, object>();
      collections.set(name, values);
      const copy = (value: object | undefined) => structuredClone(value) as T | undefined;
      return {
        get: (key) => copy(values.get(key)),
        put: (key, value) => void values.set(key, structuredClone(value)),
        delete: (key) => void values.delete(key),
        entries: () => [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, copy(value)]),
      } as Collection<T>;
    },
  };
}
