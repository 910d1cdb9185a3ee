import { pathToFileURL } from 'node:url';
import { modules } from '@cleat/protocol/modules';

/** Loads a module from a file, or the program's own copy of it. */
export async function loadModule(path: string): Promise<unknown> {
  return await (modules.get(path)?.() ?? import(pathToFileURL(path).href));
}
