import type { Algorithm } from '../../labels/grammar.js';
import {
  addressText,
  type Listening,
  type Model,
  type PassedSite,
  type Pool,
  type Route,
  type Site,
} from '../../model/model.js';
import type { Rendered } from '../proxy.js';
import { block, flat, type Line, tagOf } from '../tag.js';

export interface NginxPlaces {
  readonly directory: string;
  readonly streamModule: string;
  readonly workers: number;
  /** Files and connections that a worker may have open. */
  readonly openFiles: number;
}

/** HAProxy's names for what nginx has, too. */
export const spreads: Readonly<Record<Algorithm, string | undefined>> = {
  roundrobin: '',
  'static-rr': '',
  leastconn: 'least_conn;',
  source: 'hash $remote_addr consistent;',
  uri: 'hash $uri consistent;',
  random: 'random two least_conn;',
  first: undefined,
};

/** How long a websocket may be silent. */
const idleTunnel = '1h';

/** The whole of `nginx.conf`. */
export function renderNginx(model: Model, listening: Listening, places: NginxPlaces): Rendered {
  const text = (tag: string) => `${new NginxText(model, listening, places, tag).lines().join('\n')}\n`;
  const tag = tagOf(text(''));
  return { text: text(tag), tag, files: {} };
}

class NginxText {
  readonly #model: Model;
  readonly #listening: Listening;
  readonly #places: NginxPlaces;
  readonly #tag: string;
  readonly #pools: string[] = [];
  #poolCount = 0;

  constructor(model: Model, listening: Listening, places: NginxPlaces, tag: string) {
    this.#model = model;
    this.#listening = listening;
    this.#places = places;
    this.#tag = tag;
  }

  lines(): string[] {
    const { user, drainMs, maxConnections } = this.#listening;
    const { workers, streamModule, directory, openFiles } = this.#places;
    const servers = this.#model.sites.flatMap((site) => this.#site(site));
    const passes = this.#model.passed.length > 0;
    return flat([
      '# Written by the load balancer, which writes it again: changes are lost.',
      passes && `load_module ${streamModule};`,
      user && `user ${user};`,
      `worker_processes ${workers};`,
      `worker_shutdown_timeout ${drainMs}ms;`,
      `worker_rlimit_nofile ${openFiles};`,
      `pid ${directory}/nginx.pid;`,
      'error_log stderr error;',
      'daemon off;',
      block('events', [`worker_connections ${maxConnections};`]),
      block('http', [this.#common(), this.#status(), this.#pools, this.#nobody(), servers]),
      passes &&
        block('stream', ['map_hash_bucket_size 512;', 'map_hash_max_size 65536;', this.#stream(this.#model.passed)]),
    ]);
  }

  #common(): string[] {
    const { connectMs, serverMs, clientMs, authorities } = this.#listening;
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    return [
      'access_log off;',
      'server_tokens off;',
      'absolute_redirect off;',
      'default_type application/octet-stream;',
      'server_names_hash_bucket_size 512;',
      'server_names_hash_max_size 65536;',
      'client_max_body_size 2048m;',
      ...temporary.map((kind) => `${kind}_temp_path ${this.#places.directory}/temporary-${kind};`),
      `keepalive_timeout ${clientMs}ms;`,
      `send_timeout ${clientMs}ms;`,
      `proxy_connect_timeout ${connectMs}ms;`,
      `proxy_send_timeout ${serverMs}ms;`,
      `proxy_read_timeout ${serverMs}ms;`,
      '# nginx itself repeats nothing that is not idempotent, once it has been sent.',
      'proxy_next_upstream error timeout;',
      'proxy_next_upstream_tries 8;',
      'proxy_http_version 1.1;',
      'proxy_ssl_server_name on;',
      'proxy_ssl_name $host;',
      `proxy_ssl_trusted_certificate ${authorities};`,
      'proxy_ssl_verify_depth 4;',
      'map $http_upgrade $balancer_connection { default upgrade; "" close; }',
      'proxy_set_header Host $http_host;',
      'proxy_set_header Upgrade $http_upgrade;',
      'proxy_set_header Connection $balancer_connection;',
      'proxy_set_header X-Real-IP $remote_addr;',
      'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
      'proxy_set_header X-Forwarded-Proto $scheme;',
      'ssl_protocols TLSv1.2 TLSv1.3;',
      'ssl_session_cache shared:tls:4m;',
    ];
  }

  #status(): string[] {
    return block('server', [
      `listen unix:${this.#places.directory}/status.sock;`,
      'location = /statistics { stub_status; }',
      `location = /tag { return 200 "${this.#tag}"; }`,
    ]);
  }

  /** Answers for names that nobody has. */
  #nobody(): string[] {
    const { tlsPort } = this.#listening;
    const hasTls = this.#model.sites.some(({ tls }) => tls);
    return flat([
      !this.#model.sites.some(({ host }) => host === '') &&
        block('server', [`listen ${this.#at(this.#listening.port)} default_server;`, 'server_name _;', 'return 503;']),
      tlsPort !== undefined &&
        hasTls &&
        block('server', [
          `listen ${this.#tlsAt(tlsPort)} default_server;`,
          'server_name _;',
          'ssl_reject_handshake on;',
        ]),
    ]);
  }

  #site(site: Site): string[] {
    const { tlsPort, port } = this.#listening;
    const name = site.host === '' ? 'server_name _;' : `server_name ${site.host};`;
    const plain = `listen ${this.#at(port)}${site.host === '' ? ' default_server' : ''};`;
    const routes = this.#routes(site);
    if (site.tls === undefined || tlsPort === undefined) return block('server', [plain, name, routes]);
    const elsewhere = tlsPort === 443 ? '$host' : `$host:${tlsPort}`;
    const { certificate, only } = site.tls;
    return [
      ...block('server', [plain, name, only ? `return 301 https://${elsewhere}$request_uri;` : routes]),
      ...block('server', [
        `listen ${this.#tlsAt(tlsPort)};`,
        name,
        `ssl_certificate ${certificate};`,
        `ssl_certificate_key ${certificate};`,
        this.#passes() && ['set_real_ip_from unix:;', 'real_ip_header proxy_protocol;'],
        only && 'add_header Strict-Transport-Security max-age=16000000 always;',
        routes,
      ]),
    ];
  }

