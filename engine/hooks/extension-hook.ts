import type { ExtensionStatus, Extensions } from '@cleat/extensions/service';
import type { Caller } from '@cleat/protocol/caller';
import { invalidParameter, notImplemented } from '@cleat/protocol/errors';
import { type HookCapabilities, type HookStream, hookKind, type Sight, sights } from '@cleat/protocol/kinds/hook';
import type { Client } from '@cleat/protocol/kinds/kind';
import { readable } from '@cleat/protocol/untrusted';
import { checkMatch } from './match.js';
import type { Hook, HookCall, HookWishes } from './service.js';

const maxAlternatives = 64;

/** A hook that is an extension of the kind `RequestHook`. */
export class ExtensionHook implements Hook {
  readonly name: string;
  readonly #extensions: Extensions;
  readonly #onWishes: (wishes?: HookWishes) => void;
  #known: HookWishes | undefined;
  #client: Client<typeof hookKind> | undefined;
  #pid: number | undefined;
  /** Since when the one has been active that was asked what it wishes. */
  #since = 0;

  /** @param onWishes called when they may have changed; it throws what is wrong with them */
  constructor(name: string, extensions: Extensions, onWishes: (wishes?: HookWishes) => void) {
    this.name = name;
    this.#extensions = extensions;
    this.#onWishes = onWishes;
    for (const status of extensions.list()) this.#place(status);
  }

  get origin(): string {
    return `extension ${this.name}`;
  }

  get known(): HookWishes | undefined {
    return this.#known;
  }

  /**
   * A state of the extension. One that has become active may be another one, and is asked what it wishes before anything
   * else. One that is gone is missed by those whom it was for.
   */
  note(status: ExtensionStatus): void {
    const { state, since } = status;
    if (!this.#place(status) || state !== 'active' || since.getTime() === this.#since) return;
    this.#client = undefined;
    this.#since = since.getTime();
    this.#known = undefined;
    this.#onWishes();
  }

  async wishes(call: HookCall): Promise<HookWishes> {
    const said = await this.#ask(call, (client) => client.Capabilities({}, call));
    const wishes = wishesOf(said);
    this.#onWishes(wishes);
    this.#known = wishes;
    return wishes;
  }

  async request(message: Parameters<Hook['request']>[0], call: HookCall) {
    const reply = await this.#ask(call, (client) => client.Request(message, call));
    if (!reply) throw notImplemented('it wants to see requests, and has no method RequestHook.Request');
    return reply;
  }

  async response(message: Parameters<Hook['response']>[0], call: HookCall) {
    const reply = await this.#ask(call, (client) => client.Response(message, call));
    if (!reply) throw notImplemented('it wants to see answers, and has no method RequestHook.Response');
    return reply;
  }

  async requestStream(message: HookStream, body: AsyncIterable<Uint8Array>, call: HookCall) {
    const bytes = await this.#ask(call, (client) => client.RequestStream(message, { ...call, body }));
    if (!bytes) throw notImplemented('it wants to see streams, and has no method RequestHook.RequestStream');
    return bytes;
  }

  async responseStream(message: HookStream, body: AsyncIterable<Uint8Array>, call: HookCall) {
    const bytes = await this.#ask(call, (client) => client.ResponseStream(message, { ...call, body }));
    if (!bytes) throw notImplemented('it wants to see streams, and has no method RequestHook.ResponseStream');
    return bytes;
  }

  /** By what the engine knows of where extensions run; one that somebody else started is not known. */
  isCaller({ Process, Container, Plugin }: Caller): boolean {
    if (!Process) return false;
    if (!Plugin && !Container) return Process.PID !== 0 && Process.PID === this.#pid;
    return this.#extensions.list().some((one) => {
      if (!this.#is(one)) return false;
      if (Container) return one.provider?.id === Container.ID;
      return one.carrier === 'managed' && (one.name === Plugin?.Name || one.aliases?.includes(Plugin?.Name ?? ''));
    });
  }

  /** Notes which process it is, where the engine has started it. @returns whether it is this hook */
  #place(status: ExtensionStatus): boolean {
    if (!this.#is(status)) return false;
    this.#pid = status.process?.pid ?? (status.carrier === 'in-process' ? process.pid : undefined);
    return true;
  }

  #is({ name, aliases, kinds }: ExtensionStatus): boolean {
    return (name === this.name || aliases?.includes(this.name) === true) && kinds.includes(hookKind.name);
  }

  /** The way to it, which is looked up once, and again after a failure. */
  async #ask<T>(call: HookCall, question: (client: Client<typeof hookKind>) => Promise<T>): Promise<T> {
    try {
      this.#client ??= await this.#lookUp(call);
      return await question(this.#client);
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }

  /** The deadline covers the wait for one that is starting. */
  async #lookUp({ signal, deadlineMs, impatient }: HookCall): Promise<Client<typeof hookKind>> {
    const late = AbortSignal.timeout(deadlineMs);
    const either = signal ? AbortSignal.any([signal, late]) : late;
    try {
      return await this.#extensions.get(hookKind, this.name, { signal: either, ...(impatient && { impatient }) });
    } catch (error) {
      if (late.aborted && !signal?.aborted) throw invalidParameter(`it did not come within ${deadlineMs / 1000} s`);
      throw error;
    }
  }
}

/** @throws InvalidParameter for what the protocol does not have */
function wishesOf({ Protocol, Match, Request, Response }: HookCapabilities): HookWishes {
  if (Protocol !== undefined && Protocol !== 1)
    throw invalidParameter(`it speaks version ${Protocol}; 1 is known here`);
  if (Match && Match.length > maxAlternatives) throw invalidParameter(`it matches more than ${maxAlternatives} ways`);
  for (const match of Match ?? []) checkMatch(match);
  return { match: Match, request: sightOf(Request), response: sightOf(Response) };
}

function sightOf(text = 'none'): Sight {
  const sight = sights.find((one) => one === text);
  if (sight === undefined)
    throw invalidParameter(`it wants to see '${readable(text, 100)}': ${sights.join(', ')} are known`);
  return sight;
}
