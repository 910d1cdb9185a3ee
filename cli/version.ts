import { readFileSync } from 'node:fs';

/** This release's own number, from the package that is running (as `dist/` or as source). */
export function cleatVersion(): string {
  const packageRoot = new URL(import.meta.url.includes('/dist/') ? '../' : './', import.meta.url);
  const manifest: unknown = JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '0.0.0';
}
