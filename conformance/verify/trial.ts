import { setTimeout as pause } from 'node:timers/promises';
import { readReply } from '@cleat/protocol/answer';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import type { Client, Kind } from '@cleat/protocol/kinds/kind';
import { methodPath } from '@cleat/protocol/kinds/kind';
import type { Static } from '@cleat/protocol/schema';
import { Finding, type Said } from './finding.js';
import { complaintAbout } from './readable-error.js';
import { defaultDeadlineMs, type Session } from './session.js';
import type { Manner } from './wire.js';

type MethodOf<K extends Kind> = keyof K['methods'] & string;
/** A message of the contract, and whatever else the case adds to it. */
type RequestOf<K extends Kind, M extends MethodOf<K>> = Static<K['methods'][M]['request']>;
type AnswerOf<K extends Kind, M extends MethodOf<K>> = NonNullable<Awaited<ReturnType<Client<K>[M]>>>;

/** The case does not concern this plugin; the message says why. */
export class Inapplicable extends Error {}

/** How many calls of a case are kept for the report. */
const keptCalls = 50;

/** The record of a case, whichever kinds and plugins it asks. */
class Course {
  readonly calls: Said[] = [];
  readonly leftBehind: string[] = [];
  readonly deferred: (() => Promise<unknown>)[] = [];
}

/** One case under way: calls to the plugin, and what it left that must be cleared away. */
export class Trial<K extends Kind> {
  readonly kind: K;
  readonly session: Session;
  readonly #id: string;
  readonly #course: Course;

  constructor(kind: K, session: Session, id: string, course = new Course()) {
    this.kind = kind;
    this.session = session;
    this.#id = id.replace(/^.*\//, '').replace(/[^a-z0-9]+/g, '-');
    this.#course = course;
  }

