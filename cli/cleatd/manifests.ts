import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The manifest of the batteries, if they are installed (the engine runs without any), and then the operator's. */
export function manifestPaths(further: readonly string[]): string[] {
  let batteries: string[];
  try {
    batteries = [join(dirname(fileURLToPath(import.meta.resolve('@cleat/batteries/package.json'))), 'manifest.yaml')];
  } catch {
    // Not installed.
    batteries = [];
  }
  return [...batteries, ...further];
}
