import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const manifest = new URL('../../../batteries/manifest.yaml', import.meta.url);

/** The batteries in the box, by their entries in the manifest. */
export const batteries: readonly string[] = Object.keys(
  (parse(readFileSync(manifest, 'utf8')) as { extensions: Record<string, unknown> }).extensions,
);
