import type { Extensions, Registered, Registration } from '@cleat/extensions/service';
import type { ExtensionStatus } from '@cleat/extensions/status';
import { Supervisor } from '@cleat/extensions/supervisor/supervisor';
import { longestTimerMs } from '@cleat/protocol/async/deadline';
import { cancelled, messageOf, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { isRuntime, kindsOf } from '@cleat/protocol/plugins/types';
import { type PluginId, shortId } from '../../ids.js';
import { aliasesOf } from '../names.js';
import type { Plugin } from '../registry.js';
import type { Sandboxes } from '../sandboxes.js';

/** How long a plugin that its user enables has to answer, unless the user says otherwise; in s. */
const usualTimeout = 30;

export interface RunningDeps {
  readonly extensions: Extensions;
  readonly sandboxes: Sandboxes;
  readonly log: Logger;
}

/**
 * The plugins that run, or are to run: each is an extension of the registry, whose one supervisor starts it, restarts
 * it, and finds it again.
 */
export class Running {
  readonly #deps: RunningDeps;
  readonly #registered = new Map<PluginId, Registered>();
  /** Ends it that a disabled one is known. */
  readonly #unavailable = new Map<PluginId, () => void>();
  /** Ends the waits for its answer. */
  readonly #waits = new Map<PluginId, AbortController>();

  constructor(deps: RunningDeps) {
    this.#deps = deps;
  }

  /** As the registry of extensions knows it; undefined for one that is not to run. */
  status(id: PluginId): ExtensionStatus | undefined {
    return this.#registered.get(id)?.status;
  }

  /** Has it started, or found running. Does not wait for it. @throws Conflict when its name is in use otherwise */
  begin(plugin: Plugin): void {
    if (isRuntime(plugin.manifest)) {
      this.#deps.sandboxes.beginRuntime(plugin);
      return;
    }
    if (this.#registered.has(plugin.id)) return;
    this.#registered.set(plugin.id, this.#deps.extensions.register(this.#registration(plugin)));
    this.#absent(plugin.id);
  }

  /**
   * Waits until it answers its activation.
   * @throws Unavailable with its last lines of output
   */
  async answered(plugin: Plugin): Promise<void> {
    if (isRuntime(plugin.manifest)) {
      await this.#deps.sandboxes.runtimeAnswers(plugin);
      return;
    }
    const { id, record } = plugin;
    const seconds = record.timeout || usualTimeout;
    const late = AbortSignal.timeout(Math.min(seconds * 1000, longestTimerMs));
    const wait = this.#waits.get(id) ?? new AbortController();
    this.#waits.set(id, wait);
    const signal = AbortSignal.any([late, wait.signal]);
    try {
      await this.#registered.get(id)?.activated({ signal });
    } catch (error) {
      const isLate = error instanceof Error && error.name === 'TimeoutError';
      const why = isLate ? `it did not answer within ${seconds} s` : messageOf(error);
      const { reason = '' } = this.status(id) ?? {};
      const state = isLate && reason !== '' ? `: ${reason}` : '';
      const said = await this.#deps.sandboxes.lastOutput(plugin);
      const output = said.length > 0 ? `\nThe last lines that it printed:\n${said.join('\n')}` : '';
      throw unavailable(`plugin ${record.name} does not work: ${why}${state}${output}`, { cause: error });
    }
  }

  /** Nobody waits for its answer any longer: it is not to run. The caller that enables it hears that. @returns whether it was begun */
  giveUp(id: PluginId): boolean {
    this.#waits.get(id)?.abort(cancelled('it was disabled by force, or removed, before it answered'));
    return this.#waits.delete(id);
  }

  /** Puts the plugin as it is now in the place of what runs; calls under way may end first. */
  async replace(plugin: Plugin, drainMs: number): Promise<void> {
    if (isRuntime(plugin.manifest)) {
      await this.#deps.sandboxes.endRuntime(plugin);
      this.begin(plugin);
      return;
    }
    await this.#registered.get(plugin.id)?.replace(this.#registration(plugin), { drainMs });
  }

  /** Ends it. Nothing to do when it is not to run. */
  async end(plugin: Plugin, reason: string): Promise<void> {
    const { id, record } = plugin;
    const registered = this.#registered.get(id);
    this.#registered.delete(id);
    this.#waits.delete(id);
    try {
      await registered?.remove(reason);
      if (isRuntime(plugin.manifest)) await this.#deps.sandboxes.endRuntime(plugin);
    } catch (error) {
      this.#deps.log.warn(`a plugin could not be ended cleanly: ${messageOf(error)}`, { plugin: record.name });
    }
    this.unavailable(plugin);
  }

  /** It is known, and not to run: who asks for it is told. */
  unavailable({ id, record, manifest }: Plugin): void {
    this.#absent(id);
    const undo = this.#deps.extensions.setUnavailable({
      name: record.name,
      aliases: aliasesOf(record.name),
      kinds: kindsOf(manifest),
      origin: originOf(id),
      reason: 'disabled by the user',
    });
    this.#unavailable.set(id, undo);
  }

  /** There is no such plugin any longer. */
  forget({ id }: Plugin): void {
    this.#absent(id);
  }

  #absent(id: PluginId): void {
    this.#unavailable.get(id)?.();
    this.#unavailable.delete(id);
  }

  #registration(plugin: Plugin): Registration {
    const { id, record, manifest } = plugin;
    const origin = originOf(id);
    const { launcher, socket } = this.#deps.sandboxes.launcher(plugin);
    return {
      name: record.name,
      aliases: aliasesOf(record.name),
      kinds: kindsOf(manifest),
      origin,
      source: new Supervisor({ launcher, socket, origin, log: this.#deps.extensions.logger(record.name) }),
      needs: manifest.Cleat?.Needs ?? [],
      after: manifest.Cleat?.After ?? [],
    };
  }
}

const originOf = (id: PluginId): string => `managed plugin ${shortId(id)}`;
