import type { RegistryAuth } from '@cleat/protocol/api/image';
import { systemError, unauthorized } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { registryError } from './errors.js';
import { retryAfterOf } from './retry.js';
import type { Transport } from './transport.js';

export interface Challenge {
  scheme: string;
  parameters: Record<string, string>;
}

/** Reads `WWW-Authenticate: Bearer realm="…",service="…"` (RFC 7235). */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const match = /^\s*(\w+)\s*(.*)$/s.exec(header ?? '');
  if (!match) return undefined;
  const parameters: Record<string, string> = {};
  for (const [, key = '', quoted, plain] of (match[2] ?? '').matchAll(/(\w+)=(?:"((?:\\.|[^"\\])*)"|([^\s,]+))/g)) {
    parameters[key.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '';
  }
  return { scheme: (match[1] ?? '').toLowerCase(), parameters };
}

/**
 * Gives requests to one repository their `Authorization`. Credentials go to the registry itself (Basic) or to the
 * token server that it names, never further: that server must be reached by HTTPS, unless the registry itself is
 * spoken to by plain HTTP, and must not be an address of this host unless the registry is one.
 */
export class Authorizer {
  readonly #transport: Transport;
  readonly #scopes: Set<string>;
  readonly #auth: RegistryAuth;
  #header: string | undefined;
  #renewing: Promise<string | undefined> | undefined;

  constructor(transport: Transport, scope: string, auth: RegistryAuth | undefined) {
    this.#transport = transport;
    this.#scopes = new Set(scope === '' ? [] : [scope]);
    this.#auth = withDecodedPair(auth ?? {});
    if (this.#auth.registrytoken) this.#header = `Bearer ${this.#auth.registrytoken}`;
  }

  get header(): string | undefined {
    return this.#header;
  }

  /** From now on tokens are asked for with this scope, too. One that the client brought stays as it is. */
  widen(scope: string): void {
    if (this.#scopes.has(scope)) return;
    this.#scopes.add(scope);
    if (!this.#auth.registrytoken && this.#header?.startsWith('Bearer ')) this.#header = undefined;
  }

  /** No longer asks for it: the token server refuses all because of it, or it is of no use. */
  narrow(scope: string): void {
    this.#scopes.delete(scope);
  }

  /**
   * Answers a 401. Several requests that meet it at once share one renewal.
   * @returns the new header, or undefined when there is nothing better to offer
   * @throws Unauthorized, what the token server said, or System `no basic auth credentials`
   */
  async renew(challenge: Challenge | undefined, signal: AbortSignal): Promise<string | undefined> {
    this.#renewing ??= this.#answer(challenge, signal).finally(() => {
      this.#renewing = undefined;
    });
    const header = await this.#renewing;
    this.#header = header ?? this.#header;
    return header;
  }

  async #answer(challenge: Challenge | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { username, password, registrytoken } = this.#auth;
    if (registrytoken || !challenge) return undefined;
    if (challenge.scheme === 'basic') {
      // No Unauthorized: at that the docker CLI asks for a name, and a script waits for ever.
      if (!username) throw systemError('no basic auth credentials');
      return basic(username, password ?? '');
    }
    if (challenge.scheme !== 'bearer') return undefined;
    return `Bearer ${await this.#token(challenge.parameters, signal)}`;
  }

  async #token(parameters: Record<string, string>, signal: AbortSignal): Promise<string> {
    const url = this.#realm(parameters.realm ?? '');
    const { username, password, identitytoken } = this.#auth;
    const service = parameters.service ?? '';
    let headers: Record<string, string> = {};
    let body: string | undefined;
    if (identitytoken) {
      const form = { grant_type: 'refresh_token', service, scope: [...this.#scopes].join(' '), client_id: 'cleat' };
      body = new URLSearchParams({ ...form, refresh_token: identitytoken }).toString();
      headers = { 'content-type': 'application/x-www-form-urlencoded' };
    } else {
      if (service) url.searchParams.set('service', service);
      for (const scope of this.#scopes) url.searchParams.append('scope', scope);
      if (username) {
        url.searchParams.set('account', username);
        headers = { authorization: basic(username, password ?? '') };
      }
    }
    const method = body === undefined ? 'GET' : 'POST';
    const answer = await this.#transport.send({ method, url, headers, ...(body !== undefined && { body }), signal });
    // A redirect would carry the credentials to whom nobody named.
    if (answer.status !== 200) {
      const after = retryAfterOf(answer.headers['retry-after']);
      throw registryError(answer.status, await answer.errorText(), `token from ${url.host}`, after);
    }
    const text = await answer.bytes(this.#transport.limits.token, 'the answer of the token server');
    return tokenIn(text.toString('utf8'));
  }

  #realm(text: string): URL {
    if (!URL.canParse(text)) throw unauthorized('the registry names no valid token server');
    const url = new URL(text);
    const { endpoint } = this.#transport;
    const plainAllowed = endpoint.base.protocol === 'http:' && endpoint.insecure;
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && plainAllowed)) {
      throw unauthorized(`refusing to send credentials to the token server ${url.protocol}//${url.host} without TLS`);
    }
    if (url.username || url.password) throw unauthorized('the registry names a token server with credentials in it');
    return url;
  }
}

function tokenIn(text: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw unauthorized('the token server did not answer with JSON', { cause });
  }
  const token = isRecord(parsed) ? parsed.token || parsed.access_token : undefined;
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw unauthorized('the token server did not include a token in its answer');
  }
  return token;
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Old clients send user and password as one base64 text. */
function withDecodedPair(auth: RegistryAuth): RegistryAuth {
  if (auth.username || !auth.auth) return auth;
  const pair = Buffer.from(auth.auth, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? auth : { ...auth, username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
