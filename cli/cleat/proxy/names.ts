import { createInterface } from 'node:readline';
import type { UpstreamAddress } from '@cleat/api/proxy/index';
import { guarded, setTimeout } from '@cleat/protocol/guard';
import { ask, open } from '../engine/ask.js';
import type { Endpoint } from '../engine/endpoint.js';

const retryMs = 1000;
const digits = 12;

/**
 * Names of the upstream's containers by their IDs, for callers that run in one. Known from a list and from events since; a
 * container that was not told of yet, or is another engine's, is called by the first digits of its ID.
 */
export class ContainerNames {
  readonly #endpoint: Endpoint;
  readonly #names = new Map<string, string>();
  #isClosed = false;
  #end: () => void = () => {};

  constructor(address: UpstreamAddress, text: string) {
    this.#endpoint = { ...address, text };
  }

  /** Every control group that is named like a container is one: to be taken for the host would grant more. */
  readonly find = (id: string): { name: string } => ({ name: this.#names.get(id) ?? id.slice(0, digits) });

  follow(): void {
    guarded(() => this.#follow())();
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#followOnce();
      } catch {
        // The upstream is away; requests say so.
      }
      await new Promise<void>((resolve) => {
        setTimeout(resolve, retryMs).unref();
        this.#end = resolve;
      });
    }
  }

  /** Ends with the upstream. */
  async #followOnce(): Promise<void> {
    const filters = encodeURIComponent('{"type":["container"],"event":["create","rename","destroy"]}');
    const { sent } = open(this.#endpoint, `/events?filters=${filters}`, {});
    this.#end = () => sent.destroy();
    try {
      const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
        sent.on('response', resolve).on('error', reject).end();
      });
      // Listed after the events have begun, so that none is missed between the two.
      const all = (await ask(this.#endpoint, '/containers/json?all=1')) as { Id: string; Names: string[] }[];
      this.#names.clear();
      for (const { Id, Names } of all) this.#names.set(Id, nameIn(Names));
      for await (const line of createInterface({ input: response })) if (line !== '') this.#note(line);
    } finally {
      sent.destroy();
    }
  }

  #note(line: string): void {
    const { Action, Actor } = JSON.parse(line) as {
      Action: string;
      Actor: { ID: string; Attributes: { name?: string } };
    };
    if (Action === 'destroy') this.#names.delete(Actor.ID);
    else if (Actor.Attributes.name !== undefined) this.#names.set(Actor.ID, Actor.Attributes.name);
  }
}

/** Its own; those of links have a second slash. */
function nameIn(names: readonly string[]): string {
  return (names.find((name) => name.lastIndexOf('/') === 0) ?? names[0] ?? '').replace(/^\//, '');
}
