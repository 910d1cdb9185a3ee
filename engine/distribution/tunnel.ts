import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { setTimeout } from '@cleat/protocol/guard';
import { ProxyError, proxyHeaders } from './proxy.js';
import { statusText } from './wording.js';

/** An agent for HTTPS through a proxy: each connection is a tunnel (`CONNECT`) in which TLS is spoken with the server. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #patience: number;

  /** @param patience milliseconds until the proxy has answered */
  constructor(proxy: URL, patience: number, options: https.AgentOptions) {
    super(options);
    this.#proxy = proxy;
    this.#patience = patience;
  }

  override createConnection(
    options: https.RequestOptions,
    callback?: (error: Error | null, stream: Socket) => void,
  ): undefined {
    const done = callback as (error: Error | null, stream?: Socket) => void;
    const host = String(options.host ?? '');
    const target = `${host.includes(':') ? `[${host}]` : host}:${options.port ?? 443}`;
    const request = (this.#proxy.protocol === 'https:' ? https : http).request({
      host: this.#proxy.hostname.replace(/^\[|\]$/g, ''),
      port: this.#proxy.port || (this.#proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...proxyHeaders(this.#proxy) },
      agent: false,
    });
    const late = setTimeout(() => request.destroy(new Error('the proxy does not answer')), this.#patience);
    const fail = (error: Error): void => {
      clearTimeout(late);
      done(new ProxyError(`proxyconnect tcp: ${this.#proxy.host}: ${error.message}`, { cause: error }));
    };
    request.once('error', fail);
    // A proxy that answers `CONNECT` like any other request refuses it.
    request.once('response', (answer) => request.destroy(new Error(statusText(answer.statusCode ?? 0))));
    request.once('connect', (answer, socket) => {
      clearTimeout(late);
      request.off('error', fail);
      socket.on('error', () => {}); // TLS above it says what is wrong.
      if (answer.statusCode !== 200) {
        socket.destroy();
        fail(new Error(statusText(answer.statusCode ?? 0)));
        return;
      }
      // A path would be that of a UNIX socket.
      const { path: _, ...server } = options;
      done(null, connect({ ...server, socket } as ConnectionOptions));
    });
    request.end();
    return undefined;
  }
}
