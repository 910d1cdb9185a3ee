import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const { resolve } = createRequire(import.meta.url);

/** The manifest of the batteries, if they are installed (the engine runs without any), and then the operator's. */
export function manifestPaths(further: readonly string[]): string[] {
  let batteries: string[];
  try {
    batteries = [join(dirname(resolve('@cleat/batteries/package.json')), 'manifest.yaml')];
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error;
    // Not installed.
    batteries = [];
  }
  return [...batteries, ...further];
}
