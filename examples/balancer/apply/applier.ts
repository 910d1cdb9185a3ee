import { unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/sdk';
import { type Candidate, type FindCertificate, type Plan, type Problem, plan } from '../model/plan.js';
import type { Balancer, Rendered } from '../proxies/proxy.js';

/** A container that broke a configuration is tried again after so long, or when it is another one. */
const banMs = 60_000;
/** How many are looked for in one go; the next go finds the others. */
const mostCulprits = 16;

export interface Counts {
  reloads: number;
  /** Configurations that the program refused, or did not come to serve. */
  failures: number;
  lastReloadAt: number;
  lastReloadSeconds: number;
}

export interface Outcome extends Plan {
  readonly rendered: Rendered;
}

/** Brings what is planned into service. A container that breaks the configuration is left out, and named. */
export class Applier {
  readonly counts: Counts = { reloads: 0, failures: 0, lastReloadAt: 0, lastReloadSeconds: 0 };
  readonly #balancer: Balancer;
  readonly #certificate: FindCertificate;
  readonly #refusal: (wish: Candidate['wish']) => string | undefined;
  readonly #log: Logger;
  readonly #banned = new Map<string, Problem & { readonly facts: string; readonly until: number }>();

  constructor(
    balancer: Balancer,
    certificate: FindCertificate,
    refusal: (wish: Candidate['wish']) => string | undefined,
    log: Logger,
  ) {
    this.#balancer = balancer;
    this.#certificate = certificate;
    this.#refusal = refusal;
    this.#log = log;
  }

  /** @throws Unavailable when nothing new can be served; what was served before goes on */
  async apply(all: readonly Candidate[]): Promise<Outcome> {
    this.#forgive(all);
    let candidates = all.filter(({ id }) => !this.#banned.has(id));
    let outcome = this.#outcome(candidates);
    if (outcome.rendered.tag !== this.#balancer.serving || !this.#balancer.isRunning) {
      for (let complaint = await this.#complaint(outcome.rendered); complaint !== undefined; ) {
        const culprit = this.#banned.size < mostCulprits ? await this.#culprit(candidates) : undefined;
        if (culprit === undefined) throw unavailable(`${this.#balancer.name} refuses the configuration: ${complaint}`);
        this.#ban(culprit, complaint);
        candidates = candidates.filter(({ id }) => id !== culprit.id);
        outcome = this.#outcome(candidates);
        complaint = await this.#complaint(outcome.rendered);
      }
      await this.#reload(outcome.rendered);
    }
    return { ...outcome, problems: [...outcome.problems, ...this.#banned.values()] };
  }

  #outcome(candidates: readonly Candidate[]): Outcome {
    const planned = plan(candidates, this.#certificate, this.#refusal);
    return { ...planned, rendered: this.#balancer.render(planned.model) };
  }

  async #complaint(rendered: Rendered): Promise<string | undefined> {
    // Found good before.
    if (rendered.tag === this.#balancer.serving) return undefined;
    const complaint = await this.#balancer.validate(rendered);
    if (complaint !== undefined) this.counts.failures++;
    return complaint;
  }

  async #reload(rendered: Rendered): Promise<void> {
    const begun = performance.now();
    try {
      await this.#balancer.reload(rendered);
    } catch (error) {
      this.counts.failures++;
      throw error;
    }
    this.counts.reloads++;
    this.counts.lastReloadAt = Date.now() / 1_000;
    this.counts.lastReloadSeconds = (performance.now() - begun) / 1_000;
  }

  /** The one without which those before it are good: found by halves. undefined: it is none of them. */
  async #culprit(candidates: readonly Candidate[]): Promise<Candidate | undefined> {
    const isGood = async (count: number) =>
      (await this.#balancer.validate(this.#outcome(candidates.slice(0, count)).rendered)) === undefined;
    if (!(await isGood(0))) return undefined;
    let good = 0;
    let bad = candidates.length;
    while (bad - good > 1) {
      const middle = Math.floor((good + bad) / 2);
      if (await isGood(middle)) good = middle;
      else bad = middle;
    }
    return candidates[bad - 1];
  }

  #ban({ id, name, wish }: Candidate, complaint: string): void {
    const text = `its labels make a configuration that ${this.#balancer.name} refuses: ${complaint}`;
    this.#log.error(`container ${name} is left out`, { problem: text });
    this.#banned.set(id, { id, name, text, facts: JSON.stringify(wish), until: Date.now() + banMs });
  }

  #forgive(all: readonly Candidate[]): void {
    const there = new Map(all.map(({ id, wish }) => [id, JSON.stringify(wish)]));
    for (const [id, { facts, until }] of this.#banned) {
      if (there.get(id) !== facts || Date.now() > until) this.#banned.delete(id);
    }
  }
}
