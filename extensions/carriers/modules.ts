import { pathToFileURL } from 'node:url';

/**
 * Modules that are part of the program itself, by the path under which they would be found: a bundle fills this
 * (packaging/bundle.mjs). So an extension shares what it imports with the engine, instead of loading it once more.
 */
export const modules = new Map<string, () => Promise<unknown>>();

/** Loads a module from a file, or the program's own copy of it. */
export async function loadModule(path: string): Promise<unknown> {
  return await (modules.get(path)?.() ?? import(pathToFileURL(path).href));
}
