import { readFileSync } from 'node:fs';

/** A value for every variable that a manifest uses, so that a test of something else need not know them. */
export function anyVariables(manifest: string, value = ''): Record<string, string> {
  const names = [...readFileSync(manifest, 'utf8').matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name);
  return Object.fromEntries(names.map((name) => [name, value]));
}
