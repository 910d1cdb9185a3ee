import type { Extensions } from '@cleat/extensions/service';
import { setInterval } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { HookEntry, HooksConfig } from './config.js';
import { ExtensionHook } from './extension-hook.js';
import { Link } from './link.js';
import { checkRoutes } from './match.js';
import { PowerstripAdapters } from './powerstrip/adapters.js';
import { Run } from './run.js';
import { masked } from './secrets.js';
import type { Hook, HookedRoute, HookSubject, Hooks } from './service.js';
import { Traces } from './traces.js';

export interface HooksDeps {
  /** Read at each request: SIGHUP changes it. */
  readonly config: { readonly hooks?: HooksConfig | undefined };
  readonly extensions: Extensions;
  readonly log: Logger;
  /** How often hooks are looked at that nobody asks: another one may be there, with other wishes. In ms. */
  readonly lookMs?: number;
  /** Address of a container by its name; undefined: there is none. */
  readonly addressOf?: (container: string) => Promise<string | undefined>;
}

/** For a hook that is asked by nobody in particular. */
const lookDeadlineMs = 5_000;

/** The chain of one file, with a table of which of its hooks may want to see which route. */
interface Chain {
  readonly config: HooksConfig;
  readonly links: readonly Link[];
  readonly table: Map<HookedRoute, boolean>;
}

export function openHooks({ config, extensions, log, lookMs = 10_000, addressOf }: HooksDeps): Hooks {
  const traces = new Traces();
  const nothing: HooksConfig = { path: '', entries: [] };
  let chain: Chain = { config: nothing, links: [], table: new Map() };

  let routes: readonly HookedRoute[] | undefined;

  /** The chain of the present file; hooks that stay keep what is known of them. */
  function current(): Chain {
    const wanted = config.hooks ?? nothing;
    if (wanted === chain.config) return chain;
    const before = new Map(chain.links.map(({ hook }) => [hook.name, hook]));
    const links = wanted.entries.map((entry) => new Link(before.get(entry.name) ?? hookOf(entry), entry));
    chain = { config: wanted, links, table: new Map() };
    look();
    return chain;
  }

  /** Asks hooks for their wishes before a request waits for that. */
  function look(): void {
    for (const { hook } of current().links) {
      // Why it cannot be asked is seen in its state, and told to those who need it.
      hook.wishes({ deadlineMs: lookDeadlineMs, impatient: true }).catch(() => {});
    }
  }

  function hookOf({ name }: HookEntry): Hook {
    return new ExtensionHook(name, extensions, (wishes) => {
      chain.table.clear();
      if (routes) checkRoutes(wishes?.match ?? [], routes);
    });
  }

  function begin(subject: HookSubject): Run {
    const { links, config: file } = current();
    return new Run(subject, {
      links,
      file: file.path,
      trace: (trace) => traces.add(trace),
      warn: (message, facts) => log.warn(message, facts),
    });
  }

  const unwatch = extensions.onChange((status) => {
    for (const { hook } of chain.links) if (hook instanceof ExtensionHook) hook.note(status);
  });
  const timer = setInterval(look, lookMs).unref();

  const adapters = new PowerstripAdapters({
    config: () => config.hooks?.powerstrip,
    log,
    addressOf: addressOf ?? (async () => undefined),
    trace: (trace) => traces.add(trace),
  });

  return {
    adapters,
    concerns(route) {
      const { links, table } = current();
      if (links.length === 0) return false;
      const known = table.get(route) ?? links.some((link) => link.mayWant(route));
      table.set(route, known);
      return known;
    },
    begin: (subject) => begin(subject),
    async test(subject) {
      const run = begin(subject);
      try {
        const result = await run.request();
        const { query: Query, headers, body: Body } = result;
        const Headers = { ...subject.headers, ...Object.fromEntries(headers) };
        return { ...run.outcome(), result, Request: masked({ Query, Headers, Body }) };
      } catch (error) {
        return { ...run.outcome(), error };
      }
    },
    setRoutes(all) {
      routes = all;
    },
    list: () => current().links.map((link) => link.status()),
    traces: (query) => traces.find(query),
    close() {
      clearInterval(timer);
      unwatch();
    },
  };
}