  /** The same case, for its calls to another kind of this plugin, or to another plugin. */
  beside<L extends Kind>(kind: L, session: Session): Trial<L> {
    return new Trial(kind, session, this.#id, this.#course);
  }

  /** Every call so far, the last ones at least. */
  get calls(): Said[] {
    return this.#course.calls;
  }

  /** Things that could not be cleared away at the end. */
  get leftBehind(): string[] {
    return this.#course.leftBehind;
  }

  /** A name that nobody else has. */
  fresh(): string {
    return `${this.session.prefix}-${this.#id}-${this.session.next()}`;
  }

  /** 64 hexadecimal digits, as engines make them for networks, endpoints and mounts. */
  freshId(): string {
    return Array.from({ length: 64 }, () => Math.floor(Math.random() * 16).toString(16)).join('');
  }

  /** Sends a message as it is, and takes whatever comes. */
  async ask<M extends MethodOf<K>>(method: M, request: RequestOf<K, M>, manner?: Manner): Promise<Said> {
    return await this.send(methodPath(this.kind, method), request, manner);
  }

  /** Any path, any body: a text is sent as it is, all else as JSON. */
  async send(path: string, request: unknown, manner: Manner = {}): Promise<Said> {
    const body = typeof request === 'string' ? request : stringify(request);
    const answer = await this.session.wire.send(path, body, manner);
    const call = manner.verb === undefined ? path.slice(1) : `${manner.verb} ${path}`;
    const said: Said = { call, request, ...answer };
    const { calls } = this.#course;
    calls.push(said);
    if (calls.length > keptCalls) calls.shift();
    return said;
  }

  /** A call that a good plugin answers. @throws Finding when it did not, or not in the contract's shape */
  async succeeds<M extends MethodOf<K>>(
    method: M,
    request: RequestOf<K, M>,
    expected = 'success',
    manner?: Manner,
  ): Promise<AnswerOf<K, M>> {
    return this.read(method, await this.ask(method, request, manner), expected);
  }

  /** Reads an answer. @throws Finding when it is an error, or not in the contract's shape */
  read<M extends MethodOf<K>>(method: M, said: Said, expected = 'success'): AnswerOf<K, M> {
    if (said.failure !== '') throw new Finding(expected, said);
    try {
      return this.#meaning(method, said) as AnswerOf<K, M>;
    } catch (error) {
      throw new Finding(expected, said, isClass(error, 'Unavailable') ? messageOf(error) : undefined);
    }
  }

  /** Whether an answer says that the call succeeded. An answer that is none is a Finding. */
  succeeded<M extends MethodOf<K>>(method: M, said: Said): boolean {
    if (said.failure !== '') throw new Finding('an answer', said);
    try {
      this.#meaning(method, said);
      return true;
    } catch {
      return false;
    }
  }

  /** A call that a good plugin refuses, in words that a person understands. @returns its words @throws Finding */
  async refuses<M extends MethodOf<K>>(method: M, request: RequestOf<K, M>, expected: string): Promise<string> {
    const said = await this.ask(method, request);
    if (this.succeeded(method, said)) throw new Finding(expected, said);
    this.#understood(said);
    return said.text;
  }

  /**
   * A call that a good plugin does, or refuses in words.
   * @returns its answer, undefined when it refused
   * @throws Finding
   */
  async doesOrRefuses<M extends MethodOf<K>>(method: M, request: RequestOf<K, M>): Promise<AnswerOf<K, M> | undefined> {
    const said = await this.ask(method, request);
    if (this.succeeded(method, said)) return this.read(method, said);
    this.#understood(said);
    return undefined;
  }

  /** A call that a good plugin does, unless it lacks that method. @throws Finding */
  async doesOrLacks<M extends MethodOf<K>>(method: M, request: RequestOf<K, M>): Promise<void> {
    const said = await this.ask(method, request);
    this.holds(said.status === 404 || this.succeeded(method, said), 'success, or status 404', said);
  }

  /** A call that may be done or refused, as long as it is answered. @throws Finding when it is not */
  async answers<M extends MethodOf<K>>(method: M, request: RequestOf<K, M>): Promise<Said> {
    const said = await this.ask(method, request);
    this.holds(said.failure === '', 'an answer: success, or an error', said);
    return said;
  }

  /** Done at the end, in reverse order, whatever happens. */
  defer(work: () => Promise<unknown>): void {
    this.#course.deferred.push(work);
  }

  /** @throws Finding unless it holds */
  holds(condition: boolean, expected: string, said: Said | undefined = this.calls.at(-1), found?: string): void {
    if (!condition) throw new Finding(expected, said, found);
  }

  /** Ends the plugin as a crash does, and starts it again. @throws Finding when it does not answer again */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Ends the plugin as a crash does. */
  async kill(): Promise<void> {
    await this.#control.kill();
    this.session.wire.forget();
    this.session.ipam?.wire.forget();
  }

  /** @throws Finding when it does not answer */
  async start(): Promise<void> {
    await this.#control.start();
    for (const end = Date.now() + (this.session.settings.deadlineMs ?? defaultDeadlineMs); ; ) {
      const said = await this.send('/Plugin.Activate', '');
      if (said.status === 200) return;
      if (Date.now() > end) throw new Finding('it to serve again after it was started', said);
      await pause(50);
    }
  }

  /** Runs the case, then what was deferred. @returns what the case threw */
  async during(run: () => Promise<void>): Promise<unknown> {
    const thrown = await run().then(
      () => undefined,
      (error: unknown) => error,
    );
    for (const work of this.#course.deferred.reverse()) {
      await work().catch((error: unknown) => this.leftBehind.push(messageOf(error)));
    }
    return thrown;
  }

  #understood(said: Said): void {
    const complaint = complaintAbout(this.kind, said);
    if (complaint !== undefined) throw new Finding('an error that a person understands', said, complaint);
  }

  #meaning<M extends MethodOf<K>>(method: M, said: Said): unknown {
    const contract = this.kind.methods[method];
    if (contract === undefined) throw new Error(`${this.kind.name} has no method ${method}`);
    const required = { ...contract, optional: undefined };
    return readReply(this.session.name, this.kind, method, required, said);
  }

  get #control() {
    if (this.session.control === undefined) throw new Inapplicable('nobody said how to start it');
    return this.session.control;
  }
}
