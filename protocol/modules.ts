/**
 * Extension modules that are part of the program itself, by the path under which they would be found: a bundle fills
 * this (packaging/bundle.mjs). So an extension shares what it imports with its program, instead of loading it once more.
 */
export const modules = new Map<string, () => Promise<unknown>>();
