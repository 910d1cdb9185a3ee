import type { ParseArgsConfig } from 'node:util';

/** Options of every command that asks an engine: how it is reached, as `docker` takes them. */
export const engineOptions = {
  host: { type: 'string', short: 'H' },
  context: { type: 'string', short: 'c' },
  tls: { type: 'boolean' },
  tlsverify: { type: 'boolean' },
  tlscacert: { type: 'string' },
  tlscert: { type: 'string' },
  tlskey: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

export interface EngineOptions {
  readonly host?: string | undefined;
  readonly context?: string | undefined;
  readonly tls?: boolean | undefined;
  readonly tlsverify?: boolean | undefined;
  readonly tlscacert?: string | undefined;
  readonly tlscert?: string | undefined;
  readonly tlskey?: string | undefined;
}

/** For the help of these commands. */
export const engineOptionsHelp = `
The engine is found as the docker CLI finds it:
  -H, --host HOST        unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]; else DOCKER_HOST
  -c, --context NAME     A context of the docker CLI; else DOCKER_CONTEXT, else the one that "docker context use" chose
      --tls, --tlsverify, --tlscacert FILE, --tlscert FILE, --tlskey FILE
                         TLS on TCP; else DOCKER_TLS, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH
`;
