/** As Docker sets it where a process is given none. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Later entries replace earlier ones of the same name; a name without `=` removes it. */
export function mergeEnvironment(base: readonly string[], own: readonly string[]): string[] {
  const byName = new Map<string, string>();
  for (const entry of [...base, ...own]) {
    const at = entry.indexOf('=');
    if (at < 0) byName.delete(entry);
    else byName.set(entry.slice(0, at), entry);
  }
  return [...byName.values()];
}