  #routes(site: Site): string[] {
    const closing: string[] = [];
    const locations = site.routes.flatMap((route) => this.#route(route, closing));
    const rest = site.routes.some(({ path }) => path === '') ? [] : ['location / { return 503; }'];
    return [...locations, ...rest, ...closing];
  }

  /** @param closing gets the same locations for the time just before a reload */
  #route({ path, rewrite, websockets, pool }: Route, closing: string[]): string[] {
    const target = this.#pool(pool);
    const location = (match: string, more: Line = undefined): string[] => {
      if (target === undefined) return [`location ${match} { return 503; }`];
      const pass = flat([
        rewrite && `rewrite ^${path.replaceAll('.', '\\.')}/(.*)$ /$1 break;`,
        more,
        pool.toBackend.verify && 'proxy_ssl_verify on;',
        `proxy_pass ${pool.toBackend.tls ? 'https' : 'http'}://${target};`,
      ]);
      const twin = `@closing${closing.length}`;
      closing.push(block(`location ${twin}`, ['keepalive_timeout 0;', pass]).join('\n        '));
      const { directory } = this.#places;
      // While this file is there, each answer ends its connection: nobody is cut off by the reload that follows.
      return block(`location ${match}`, [
        `error_page 418 = ${twin};`,
        `if (-f ${directory}/closing-${this.#tag}) { return 418; }`,
        pass,
      ]);
    };
    const long = [`proxy_read_timeout ${idleTunnel};`, `proxy_send_timeout ${idleTunnel};`];
    return [
      ...websockets
        .filter((one) => one !== path)
        .flatMap((one) => [...location(`= ${one}`, long), ...location(`${one}/`, long)]),
      ...(path === ''
        ? []
        : rewrite
          ? [`location = ${path} { return 301 ${path}/$is_args$args; }`]
          : location(`= ${path}`)),
      ...location(`${path}/`, websockets.includes(path) ? long : undefined),
    ];
  }

  /** @returns the name of the upstream; undefined: it would have no server, which nginx does not take */
  #pool(pool: Pool): string | undefined {
    if (pool.servers.length === 0) return undefined;
    const name = `pool${this.#poolCount++}`;
    const { algorithm, ipHash } = pool.spread;
    const method = ipHash ? 'ip_hash;' : spreads[algorithm];
    const servers = pool.servers.map(({ address }) => addressText(address));
    // With a hash nginx takes no backup.
    const isPlain = algorithm === 'leastconn' || !method;
    this.#pools.push(
      ...block(`upstream ${name}`, [
        `zone ${name} ${64 + 4 * servers.length}k;`,
        method || undefined,
        ...servers.map((server) => `server ${server} ${isPlain ? 'max_fails=8 fail_timeout=1s' : 'max_fails=0'};`),
        // Where all have failed lately, each is tried once more: nginx would answer 502 without asking any.
        isPlain && servers.map((server) => `server ${server} backup max_fails=0;`),
      ]),
    );
    return name;
  }

  /** TLS is looked at for the name that is asked for, and goes to a container or to the servers above. */
  #stream(passed: readonly PassedSite[]): string[] {
    const { directory } = this.#places;
    const { tlsPort, connectMs } = this.#listening;
    const upstreams: string[] = [];
    const names = passed.map(({ host, pool }, index) => {
      const name = `passed${index}`;
      // A socket that nobody has: the connection is ended.
      const servers = pool.servers.map(({ address }) => `server ${addressText(address)} max_fails=0;`);
      upstreams.push(
        ...block(`upstream ${name}`, servers.length > 0 ? servers : [`server unix:${directory}/nobody.sock;`]),
      );
      return { host, name };
    });
    const table = (variable: string, value: (name: string) => string, otherwise: string) =>
      block(`map $ssl_preread_server_name ${variable}`, [
        'hostnames;',
        `default ${otherwise};`,
        ...names.map(({ host, name }) => `${host} ${value(name)};`),
      ]);
    return [
      ...upstreams,
      ...table('$balancer_door', () => `unix:${directory}/passed.sock`, `unix:${directory}/tls.sock`),
      ...table('$balancer_passed', (name) => name, `unix:${directory}/nobody.sock`),
      ...block('server', [
        `listen ${this.#at(tlsPort ?? 443)};`,
        'ssl_preread on;',
        'proxy_protocol on;',
        'proxy_pass $balancer_door;',
      ]),
      ...block('server', [
        `listen unix:${directory}/passed.sock proxy_protocol;`,
        'ssl_preread on;',
        `proxy_connect_timeout ${connectMs}ms;`,
        `proxy_timeout ${idleTunnel};`,
        'proxy_pass $balancer_passed;',
      ]),
    ];
  }

  #passes(): boolean {
    return this.#model.passed.length > 0;
  }

  #at(port: number): string {
    const { address } = this.#listening;
    return address.includes(':') ? `[${address}]:${port} ipv6only=off` : `${address}:${port}`;
  }

  /** Where TLS is terminated: behind the stream, if there is one. */
  #tlsAt(port: number): string {
    return this.#passes() ? `unix:${this.#places.directory}/tls.sock ssl proxy_protocol` : `${this.#at(port)} ssl`;
  }
}
