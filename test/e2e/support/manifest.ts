import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const manifest = new URL('../../../batteries/manifest.yaml', import.meta.url);

/** What ships in the box, by its entry in the manifest. */
export const batteries: readonly string[] = Object.keys(
  (parse(readFileSync(manifest, 'utf8')) as { extensions: Record<string, unknown> }).extensions,
);
