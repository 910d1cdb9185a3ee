import { setTimeout as sleep } from 'node:timers/promises';
import { Hang } from './client.js';
import type { World } from './world.js';

/** Requests that must get an answer at any time, even if it is that an authorization plugin is in the way. */
const questions = [
  '/containers/json?all=1',
  '/containers/witness/json',
  '/info',
  '/volumes',
  '/networks',
  '/networks/bridge',
] as const;
const pauseMs = 150;
/** Generous, as the engine may be late on a busy machine. A request that waits for a hanging extension waits longer. */
const withinMs = 60_000;

/** Asks until it is told to stop; a missing or wrong answer is a complaint. */
export class Prober {
  readonly #world: World;
  readonly #mayRefuse: boolean;
  readonly #complaints: string[] = [];
  readonly #done: Promise<void>;
  #stopped = false;

  /** @param mayRefuse the authorization plugin suffers: then refusing, with its name, is right */
  constructor(world: World, mayRefuse: boolean) {
    this.#world = world;
    this.#mayRefuse = mayRefuse;
    this.#done = this.#probe();
  }

  async stop(): Promise<string[]> {
    this.#stopped = true;
    await this.#done;
    return this.#complaints;
  }

  async #probe(): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      const question = questions[number % questions.length] ?? questions[0];
      await this.#ask(number % 10 === 9 ? `/events?since=${now() - 2}&until=${now()}` : question);
      await sleep(pauseMs);
    }
  }

  async #ask(question: string): Promise<void> {
    const killedBefore = this.#world.engineKills;
    try {
      const { status, text } = await this.#world.ask('GET', question, { withinMs });
      const refused = this.#mayRefuse && text.includes(this.#world.flavour.drivers.authz);
      if (status !== 200 && !refused) this.#complaints.push(`GET ${question} was answered ${status} ${text.trim()}`);
    } catch (error) {
      const killed = this.#world.engineIsDown || this.#world.engineKills !== killedBefore;
      if (error instanceof Hang || !killed) this.#complaints.push(`GET ${question} failed: ${String(error)}`);
    }
  }
}

const now = (): number => Math.floor(Date.now() / 1000);
