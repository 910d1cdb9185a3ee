import { readable } from '@cleat/protocol/untrusted';
import {
  type Algorithm,
  algorithm,
  type BackendOption,
  backendOption,
  complaint,
  fileName,
  type Grammar,
  healthCheck,
  hostName,
  interval,
  networkName,
  port,
  truth,
  urlPath,
  verification,
  websocketPath,
} from './grammar.js';

/** The requests that a container asks for with its labels. */
export interface Wish {
  /** Names that it answers to, the first one its own; empty: it answers to any name. */
  readonly hosts: readonly string[];
  /** Below which path; empty: all. */
  readonly path: string;
  /** Whether that path is taken off before the container sees the request. */
  readonly rewrite: boolean;
  readonly port: number | undefined;
  readonly network: string | undefined;
  readonly websockets: readonly string[];
  readonly tls: TlsWish;
  readonly toBackend: ToBackend;
  readonly spread: Spread;
  readonly check: Check;
}

export interface TlsWish {
  /** Passed through: the container has the certificate, and the balancer reads only the name that is asked for. */
  readonly mode: 'none' | 'terminated' | 'passed';
  /** Plain HTTP is sent there. */
  readonly only: boolean;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

/** How the balancer speaks to the containers. */
export interface ToBackend {
  readonly tls: boolean;
  readonly verify: boolean;
}

export interface Spread {
  readonly algorithm: Algorithm;
  readonly ipHash: boolean;
  readonly options: readonly BackendOption[];
}

export interface Check {
  /** undefined: a connection is enough. */
  readonly path: string | undefined;
  readonly intervalMs: number;
}

/** The result of reading a container's labels. */
export interface Reading {
  /** undefined: it asks for nothing, or for something that is refused. */
  readonly wish: Wish | undefined;
  /** Why it is refused. */
  readonly faults: readonly string[];
  /** Labels that do nothing. */
  readonly notices: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

/** Interlock's, and our own, which says the same and wins. */
export const prefixes = ['com.cleat.balancer.', 'interlock.'] as const;

/** How many labels of one kind a container may have. */
const most = 32;

const single = {
  hostname: hostName,
  domain: hostName,
  port,
  network: networkName,
  context_root: urlPath,
  context_root_rewrite: truth,
  ssl: truth,
  ssl_only: truth,
  ssl_backend: truth,
  ssl_backend_tls_verify: verification,
  ssl_cert: fileName,
  ssl_cert_key: fileName,
  ssl_passthrough: truth,
  health_check: healthCheck,
  health_check_interval: interval,
  balance_algorithm: algorithm,
  ip_hash: truth,
} satisfies Record<string, Grammar<unknown>>;

/** `alias_domain`, `alias_domain.1`, `alias_domain.more` … */
const several = {
  alias_domain: hostName,
  websocket_endpoint: websocketPath,
  backend_option: backendOption,
} satisfies Record<string, Grammar<unknown>>;

export const labelNames: readonly string[] = [...Object.keys(single), ...Object.keys(several)];

/** Interlock's own containers and those of its proxies. */
const machinery = ['interlock.app', 'interlock.ext.name'];

/** Any of these makes a container ours. */
const asking = ['hostname', 'domain', 'context_root'] as const;

/** Reads a container's labels; those of others are left alone. */
export function wishOf(labels: Labels): Reading {
  const nothing: Reading = { wish: undefined, faults: [], notices: [] };
  if (machinery.some((label) => Object.hasOwn(labels, label))) return nothing;
  const reader = new LabelReader(labels);
  if (!asking.some((name) => reader.has(name))) return nothing;
  const wish = read(reader);
  const { faults } = reader;
  return { wish: faults.length === 0 ? wish : undefined, faults, notices: unknownLabels(labels) };
}

function read(labels: LabelReader): Wish {
  const passed = labels.one('ssl_passthrough') ?? false;
  const only = labels.one('ssl_only') ?? false;
  const certificate = labels.one('ssl_cert');
  // HAProxy's users said only ssl_only: the certificate was the balancer's.
  const terminated = (labels.one('ssl') ?? false) || only || certificate !== undefined;
  const path = labels.one('context_root') ?? '';
  const rewrite = labels.one('context_root_rewrite') ?? false;
  const hosts = hostsOf(labels);
  if (passed && path !== '') labels.faults.push('with ssl_passthrough nobody sees the path: leave context_root out');
  if (passed && terminated) labels.faults.push('ssl_passthrough does not go with ssl, ssl_only or ssl_cert');
  if (passed && hosts.length === 0) labels.faults.push('ssl_passthrough needs a hostname or a domain');
  if (terminated && hosts.length === 0) labels.faults.push('TLS needs a hostname or a domain');
  const websockets = labels.all('websocket_endpoint');
  const outside = websockets.find((one) => one !== path && !one.startsWith(`${path}/`));
  if (outside !== undefined) labels.faults.push(`websocket_endpoint ${outside} is not below context_root ${path}`);
  return {
    hosts,
    path,
    rewrite: rewrite && path !== '',
    port: labels.one('port'),
    network: labels.one('network'),
    websockets,
    tls: {
      mode: passed ? 'passed' : terminated ? 'terminated' : 'none',
      only,
      certificate,
      key: labels.one('ssl_cert_key'),
    },
    toBackend: {
      tls: labels.one('ssl_backend') ?? false,
      verify: labels.one('ssl_backend_tls_verify') ?? false,
    },
    spread: {
      algorithm: labels.one('balance_algorithm') ?? 'roundrobin',
      ipHash: labels.one('ip_hash') ?? false,
      options: labels.all('backend_option'),
    },
    check: { path: labels.one('health_check')?.path, intervalMs: labels.one('health_check_interval') ?? 5_000 },
  };
}

/** As Interlock put them together: `test` and `local` are `test.local`; the domain by itself is `local`. */
function hostsOf(labels: LabelReader): string[] {
  const hostname = labels.one('hostname');
  const domain = labels.one('domain');
  const aliases = labels.all('alias_domain');
  if (hostname === undefined && domain === undefined) return aliases;
  const base = domain ?? 'local';
  const own = hostname === undefined || hostname === base ? base : `${hostname}.${base}`;
  if (hostName.read(own) === undefined) labels.faults.push(complaint('hostname and domain', own, hostName));
  return [...new Set([own, ...aliases])];
}

class LabelReader {
  readonly faults: string[] = [];
  readonly #labels: Labels;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  has(name: string): boolean {
    return prefixes.some((prefix) => Object.hasOwn(this.#labels, `${prefix}${name}`));
  }

  one<N extends keyof typeof single>(name: N): ReturnType<(typeof single)[N]['read']> | undefined {
    const label = prefixes.map((prefix) => `${prefix}${name}`).find((key) => Object.hasOwn(this.#labels, key));
    if (label === undefined) return undefined;
    const text = this.#labels[label] ?? '';
    // Compose writes an empty label for a variable that is not set.
    if (text === '' && (name === 'hostname' || name === 'domain')) return undefined;
    return this.#value<unknown>(label, text, single[name]) as ReturnType<(typeof single)[N]['read']> | undefined;
  }

  all<N extends keyof typeof several>(name: N): NonNullable<ReturnType<(typeof several)[N]['read']>>[] {
    const values = Object.entries(this.#labels)
      .filter(([label]) => baseName(label) === name)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([label, text]) => this.#value(label, text, several[name]))
      .filter((value) => value !== undefined);
    if (values.length > most) this.faults.push(`there are ${values.length} labels ${name}: ${most} is the most`);
    return [...new Set(values)] as NonNullable<ReturnType<(typeof several)[N]['read']>>[];
  }

  #value<T>(label: string, text: string, grammar: Grammar<T>): T | undefined {
    const value = grammar.read(text);
    if (value === undefined) this.faults.push(complaint(label, text, grammar));
    return value;
  }
}

/** `interlock.alias_domain.1` is `alias_domain`. */
function baseName(label: string): string | undefined {
  const prefix = prefixes.find((one) => label.startsWith(one));
  const rest = prefix === undefined ? undefined : label.slice(prefix.length);
  return Object.keys(several).find((name) => rest === name || rest?.startsWith(`${name}.`)) ?? rest;
}

function unknownLabels(labels: Labels): string[] {
  return Object.keys(labels)
    .map((label) => [label, baseName(label)] as const)
    .filter(([, name]) => name !== undefined && !labelNames.includes(name))
    .slice(0, most)
    .map(([label]) => `label ${readable(label, 80)} is none that the balancer knows`);
}
