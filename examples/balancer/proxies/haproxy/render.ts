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
import { flat, indented, type Line, tagOf } from '../tag.js';

/** The whole of `haproxy.cfg`, and the list of certificates that it names. */
export function renderHaproxy(model: Model, listening: Listening, directory: string): Rendered {
  const certificates = model.sites.flatMap(({ host, tls }) => (tls ? [`${tls.certificate} ${host}\n`] : [])).join('');
  const list = `certificates-${tagOf(certificates)}.list`;
  const text = (tag: string) => `${new HaproxyText(model, listening, directory, list, tag).lines().join('\n')}\n`;
  const tag = tagOf(text(''));
  return { text: text(tag), tag, files: certificates === '' ? {} : { [list]: certificates } };
}

/** As HAProxy's runtime interface knows a container. */
export const serverName = (id: string): string => `c-${id.slice(0, 24)}`;

class HaproxyText {
  readonly #model: Model;
  readonly #listening: Listening;
  readonly #directory: string;
  readonly #list: string;
  readonly #tag: string;

  constructor(model: Model, listening: Listening, directory: string, list: string, tag: string) {
    this.#model = model;
    this.#listening = listening;
    this.#directory = directory;
    this.#list = list;
    this.#tag = tag;
  }

  lines(): string[] {
    const { sites, passed } = this.#model;
    const withTls = sites.filter(({ tls }) => tls);
    const { port, tlsPort } = this.#listening;
    return flat([
      '# Written by the load balancer, which writes it again: changes are lost.',
      this.#global(),
      this.#defaults(),
      section('frontend plain', [`bind ${this.#at(port)}`, this.#frontend(sites, false)]),
      tlsPort !== undefined && withTls.length > 0 && this.#tls(withTls, tlsPort),
      tlsPort !== undefined && passed.length > 0 && this.#passedDoor(passed, tlsPort, withTls.length > 0),
      section('backend nobody', ['http-request return status 503 content-type text/plain string "nobody serves this"']),
      sites.map((site) => site.routes.map((route) => this.#backend(site, route))),
      passed.map(({ host, pool }) => this.#passedBackend(host, pool)),
    ]);
  }

  #global(): string[] {
    const { maxConnections, drainMs, user } = this.#listening;
    return section('global', [
      `description ${this.#tag || 'none'}`,
      `maxconn ${maxConnections}`,
      `hard-stop-after ${drainMs}ms`,
      `stats socket ${this.#directory}/haproxy.sock mode 600 level admin expose-fd listeners`,
      user && `user ${user}`,
      'ssl-default-bind-options ssl-min-ver TLSv1.2',
      'tune.ssl.default-dh-param 2048',
    ]);
  }

  #defaults(): string[] {
    const { connectMs, clientMs, serverMs } = this.#listening;
    return section('defaults', [
      'mode http',
      '# A connection per request: one that is kept may close just when a request is written to it.',
      'option http-server-close',
      '# A client that was silent is answered once more after a reload, and told that the connection ends. Not for',
      '# long: the containers of the configuration before may have gone by then.',
      'option idle-close-on-response',
      'timeout http-keep-alive 5s',
      'retries 7',
      'option redispatch 1',
      'retry-on conn-failure empty-response',
      `timeout connect ${connectMs}ms`,
      `timeout client ${clientMs}ms`,
      `timeout server ${serverMs}ms`,
      'timeout http-request 30s',
      'timeout check 2s',
      'timeout tunnel 1h',
    ]);
  }

  #frontend(sites: readonly Site[], isTls: boolean): Line[] {
    return [
      'http-request set-var(txn.host) req.hdr(host),field(1,:),lower',
      'http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }',
      'http-request set-header X-Real-IP %[src]',
      'acl forwarded req.fhdr(x-forwarded-for) -m found',
      'http-request set-header X-Forwarded-For "%[req.fhdr(x-forwarded-for)], %[src]" if forwarded',
      'http-request set-header X-Forwarded-For %[src] unless forwarded',
      `http-request set-header X-Forwarded-Proto ${isTls ? 'https' : 'http'}`,
      ...sites.map((site, index) => this.#rules(site, index, isTls)),
      'default_backend nobody',
    ];
  }

  #rules(site: Site, index: number, isTls: boolean): string[] {
    const { host, routes, tls } = site;
    const acl = `host${index}`;
    const match = host.startsWith('*.') ? `-m end ${host.slice(1)}` : `-m str ${host}`;
    const isHost = host === '' ? '' : ` if ${acl}`;
    const { tlsPort } = this.#listening;
    if (tls?.only && !isTls) {
      const elsewhere = tlsPort === 443 ? '%[var(txn.host)]' : `%[var(txn.host)]:${tlsPort}`;
      return [
        `acl ${acl} var(txn.host) ${match}`,
        `http-request redirect code 301 location https://${elsewhere}%[pathq]${isHost}`,
      ];
    }
    return flat([
      host !== '' && `acl ${acl} var(txn.host) ${match}`,
      ...routes.map(({ path }, at) => {
        if (path === '') return `use_backend ${poolName(host, path)}${isHost}`;
        const isPath = `path${index}-${at}`;
        return [
          `acl ${isPath} path ${path}`,
          `acl ${isPath} path_beg ${path}/`,
          `use_backend ${poolName(host, path)} if ${host === '' ? '' : `${acl} `}${isPath}`,
        ];
      }),
      routes.at(-1)?.path !== '' && `use_backend nobody${isHost}`,
    ]);
  }

  #tls(sites: readonly Site[], tlsPort: number): string[] {
    const certificates = `ssl crt-list ${this.#directory}/${this.#list} strict-sni alpn http/1.1`;
    const owner = this.#listening.user === undefined ? '' : ` user ${this.#listening.user}`;
    const bind =
      this.#model.passed.length > 0
        ? `bind unix@${this.#directory}/tls.sock mode 600${owner} accept-proxy ${certificates}`
        : `bind ${this.#at(tlsPort)} ${certificates}`;
    return section('frontend tls', [bind, this.#frontend(sites, true)]);
  }

  /** TLS is looked at for the name that is asked for, and goes to a container or to the frontend above. */
  #passedDoor(passed: readonly PassedSite[], tlsPort: number, hasTls: boolean): string[] {
    return [
      ...section('frontend door', [
        'mode tcp',
        `bind ${this.#at(tlsPort)}`,
        'tcp-request inspect-delay 5s',
        'tcp-request content accept if { req.ssl_hello_type 1 }',
        'tcp-request content reject',
        ...passed.map(({ host }) => {
          const match = host.startsWith('*.') ? `-m end -i ${host.slice(1)}` : `-m str -i ${host}`;
          return `use_backend ${passedName(host)} if { req.ssl_sni ${match} }`;
        }),
        'default_backend own-tls',
      ]),
      ...section('backend own-tls', [
        'mode tcp',
        hasTls ? `server own unix@${this.#directory}/tls.sock send-proxy-v2` : 'tcp-request content reject',
      ]),
    ];
  }

  #backend({ host, tls }: Site, { path, rewrite, pool }: Route): string[] {
    const pattern = path.replaceAll('.', '\\.');
    return section(`backend ${poolName(host, path)}`, [
      `balance ${pool.spread.ipHash ? 'source' : pool.spread.algorithm}`,
      // The name of 2015 for what is called httpclose today.
      ...pool.spread.options.map((option) => `option ${option === 'forceclose' ? 'httpclose' : option}`),
      rewrite && [
        `http-request redirect code 301 location ${path}/?%[query] if { path ${path} } { query -m len gt 0 }`,
        `http-request redirect code 301 location ${path}/ if { path ${path} }`,
        `http-request replace-path '^${pattern}/(.*)$' '/\\1'`,
      ],
      tls?.only && 'http-response set-header Strict-Transport-Security max-age=16000000 if { ssl_fc }',
      pool.check.path !== undefined && [
        'option httpchk',
        `http-check send meth GET uri ${pool.check.path} ver HTTP/1.1 hdr Host ${host === '' || host.startsWith('*') ? 'localhost' : host}`,
      ],
      ...this.#servers(pool, this.#toBackend(pool)),
    ]);
  }

  #toBackend({ toBackend }: Pool): string {
    if (!toBackend.tls) return '';
    const verify = toBackend.verify ? `verify required ca-file ${this.#listening.authorities}` : 'verify none';
    return ` ssl ${verify} sni req.hdr(host),field(1,:)`;
  }

  #passedBackend(host: string, pool: Pool): string[] {
    return section(`backend ${passedName(host)}`, ['mode tcp', 'balance roundrobin', ...this.#servers(pool, '')]);
  }

  #servers({ servers, check }: Pool, more: string): string[] {
    const checked = `check inter ${check.intervalMs}ms fastinter 200ms downinter 500ms fall 2 rise 1`;
    return servers.map(({ id, address }) => `server ${serverName(id)} ${addressText(address)} ${checked}${more}`);
  }

  #at(port: number): string {
    const { address } = this.#listening;
    return address.includes(':') ? `${address}:${port} v4v6` : `${address}:${port}`;
  }
}

/** Names have letters, digits and `-_.:` only: a host has no colon and begins with no `_`, a path has no star. */
const poolName = (host: string, path: string): string =>
  `pool:${host.replace('*', '_') || '_any'}${path.replaceAll('/', ':')}`;
const passedName = (host: string): string => `passed:${host.replace('*', '_')}`;

const section = (head: string, lines: readonly Line[]): string[] => ['', head, ...indented(lines)];
