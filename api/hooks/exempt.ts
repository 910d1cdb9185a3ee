/** Pages that say what hooks do: they answer even when a hook that is gone refuses all the rest. */
export function isOwnRoute(path: string): boolean {
  return path.startsWith('/cleat/hooks');
}

/** A password goes in and a token comes out: no hook sees either. */
export function isSecretRoute(path: string): boolean {
  return path === '/auth';
}
