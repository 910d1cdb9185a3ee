import { isRecord, parseJson } from '@cleat/protocol/json';

type Credentials = Record<string, string>;

/**
 * `X-Registry-Config`: base64 of JSON with the client's credentials by registry, as its configuration has them
 * (`https://index.docker.io/v1/`). What cannot be read counts as no credentials, as in Docker.
 * @returns them by the registry's host (`docker.io`)
 */
export function registryConfig(header: string | string[] | undefined): Record<string, Credentials> | undefined {
  if (typeof header !== 'string' || header === '') return undefined;
  let value: unknown;
  try {
    value = parseJson(Buffer.from(header, 'base64').toString());
  } catch {
    return undefined; // Not JSON: no credentials.
  }
  if (!isRecord(value)) return undefined;
  const byHost = Object.entries(value).flatMap(([registry, credentials]): [string, Credentials][] => {
    if (!isRecord(credentials)) return [];
    const texts = Object.entries(credentials)
      .filter((pair): pair is [string, string] => typeof pair[1] === 'string' && pair[1] !== '')
      .map(([name, text]): [string, string] => [name.toLowerCase(), text]);
    return texts.length === 0 ? [] : [[hostOf(registry), Object.fromEntries(texts)]];
  });
  return byHost.length === 0 ? undefined : Object.fromEntries(byHost);
}

function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//i, '').split('/', 1)[0] ?? '';
  return ['index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host;
}
