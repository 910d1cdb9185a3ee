import { absenceOf } from '@cleat/extensions/absence';
import type { Extensions } from '@cleat/extensions/service';
import { CleatError, isClass, messageOf, notFound } from '@cleat/protocol/errors';
import type { CallOptions, Client } from '@cleat/protocol/kinds/kind';
import { type Volume, volumeKind } from '@cleat/protocol/kinds/volume';
import { saysNoSuchVolume } from '../driver-prose.js';

/** How long a question whose answer is only nice to have may take, in ms. */
export const shortMs = 2_000;

export type Driver = Client<typeof volumeKind>;

export interface DriverTraits {
  scope: 'local' | 'global';
  /** Its Mount is to be told for whom it is. */
  context: boolean;
  /** Its Create takes what is there already as it is, and says so. */
  idempotentCreate: boolean;
}

/** The drivers, which keep the data, found through the registry of extensions. */
export class Drivers {
  readonly #extensions: Extensions;
  readonly #traits = new Map<string, DriverTraits>();

  constructor(extensions: Extensions) {
    this.#extensions = extensions;
    // An upgraded driver may have others.
    extensions.onChange((status) => this.#traits.delete(status.name));
  }

  /**
   * @param withinMs for what can do without an answer: not waited for when it is not there, and no longer than this
   * @throws `error looking up volume plugin X: …` with the registry's class
   */
  async get(name: string, withinMs?: number): Promise<Driver> {
    try {
      const signal = withinMs === undefined ? undefined : AbortSignal.timeout(withinMs);
      return await this.#extensions.get(volumeKind, name, { signal, impatient: withinMs !== undefined });
    } catch (cause) {
      const late = cause instanceof Error && cause.name === 'TimeoutError';
      const why = late ? `plugin "${name}" does not answer` : messageOf(cause);
      const errorClass = late ? 'Unavailable' : cause instanceof CleatError ? cause.class : 'System';
      throw new CleatError(errorClass, `error looking up volume plugin ${name}: ${why}`, { cause });
    }
  }

  /** Names of drivers that are known to be some. */
  get names(): string[] {
    return this.#extensions.names(volumeKind);
  }

  /** And of those that may turn out to be some. */
  get candidates(): string[] {
    return this.#extensions.candidates(volumeKind);
  }

  /**
   * The driver's volume of that name, or undefined when it has none. Drivers word that as they like: where an error
   * does not read like it, their list tells.
   * @throws when it cannot say: unreachable, or an error of Get although the list has it, or cannot be had
   */
  async lookUp(driver: Driver, name: string, deadlineMs?: number): Promise<Volume | undefined> {
    const options = { deadlineMs, impatient: deadlineMs !== undefined };
    try {
      return (await driver.Get({ Name: name }, options)).Volume ?? undefined;
    } catch (error) {
      if (saysNoSuchVolume(error)) return undefined;
      if (isOutOfReach(error) || (await isListed(driver, name, options))) throw error;
      return undefined;
    }
  }

  /** `local`, unless the driver says `global`; one that cannot tell is used as a local one, as in Docker. */
  async scope(name: string, driver: Driver): Promise<string> {
    const traits = await this.#ask(name, driver, { deadlineMs: shortMs, impatient: true }).catch(() => undefined);
    return traits?.scope ?? 'local';
  }

  /**
   * Whether its Mount is to be told for whom it is.
   * @throws Unavailable, DeadlineExceeded: guessing could give a container the files of another
   */
  async wantsContext(name: string, driver: Driver): Promise<boolean> {
    try {
      return (await this.#ask(name, driver, {})).context;
    } catch (error) {
      if (isOutOfReach(error)) throw error;
      // A driver that answers the question with an error does not know of contexts either.
      return false;
    }
  }

  /** Whether Create need not be preceded by Get; false until it was asked for anything of that sort. */
  createsAlone(name: string): boolean {
    return this.#traits.get(name)?.idempotentCreate === true;
  }

  /** The name of the driver that is called so: `vieux/sshfs:latest` for `vieux/sshfs`. */
  nameOf(called: string): string {
    return this.#extensions.nameOf(volumeKind.name, called);
  }

  /** Whether the operator configured it, rather than that it was found in a plugin directory. */
  isConfigured(name: string): boolean {
    return this.#extensions.list().some((status) => status.name === name && status.entry !== undefined);
  }

  /** Asked once per driver. */
  async #ask(name: string, driver: Driver, options: CallOptions): Promise<DriverTraits> {
    const known = this.#traits.get(name);
    if (known !== undefined) return known;
    const { Scope, Context, IdempotentCreate } = (await driver.Capabilities({}, options))?.Capabilities ?? {};
    const traits: DriverTraits = {
      scope: Scope?.toLowerCase() === 'global' ? 'global' : 'local',
      context: Context === true,
      idempotentCreate: IdempotentCreate === true,
    };
    this.#traits.set(name, traits);
    return traits;
  }
}

/** Whether nobody can say anything about a driver's volumes at present. A disabled one is a Conflict, as in Docker. */
export function isOutOfReach(error: unknown): boolean {
  if (isClass(error, 'Conflict')) return absenceOf(error) !== undefined;
  return isClass(error, 'NotFound') || isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded');
}

/** Also when nobody can tell. */
async function isListed(driver: Driver, name: string, options: CallOptions): Promise<boolean> {
  try {
    const { Volumes } = await driver.List({}, options);
    return Volumes?.some((volume) => volume.Name === name) ?? false;
  } catch {
    // The caller has the error of Get.
    return true;
  }
}

/** `OP NAME: WHY`, as the volume API words errors; keeps the class. */
export function opError(op: string, name: string, cause: unknown): CleatError {
  const errorClass = cause instanceof CleatError ? cause.class : 'System';
  return new CleatError(errorClass, `${op} ${name}: ${messageOf(cause)}`, { cause });
}

export function noSuchVolume(name: string): CleatError {
  return notFound(`get ${name}: no such volume`);
}
