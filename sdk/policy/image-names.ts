/**
 * An image's name in its one spelling, as engines understand it: `busybox` is `docker.io/library/busybox:latest`. An ID
 * stays as it is.
 */
export function imageName(text: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) return text.startsWith('sha256:') ? text : `sha256:${text}`;
  const [name = '', digest] = text.split('@', 2);
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const host = isHost ? first.replace(/^(index\.)?docker\.io$/, 'docker.io') : 'docker.io';
  const rest = isHost ? name.slice(slash + 1) : name;
  const path = host === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
  const tagged = /:[^/]*$/.test(path) || digest !== undefined ? path : `${path}:latest`;
  return `${host}/${tagged}${digest === undefined ? '' : `@${digest}`}`;
}

/** A pattern of names in the same spelling; `*` in place of a tag stands for all of them, and so does none beside a `*`. */
export function imagePattern(text: string): string {
  if (text === '*' || text.startsWith('*') || text.startsWith('sha256:')) return text;
  const name = imageName(text);
  return text.endsWith('*') && name.endsWith('*:latest') ? name.slice(0, -':latest'.length) : name;
}
