import { existsSync, readFileSync, rmSync } from 'node:fs';
import { listeningPid } from '@cleat/linux/syscall/socket';
import { Backoff } from '@cleat/protocol/async/backoff';
import { endsWithin } from '@cleat/protocol/async/deadline';
import { isClass, messageOf, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import { NameLink } from './link.js';
import type { Answers, Inheritance, NamedContainer, NamedElsewhere, Ports, Request, RequestOf } from './messages.js';
import { ownBuild, type StartedProcess, startNames } from './process.js';

/** How long the process may take for an answer. After that it counts as hanging, and is replaced. */
const patience = {
  /** To say who it is, and what needs no work. */
  helloMs: 5_000,
  /** A container's firewall may take a while. */
  answerMs: 20_000,
};
/** All containers of an engine that comes back are served within this time. */
const allMs = 120_000;
/** How long it may take to end: questions on their way are answered first. */
const endMs = 10_000;
/** The first attempt after its death is made at once. */
const pauses = { firstMs: 100, longestMs: 10_000 };

/** The containers that the process is told of. */
export interface Known {
  containers(): NamedContainer[];
  ports(): Record<string, Ports>;
  /** By network. */
  elsewhere(): Record<string, readonly NamedElsewhere[]>;
  /** All was told, to a process that is new to this engine. */
  onTold(told: Answers['all']): void;
}

interface Found {
  readonly link: NameLink;
  readonly build: string;
}

/**
 * Keeps the one process of names: finds that of the engine before, replaces one of another version, starts it when it is
 * needed and again when it dies.
 */
export class NameKeeper {
  readonly #path: string;
  readonly #log: Logger;
  readonly #known: Known;
  readonly #patience: typeof patience;
  /** This engine's own. */
  #child: { readonly link: NameLink; readonly ended: Promise<unknown> } | undefined;
  #link: Promise<NameLink> | undefined;
  #ending: Promise<void> | undefined;
  readonly #endedLinks = new WeakSet<NameLink>();
  /** When it dies, it is started again. */
  #isWanted = false;
  #isClosed = false;
  readonly #backoff = new Backoff(pauses);
  #again: NodeJS.Timeout | undefined;

  constructor(path: string, log: Logger, known: Known, deadlines = patience) {
    this.#patience = deadlines;
    this.#path = path;
    this.#log = log;
    this.#known = known;
  }

  /** Whether the process of an engine before may be there. */
  get mayBeThere(): boolean {
    return existsSync(this.#path);
  }

  /** Has it there from now on. @throws Unavailable */
  async start(): Promise<void> {
    await this.#connected();
  }

  /** Asks the process, which is started unless it is there. @throws Unavailable; System with what it says */
  async ask<K extends Request['kind']>(request: RequestOf<K>): Promise<Answers[K]> {
    const link = await this.#connected();
    try {
      return await link.ask(request, this.#patience.answerMs);
    } catch (error) {
      if (isClass(error, 'System')) throw error;
      if (!link.isClosed) this.#kill('does not answer', link);
      await link.closed;
      // The next one is told all, and asked for the answer.
      return await (await this.#connected()).ask(request, this.#patience.answerMs);
    }
  }

  /** Tells it something, if it is there: one that comes later is told all. Never fails. */
  async tell(request: RequestOf<'drop' | 'elsewhere'>): Promise<void> {
    if (!this.#link) return;
    await this.ask(request).catch((error: unknown) =>
      this.#log.warn('the process of names was not told of a change', { error: messageOf(error) }),
    );
  }

  async #connected(): Promise<NameLink> {
    if (this.#isClosed) throw unavailable('the engine ends');
    this.#isWanted = true;
    this.#link ??= this.#connect();
    const link = this.#link;
    try {
      return await link;
    } catch (error) {
      if (this.#link === link) this.#link = undefined;
      throw error;
    }
  }

  async #connect(): Promise<NameLink> {
    await this.#ending;
    const found = await this.#find();
    if (found?.build === ownBuild()) return this.#use(found.link);
    const inherited = await found?.link.ask({ kind: 'sockets' }, this.#patience.helloMs).catch((error: unknown) => {
      this.#log.warn('the former process of names does not hand its sockets over', { error: messageOf(error) });
      return undefined;
    });
    const link = await this.#startNew();
    return this.#use(link, found?.link, inherited);
  }

  /** The process of an engine before, if it answers. If it does not, it is killed: nobody else would end it. */
  async #find(): Promise<Found | undefined> {
    const link = await NameLink.open(this.#path).catch(() => undefined); // Nobody listens there, as usual.
    try {
      return link && { link, build: (await link.ask({ kind: 'hello' }, this.#patience.helloMs)).build };
    } catch {
      // A process that dies may accept a connection just before.
      if (link && !link.isClosed) this.#kill('does not answer', link);
      return undefined;
    }
  }

  async #startNew(): Promise<NameLink> {
    const child = await startNames(this.#path);
    try {
      const link = await NameLink.open(this.#path);
      void this.#watch(child, link);
      return link;
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  async #watch(child: StartedProcess, link: NameLink): Promise<void> {
    this.#child = { link, ended: child.ended };
    const how = await child.ended;
    if (this.#child.link === link) this.#child = undefined;
    if (this.#isWanted && !this.#isClosed) this.#log.warn(`the process of names ${how}`);
    // Its end may be heard before that of the connection.
    link.close();
  }

  /** It is told everything before anybody asks. @param former the process that this one replaces */
  #use(link: NameLink, former?: NameLink, inherited?: Inheritance): NameLink {
    const known = { containers: this.#known.containers(), elsewhere: this.#known.elsewhere() };
    const all = link.ask({ kind: 'all', ...known, ports: this.#known.ports(), inherited }, allMs);
    void all
      .then(
        (told) => {
          this.#backoff.reset();
          this.#known.onTold(told);
        },
        (error: unknown) => this.#log.warn('the process of names was not told all', { error: messageOf(error) }),
      )
      .then(() => former && this.#end(former));
    void link.closed.then(() => this.#lost(link));
    return link;
  }

  #lost(link: NameLink): void {
    // A process that was to end: the next one may be on its way.
    if (this.#endedLinks.has(link)) return;
    this.#link = undefined;
    if (!this.#isWanted || this.#isClosed) return;
    this.#log.warn('the process of names is gone; it is started again');
    void this.#mend();
  }

  async #mend(): Promise<void> {
    try {
      await this.#connected();
    } catch (error) {
      this.#log.warn('names do not resolve in containers', { error: messageOf(error) });
      if (!this.#isWanted || this.#isClosed) return;
      clearTimeout(this.#again);
      this.#again = setTimeout(() => void this.#mend(), this.#backoff.next()).unref();
    }
  }

  #kill(why: string, link: NameLink): void {
    this.#log.warn(`the process of names ${why}, and is killed`);
    try {
      const pid = listeningPid(this.#path);
      // Its number may be another's by now.
      if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(this.#path)) process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
    link.close();
  }

  /** Nobody needs the process for now: it ends, also if another engine started it. */
  async rest(): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#again);
    const link = this.#link;
    this.#link = undefined;
    this.#ending = this.#endThat(link);
    await this.#ending;
  }

  async #endThat(known: Promise<NameLink> | undefined): Promise<void> {
    const link = known ? await known.catch(() => undefined) : (await this.#find())?.link;
    if (link) await this.#end(link);
    // A process that was killed leaves its socket.
    else rmSync(this.#path, { force: true });
  }

  async #end(link: NameLink): Promise<void> {
    this.#endedLinks.add(link);
    await link.ask({ kind: 'end' }, this.#patience.helloMs).catch(() => {
      // It is gone already.
    });
    const gone = Promise.all([link.closed, this.#child?.link === link && this.#child.ended]);
    if (!(await endsWithin(endMs, gone))) this.#log.warn('a process of names does not end');
    link.close();
  }

  /** @param stays whether it goes on, for containers that outlive the engine */
  async close(stays: boolean): Promise<void> {
    if (!stays && (this.#link || this.mayBeThere)) await this.rest();
    await this.#ending;
    this.#isClosed = true;
    clearTimeout(this.#again);
    void this.#link?.then(
      (link) => link.close(),
      () => {}, // There is none.
    );
  }
}
