/** Names of the interfaces in the text of /proc/PID/net/dev (proc(5)). */
export function parseInterfaceNames(text: string): Set<string> {
  const lines = text.split('\n').slice(2);
  // `  eth0: 1234 …`; a name may contain a colon, what follows has none.
  return new Set(lines.map((line) => line.slice(0, line.lastIndexOf(':')).trim()).filter(Boolean));
}
