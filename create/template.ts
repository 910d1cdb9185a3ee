import { existsSync, readFileSync } from 'node:fs';

/** Beside `dist/`, as packed; beside the sources in a checkout. */
const roots = [new URL('./templates/', import.meta.url), new URL('../templates/', import.meta.url)];

/** The text of a template. @param path below `templates/` */
export function template(path: string): string {
  const found = roots.map((root) => new URL(path, root)).find((url) => existsSync(url));
  if (!found) throw new Error(`the template ${path} is missing: is the package installed as a whole?`);
  return readFileSync(found, 'utf8');
}
