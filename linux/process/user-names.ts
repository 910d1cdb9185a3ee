import { readFileSync, statSync } from 'node:fs';

const accounts = '/etc/passwd';
/** How long what was read is taken for true, in ms. */
const trustedMs = 1_000;

let known:
  | { readonly names: ReadonlyMap<number, string>; readonly version: string; readonly looked: number }
  | undefined;

/** The name of a user of this host, from /etc/passwd: not one of a directory service, which may take its time. */
export function userName(uid: number): string | undefined {
  return names().get(uid);
}

function names(): ReadonlyMap<number, string> {
  const now = performance.now();
  if (known && now - known.looked < trustedMs) return known.names;
  try {
    const { mtimeMs, size, ino } = statSync(accounts);
    const version = `${mtimeMs} ${size} ${ino}`;
    const names = known?.version === version ? known.names : parsed(readFileSync(accounts, 'utf8'));
    known = { names, version, looked: now };
  } catch {
    // A host without that file has no names.
    known = { names: new Map(), version: '', looked: now };
  }
  return known.names;
}

/** The first name of a UID is the one that the C library tells. */
function parsed(text: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid && /^\d+$/.test(uid) && !found.has(Number(uid))) found.set(Number(uid), name);
  }
  return found;
}
