import type { RegistryAuth } from '@cleat/protocol/api/image';
import { parseJson } from '@cleat/protocol/json';

/**
 * `X-Registry-Auth`: base64 (standard or URL-safe) of JSON. What cannot be read counts as no credentials, as in Docker:
 * a pull may well succeed without.
 */
export function decodeAuth(header: string | string[] | undefined): RegistryAuth | undefined {
  if (typeof header !== 'string' || header === '') return undefined;
  try {
    const value = parseJson(Buffer.from(header, 'base64').toString());
    if (typeof value !== 'object' || value === null) return undefined;
    const fields = new Map(Object.entries(value).map(([key, field]) => [key.toLowerCase(), field]));
    const text = (key: string): string | undefined => {
      const field: unknown = fields.get(key);
      return typeof field === 'string' && field !== '' ? field : undefined;
    };
    return {
      username: text('username'),
      password: text('password'),
      auth: text('auth'),
      email: text('email'),
      serveraddress: text('serveraddress'),
      identitytoken: text('identitytoken'),
      registrytoken: text('registrytoken'),
    };
  } catch {
    return undefined; // not JSON: no credentials
  }
}
